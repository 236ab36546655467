package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"unionsync/internal/proc"
)

// patience bounds a demo that ends by itself.
const patience = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Stdout, os.Getenv("DEMO") == "once")
	stop()
	os.Exit(status)
}

// run is the demo from the first to the last line; it leaves neither process nor file.
func run(ctx context.Context, out io.Writer, once bool) int {
	d, err := newDemo(out)
	if err == nil {
		err = d.play(ctx)
		if err == nil && !once {
			d.stay(ctx)
		}
		d.explain(ctx, err)
		err = errors.Join(err, d.close())
	}
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)):
		fmt.Fprintln(out, "\nStopped; all processes have ended and the demo's folder is removed.")
		return interrupted(once)
	case err != nil:
		fmt.Fprintf(out, "\nFAILED: %v\n", err)
		return 1
	}
	return 0
}

// interrupted is the exit status after Ctrl-C, which is how a demo that stays up ends.
func interrupted(once bool) int {
	if once {
		return 130
	}
	return 0
}

// demo is a run of the demo.
type demo struct {
	out     io.Writer
	began   time.Time
	root    string // of the module
	dir     string // all that the demo writes, but for the programs
	step    int
	checked int
	proved  []string

	programs proc.Programs
	town     *town
	centre   *proc.Centre
	pcs      []*pc // in the order of town.offices
}

// pc is an office's PC.
type pc struct {
	*proc.Agent
	office  *office
	saved   int // changes that its clerk has saved
	records int // records that they come to
}

func newDemo(out io.Writer) (*demo, error) {
	root, err := proc.Root()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "unionsync-demo-")
	if err != nil {
		return nil, fmt.Errorf("make the demo's folder: %w", err)
	}
	return &demo{out: out, began: time.Now(), root: root, dir: dir}, nil
}

// play runs the steps until one fails.
func (d *demo) play(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, step := range []func(context.Context) error{
		d.build, d.startCentre, d.loadTree, d.enrol, d.dryRun, d.apply, d.firstSync,
		d.offline, d.takeAway, d.bringBack, d.killLeader, d.bringNode, d.idle, d.picture,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.summary()
	return nil
}

// stay keeps the centre up until Ctrl-C.
func (d *demo) stay(ctx context.Context) {
	d.tryNext()
	<-ctx.Done()
}

// close ends the processes and removes the folder.
func (d *demo) close() error {
	var err error
	if d.centre != nil {
		err = d.centre.Stop()
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

// explain shows the end of each node's log if something went wrong.
func (d *demo) explain(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil || d.centre == nil {
		return
	}
	for _, n := range d.centre.Nodes {
		fmt.Fprintf(d.out, "\n--- the end of %s ---\n%s\n", filepath.Base(n.Log), n.Tail(12))
	}
}
