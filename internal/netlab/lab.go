package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// lab is a centre, and the offices that sync with it.
type lab struct {
	dir      string
	seed     uint64
	night    size
	began    time.Time
	programs proc.Programs
	centre   *proc.Centre
	city     *testcity.City

	mu  sync.Mutex
	err io.Writer // guarded by mu
}

// newLab makes a centre of one node for as many unions as there are lines. Nothing runs yet.
func newLab(ctx context.Context, seed uint64, unions int, night size, stderr io.Writer) (*lab, error) {
	dir, err := os.MkdirTemp("", "unionsync-net-")
	if err != nil {
		return nil, fmt.Errorf("make the temporary folder: %w", err)
	}
	l := &lab{dir: dir, seed: seed, night: night, began: time.Now(), err: stderr}
	l.city = testcity.New(seed, testcity.Options{
		Counties: 1, Unions: unions, Members: membersFactor * (night.roster + night.fresh), Ended: 1, Transfers: 1, Twice: 1,
	})
	root, err := proc.Root()
	if err == nil {
		l.programs, err = proc.Build(ctx, root, dir)
	}
	if err == nil {
		l.centre, err = proc.NewCentre(l.programs, filepath.Join(dir, "centre"), 1)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// membersFactor makes the smallest union of a city large enough.
const membersFactor = 4

// start starts the centre and gives it its unions. Agents reach it at the address that it
// advertises; empty: at its own.
func (l *lab) start(ctx context.Context, advertise string) error {
	l.node().Advertise = advertise
	if err := l.centre.Create(ctx); err != nil {
		return err
	}
	b, err := testcity.Encode(l.city.OrgTable(), testcity.CSV)
	if err != nil {
		return err
	}
	file := filepath.Join(l.dir, "units.csv")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return fmt.Errorf("write the tree: %w", err)
	}
	return l.node().Ask(ctx, nil, "org", "import", file)
}

func (l *lab) node() *proc.Node { return l.centre.Nodes[0] }

// close ends the centre and removes what was written.
func (l *lab) close() error {
	var err error
	if l.centre != nil {
		err = l.centre.Kill()
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}

// say reports progress.
func (l *lab) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.err, "%5.1fs  %s\n", time.Since(l.began).Seconds(), fmt.Sprintf(format, args...))
}

// through takes the number-th office through a night. The line is good until bad is called.
func (l *lab) through(ctx context.Context, number int, r *relay, in func(func() error) error, bad func()) (result, error) {
	dir := filepath.Join(l.dir, fmt.Sprintf("office-%d", number))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return result{}, err
	}
	o, err := newOffice(ctx, l.programs, l.node(), dir, &l.city.Rosters[number], l.night, r.url(), in)
	if err == nil {
		err = o.work(ctx, dir)
	}
	if err != nil {
		return result{}, err
	}
	bad()
	out, err := o.night(ctx, l.say)
	out.cuts, out.line = r.cuts.Load(), r.bytes.Load()
	return out, err
}

// relayed runs what uses a relay.
func relayed(ctx context.Context, at, target string, use func(ctx context.Context, r *relay) error) error {
	r, err := newRelay(at, target)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.run(ctx) })
	g.Go(func() error {
		defer cancel()
		return use(ctx, r)
	})
	return g.Wait()
}
