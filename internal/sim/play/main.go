// Command play runs the simulation: worlds of a few unions each, one seed after the other,
// until all unions asked for are played. It ends with the lines sim_union_years, sim_faults
// and sim_violations, and with exit code 1 when an invariant did not hold.
//
// Environment: SEED (first seed, default 1), UNIONS (in all, default 100), NIGHTS (of each,
// default 365), WORKERS (worlds at once, default one a processor), WORLD (unions in one
// world, default 4), CITY=1 (worlds of another shape: three weeks of a city of 100 unions with
// two PCs each, whose centre is restored from last week's backup), FEATURES (what may happen, see sim.ParseFeatures), TRACE=1 (the
// events of the worlds, on standard output) and STOP=1 (no more worlds after one that failed).
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"

	"unionsync/internal/sim"
)

func main() { os.Exit(run(os.Stdout, os.Stderr, os.Getenv)) }

func run(out, progress io.Writer, env func(string) string) int {
	c, err := campaignOf(env)
	if err != nil {
		fmt.Fprintln(progress, err)
		return 2
	}
	if name := env("CPUPROFILE"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			fmt.Fprintln(progress, err)
			return 2
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err == nil {
			defer pprof.StopCPUProfile()
		}
	}
	debug.SetGCPercent(gcPercent)
	c.out, c.progress = out, progress
	return c.run()
}

// gcPercent lets worlds, which live for seconds, collect seldom: there is memory enough.
const gcPercent = 800

func campaignOf(env func(string) string) (*campaign, error) {
	c := &campaign{features: sim.Full(), city: env("CITY") != ""}
	unionsInWorld := 4
	if c.city {
		unionsInWorld = 100
	}
	for _, n := range []struct {
		name string
		to   *int
		def  int
	}{{"UNIONS", &c.unions, 100}, {"NIGHTS", &c.nights, 365}, {"WORKERS", &c.workers, runtime.NumCPU()}, {"WORLD", &c.world, unionsInWorld}} {
		*n.to = n.def
		if s := env(n.name); s != "" {
			v, err := strconv.Atoi(s)
			if err != nil || v < 1 {
				return nil, fmt.Errorf("%s=%s is no number above 0", n.name, s)
			}
			*n.to = v
		}
	}
	c.seed = 1
	if s := env("SEED"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("SEED=%s is no number", s)
		}
		c.seed = v
	}
	f, ok := sim.ParseFeatures(env("FEATURES"))
	if !ok {
		return nil, fmt.Errorf("FEATURES=%s: unknown name", env("FEATURES"))
	}
	c.features, c.trace, c.stop = f, env("TRACE") != "", env("STOP") != ""
	return c, nil
}
