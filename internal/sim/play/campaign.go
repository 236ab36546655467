package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"unionsync/internal/sim"
)

const nightsPerYear = 365

// campaign plays worlds with consecutive seeds.
type campaign struct {
	seed                           uint64
	unions, nights, workers, world int
	features                       sim.Features
	trace, stop, city              bool
	out, progress                  io.Writer

	mu     sync.Mutex // guards what follows
	lived  int
	played int
	faults int
	failed []sim.Result
	broken error
	events map[string]int
	told   time.Time
}

// maxMinimised bounds how many worlds that failed are made smaller.
const maxMinimised = 3

// run plays all worlds and prints the last lines. A world that fails does not end the others.
func (c *campaign) run() int {
	began := time.Now()
	c.events, c.told = map[string]int{}, began
	worlds := (c.unions + c.world - 1) / c.world
	next := make(chan int)
	var all sync.WaitGroup
	for range c.workers {
		all.Go(func() {
			for i := range next {
				r, err := c.playOne(i)
				c.done(r, err, worlds, began)
			}
		})
	}
	for i := range worlds {
		if c.stop && c.hasFailed() {
			break
		}
		next <- i
	}
	close(next)
	all.Wait()
	return c.report(began)
}

func (c *campaign) hasFailed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.failed) > 0 || c.broken != nil
}

func (c *campaign) size(i int) int { return min(c.world, c.unions-i*c.world) }

func (c *campaign) playOne(i int) (sim.Result, error) {
	dir, err := sim.TempDir()
	if err != nil {
		return sim.Result{}, err
	}
	o := sim.Options{Seed: c.seed + uint64(i), Unions: c.size(i), Nights: c.nights, Dir: dir, Features: c.features, City: c.city}
	if c.trace {
		o.Trace = c.out
	}
	r, err := sim.Run(o)
	if err != nil {
		err = fmt.Errorf("seed %d: %w", o.Seed, err)
		_ = os.RemoveAll(dir)
	}
	return r, err
}

func (c *campaign) done(r sim.Result, err error, worlds int, began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.played++
	c.lived += r.Nights
	c.faults += r.Faults
	for k, n := range r.Events {
		c.events[k] += n
	}
	if err != nil {
		c.broken = err
		fmt.Fprintln(c.progress, "the simulation itself failed:", err)
	}
	if len(r.Violations) > 0 {
		c.failed = append(c.failed, r)
		fmt.Fprintf(c.progress, "seed %d, night %d: %s\n  repeat: SEED=%d UNIONS=%d NIGHTS=%d make sim\n", r.Seed, r.Violations[0].Night, r.Violations[0].What, r.Seed, c.world, c.nights)
	}
	if time.Since(c.told) > 10*time.Second {
		c.told = time.Now()
		fmt.Fprintf(c.progress, "%d of %d worlds, %.1f union-years, %d faults, %d violations, %.0f s\n", c.played, worlds,
			float64(c.lived)/nightsPerYear, c.faults, len(c.failed), time.Since(began).Seconds())
	}
}

func (c *campaign) report(began time.Time) int {
	for _, k := range slices.Sorted(maps.Keys(c.events)) {
		fmt.Fprintf(c.progress, "  %8d %s\n", c.events[k], k)
	}
	fmt.Fprintf(c.progress, "%.1f s\n", time.Since(began).Seconds())
	slices.SortFunc(c.failed, func(a, b sim.Result) int { return int(a.Seed) - int(b.Seed) })
	for _, r := range c.failed[:min(len(c.failed), maxMinimised)] {
		if !c.stop {
			fmt.Fprintf(c.progress, "seed %d fails with less: %s\n", r.Seed, c.minimise(r))
		}
	}
	for _, r := range c.failed {
		fmt.Fprintf(c.out, "FAILED seed %d: %s\nrepeat: SEED=%d UNIONS=%d NIGHTS=%d make sim\n", r.Seed, r.Violations[0].What, r.Seed, c.world, c.nights)
	}
	fmt.Fprintf(c.out, "sim_union_years %d\nsim_faults %d\nsim_violations %d\n", c.lived/nightsPerYear, c.faults, len(c.failed))
	if len(c.failed) > 0 || c.broken != nil {
		return 1
	}
	return 0
}
