package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/proc"
)

// lab is one run.
type lab struct {
	o        options
	dir      string
	began    time.Time
	stdout   io.Writer
	progress io.Writer
	centre   *proc.Centre
	city     *city
	pcs      []*pc
}

const (
	nodes  = 3
	atOnce = 64 // PCs that sync at a time
)

// heartbeat is what the documentation says for machines that are busy: three nodes and all
// PCs share two processors here.
const heartbeat = "3s"

func newLab(o options, stdout, stderr io.Writer) (*lab, error) {
	dir, err := os.MkdirTemp(o.dir, "unionsync-citynight-")
	if err != nil {
		return nil, fmt.Errorf("make the temporary folder: %w", err)
	}
	if err := os.Setenv("UNIONSYNC_HEARTBEAT", heartbeat); err != nil {
		return nil, fmt.Errorf("set the nodes' heartbeat: %w", err)
	}
	return &lab{o: o, dir: dir, began: time.Now(), stdout: stdout, progress: stderr}, nil
}

func (l *lab) measure(ctx context.Context) error {
	steps := []func(context.Context) error{l.start, l.enrol, l.night, l.idle, l.stampede}
	if l.o.only == "night" {
		steps = steps[:4]
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start builds the programs and begins the centre.
func (l *lab) start(ctx context.Context) error {
	programs := proc.Programs{Server: l.o.server}
	if l.o.server == "" {
		l.say("building the programs")
		root, err := proc.Root()
		if err != nil {
			return err
		}
		if programs, err = proc.Build(ctx, root, l.dir); err != nil {
			return err
		}
	}
	l.say("starting %d nodes", nodes)
	var err error
	if l.centre, err = proc.NewCentre(programs, filepath.Join(l.dir, "centre"), nodes); err != nil {
		return err
	}
	if err := l.centre.Create(ctx); err != nil {
		return err
	}
	var urls []string
	for _, n := range l.centre.Nodes {
		urls = append(urls, n.URL())
	}
	l.city, err = openCity(l.centre.Nodes[0].Data, urls)
	return err
}

// enrol makes the PCs, and lets each deliver its first members.
func (l *lab) enrol(ctx context.Context) error {
	l.say("making %d PCs", l.o.unions)
	l.pcs = make([]*pc, l.o.unions)
	if err := parallel(ctx, runtime.NumCPU(), l.o.unions, func(_ context.Context, i int) (err error) {
		l.pcs[i], err = l.city.newPC(i)
		return err
	}); err != nil {
		return err
	}
	l.say("they deliver their first members")
	return parallel(ctx, atOnce, l.o.unions, func(ctx context.Context, i int) error { return l.pcs[i].deliver(ctx) })
}

// parallel does n pieces of work, so many at a time, until one fails.
func parallel(ctx context.Context, workers, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

func (l *lab) close() error {
	var errs []error
	if l.centre != nil {
		errs = append(errs, l.centre.Kill())
	}
	return errors.Join(append(errs, os.RemoveAll(l.dir))...)
}

// say reports progress.
func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(l.progress, "%6.1fs  %s\n", time.Since(l.began).Seconds(), fmt.Sprintf(format, args...))
}

// print prints a figure.
func (l *lab) print(name string, value float64, unit string) error {
	text := strconv.FormatFloat(value, 'f', 2, 64)
	if value >= 100 || unit == "n" {
		text = strconv.FormatFloat(value, 'f', 0, 64)
	}
	_, err := fmt.Fprintln(l.stdout, name, text, unit)
	return err
}
