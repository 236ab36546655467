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
	"strconv"
	"strings"
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
	results := make([]result, len(all))
	var g errgroup.Group
	g.SetLimit(jobs)
	done := make(chan int, len(all))
	for i, m := range all {
		if !strings.Contains(m.Name, env("ONLY")) {
			done <- -1
			continue
		}
		g.Go(func() error {
			began := time.Now()
			results[i] = m.plant(ctx)
			results[i].took = time.Since(began)
			done <- i
			return nil
		})
	}
	planted, caught := 0, 0
	for range all {
		i := <-done
		if i < 0 {
			continue
		}
		planted++
		if results[i].caught {
			caught++
		}
		fmt.Fprintln(out, results[i].line(all[i]))
	}
	_ = g.Wait() // nothing in it fails
	fmt.Fprintf(out, "mutants %d\nmutants_caught %d\n", planted, caught)
	if caught < planted || planted == 0 {
		return 1
	}
	return 0
}
