package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/netspace"
)

// patience bounds a case: far more than any night takes.
const patience = 8 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status, done, err := netspace.Enclose(ctx, insideName, false)
	if !done && err == nil {
		status, err = 0, run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "netlab:", err)
		status = 1
	}
	os.Exit(status)
}

// run is the program without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("netlab", flag.ContinueOnError)
	f.SetOutput(stderr)
	only := f.String("only", "", "only these `cases`, separated by commas, beside the good line")
	seed := f.Uint64("seed", 1, "of the city and of what is lost")
	if err := f.Parse(args); err != nil {
		return err
	}
	l, err := newLab(ctx, *seed, len(lines), fullNight, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := l.start(ctx, ""); err != nil {
		return err
	}
	clean, err := l.line(ctx, 0, result{bytes: 1, rounds: 1})
	if err != nil {
		return fmt.Errorf("%s: %w", cleanName, err)
	}
	fmt.Fprintln(stdout, lines[0].print(clean, clean))
	return l.all(ctx, strings.Split(*only, ","), clean, stdout)
}

// all runs the bad lines at the same time, each by itself, and prints them in their order.
func (l *lab) all(ctx context.Context, only []string, clean result, stdout io.Writer) error {
	results, errs := make([]result, len(lines)), make([]error, len(lines))
	var g errgroup.Group
	for i := 1; i < len(lines); i++ {
		if only[0] != "" && !slices.Contains(only, lines[i].name) {
			continue
		}
		g.Go(func() error {
			r, err := l.line(ctx, i, clean)
			if most := allowed(clean, r.cuts); err == nil && float64(r.bytes) > most {
				err = fmt.Errorf("%d bytes, at most %.0f are allowed", r.bytes, most)
			}
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", lines[i].name, err)
			}
			results[i] = r
			return nil
		})
	}
	err := g.Wait()
	for i, r := range results[1:] {
		if r.syncs > 0 {
			fmt.Fprintln(stdout, lines[i+1].print(r, clean))
		}
	}
	return errors.Join(errors.Join(errs...), err)
}

// line takes an office through a night on one of the lines.
func (l *lab) line(ctx context.Context, number int, clean result) (out result, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	room, err := newRoom(g, byte(number))
	if err != nil {
		return out, err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	var now atomic.Pointer[quality]
	now.Store(&quality{Seed: l.seed})
	g.Go(func() error { return room.wire.run(ctx, func() quality { return *now.Load() }) })
	g.Go(func() error {
		defer end()
		defer room.Close()
		return relayed(ctx, room.outer+":0", l.node().API, func(ctx context.Context, r *relay) (err error) {
			out, err = l.through(ctx, number, r, room.Do, func() {
				q, t := lines[number].wire, trouble{}
				if q.Seed = l.seed; lines[number].relay != nil {
					t = lines[number].relay(clean.line)
				}
				r.begin(t)
				now.Store(&q)
			})
			return err
		})
	})
	return out, g.Wait()
}
