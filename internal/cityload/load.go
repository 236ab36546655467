package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
	city     *city
	centre   *proc.Centre
	memory   *memory
}

const nodes = 3

// heartbeat is what the documentation says for machines that are busy: three nodes and their clients
// share two processors here.
const heartbeat = "3s"

// load makes all measurements, in an order in which each finds what it needs.
func load(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp(o.dir, "unionsync-cityload-")
	if err != nil {
		return fmt.Errorf("make the temporary folder: %w", err)
	}
	l := &lab{o: o, dir: dir, began: time.Now(), stdout: stdout, progress: stderr, memory: newMemory()}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := os.Setenv("UNIONSYNC_HEARTBEAT", heartbeat); err != nil {
		return fmt.Errorf("set the nodes' heartbeat: %w", err)
	}
	if err := l.start(ctx); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.memory.watch(watching) })
	g.Go(func() error {
		defer stop()
		return l.measure(ctx)
	})
	return g.Wait()
}

func (l *lab) measure(ctx context.Context) error {
	for _, s := range []struct {
		figure string
		do     func(context.Context) error
	}{
		{"city_ingest", l.ingest}, {"city_restart", l.restart}, {"city_snapshot", l.snapshot},
		{"city_install", l.install}, {"city_rss", l.leave}, {"city_plain", l.plain},
	} {
		if len(l.o.only) > 0 && !slices.Contains(l.o.only, s.figure) {
			continue
		}
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.figure, err)
		}
	}
	return nil
}

// start builds the programs, begins the centre and writes the requests.
func (l *lab) start(ctx context.Context) error {
	programs, err := l.programs(ctx)
	if err != nil {
		return err
	}
	l.say("starting %d nodes", nodes)
	if l.centre, err = proc.NewCentre(programs, filepath.Join(l.dir, "centre"), nodes); err != nil {
		return err
	}
	if err := l.centre.Create(ctx); err != nil {
		return err
	}
	if l.city, err = newCity(l.o.unions, l.centre.Nodes[0].Data, l.requestFile()); err != nil {
		return err
	}
	if err := l.city.greet(ctx, l.centre.Nodes[0].URL()); err != nil {
		return err
	}
	l.say("inventing %d members in %d unions", l.city.records/recordsOf, l.o.unions)
	return l.city.write(ctx, runtime.NumCPU())
}

// programs builds the programs, unless there are some.
func (l *lab) programs(ctx context.Context) (proc.Programs, error) {
	if l.o.server != "" {
		return proc.Programs{Server: l.o.server}, nil
	}
	l.say("building the programs")
	root, err := proc.Root()
	if err != nil {
		return proc.Programs{}, err
	}
	return proc.Build(ctx, root, l.dir)
}

func (l *lab) requestFile() string { return filepath.Join(l.dir, "requests") }

func (l *lab) close() error {
	var errs []error
	if l.centre != nil {
		errs = append(errs, l.centre.Kill())
	}
	if l.city != nil {
		errs = append(errs, l.city.close())
	}
	return errors.Join(append(errs, os.RemoveAll(l.dir))...)
}

// say reports progress.
func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(l.progress, "%6.1fs  %s\n", time.Since(l.began).Seconds(), fmt.Sprintf(format, args...))
}

// print prints a figure.
func (l *lab) print(name string, value float64, unit string) error {
	if math.IsNaN(value) || math.IsInf(value, 0) || value <= 0 {
		return fmt.Errorf("%s was not measured: %v", name, value)
	}
	text := strconv.FormatFloat(value, 'f', 2, 64)
	if value >= 100 {
		text = strconv.FormatFloat(value, 'f', 0, 64)
	}
	_, err := fmt.Fprintln(l.stdout, name, text, unit)
	return err
}
