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
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// options are the flags.
type options struct {
	only  []string // figures to measure; empty: all
	runs  int      // repetitions of what is expensive
	quick bool     // small inputs: shows that every figure can be measured, and nothing else
	dir   string   // where the temporary folder is made: on the disk to be measured
}

const (
	defaultRuns = 5
	quickRuns   = 1
)

// Exit statuses.
const (
	statusGood    = 0
	statusMissing = 1 // a figure could not be measured
	statusUsage   = 2
)

// run is the program without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return statusGood
	case err != nil:
		return statusUsage
	}
	if err := measure(ctx, o, benches, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return statusMissing
	}
	return statusGood
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&only, "only", "", "measure only these `figures`, separated by commas")
	f.IntVar(&o.runs, "runs", 0, fmt.Sprintf("`repetitions` of each measurement (default %d)", defaultRuns))
	f.BoolVar(&o.quick, "quick", false, "small inputs and one repetition: only shows that every figure can be measured")
	f.StringVar(&o.dir, "dir", "", "make the temporary files in this `folder` (default the system's)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	err := o.check(f.Args())
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
	}
	return o, err
}

// check fills in defaults and refuses what means nothing.
func (o *options) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	for _, name := range o.only {
		if !slices.Contains(names(benches), name) {
			return fmt.Errorf("no figure %q; there are: %s", name, strings.Join(names(benches), " "))
		}
	}
	if o.runs < 0 {
		return fmt.Errorf("%d repetitions", o.runs)
	}
	if o.runs == 0 {
		o.runs = defaultRuns
		if o.quick {
			o.runs = quickRuns
		}
	}
	return nil
}

// measure runs the benches that are asked for and prints their figures as they come. One
// that fails does not keep the others from being measured.
func measure(ctx context.Context, o options, all []bench, stdout, stderr io.Writer) (err error) {
	began := time.Now()
	e, err := newEnv(o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	for _, b := range all {
		if !b.wanted(o.only) {
			continue
		}
		e.say("%s", strings.Join(b.names(), ", "))
		values, failed := b.run(ctx, e)
		if failed == nil {
			failed = b.print(stdout, o.only, values)
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", b.figures[0].name, failed))
		}
		if ctx.Err() != nil {
			return err
		}
	}
	e.say("done in %v", time.Since(began).Round(time.Second))
	return err
}
