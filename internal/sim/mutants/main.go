// Command mutants audits the auditor: it plants one fault after the other into the product,
// in an overlay that leaves the files alone, and plays the simulation or runs the tests that
// must find it. mutants.txt lists the faults and who must find them.
//
// Environment: ONLY (a part of the name of the faults to be planted; default all), JOBS
// (faults at once, default one a processor).
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Stdout, os.Getenv)
	stop()
	os.Exit(status)
}

func run(ctx context.Context, out io.Writer, env func(string) string) int {
	all, err := load()
	if err != nil {
		fmt.Fprintln(out, err)
		return 2
	}
	jobs, err := strconv.Atoi(cmp.Or(env("JOBS"), strconv.Itoa(runtime.NumCPU())))
	if err != nil || jobs < 1 {
		fmt.Fprintln(out, "JOBS is no number above 0")
		return 2
	}
	all = slices.DeleteFunc(all, func(m mutant) bool { return !strings.Contains(m.Name, env("ONLY")) })
	if err := soundAll(ctx, all, out); err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	var g errgroup.Group
	g.SetLimit(jobs)
	var mu sync.Mutex // guards what follows, and the output
	planted, caught := 0, 0
	for _, m := range all {
		g.Go(func() error {
			began := time.Now()
			r := m.plant(ctx)
			r.took = time.Since(began)
			mu.Lock()
			defer mu.Unlock()
			planted++
			if r.caught {
				caught++
			}
			fmt.Fprintln(out, r.line(m))
			return nil
		})
	}
	_ = g.Wait() // nothing in it fails
	fmt.Fprintf(out, "mutants %d\nmutants_caught %d\n", planted, caught)
	if caught < planted || planted == 0 {
		return 1
	}
	return 0
}

// soundAll lets every catcher run once on the product as it is.
func soundAll(ctx context.Context, all []mutant, out io.Writer) error {
	seen := map[string]bool{}
	for _, m := range all {
		key := fmt.Sprint(m.By, m.Run, m.Args, m.Seed, m.Unions, m.Nights)
		if seen[key] {
			continue
		}
		seen[key] = true
		began := time.Now()
		if err := m.sound(ctx); err != nil {
			return err
		}
		fmt.Fprintf(out, "sound    %-44s    %-22s %4.0f s\n", m.Run, m.By, time.Since(began).Seconds())
	}
	return nil
}
