package main

import (
	"fmt"
	"strings"

	"unionsync/internal/sim"
)

// minimise plays a world that failed again, without one thing after another that may happen,
// and tells what is left of it that still fails: fewer kinds of faults, and no more nights
// than it takes.
func (c *campaign) minimise(r sim.Result) string {
	off := []string{}
	features, nights := c.features, r.Violations[0].Night
	for _, name := range sim.FeatureNames() {
		try := features
		try.Without(name)
		if try == features {
			continue
		}
		again, err := c.again(r.Seed, nights, try)
		if err == nil && len(again.Violations) > 0 && again.Violations[0].Night <= nights {
			features, nights, off = try, again.Violations[0].Night, append(off, "-"+name)
		}
	}
	return fmt.Sprintf("SEED=%d UNIONS=%d NIGHTS=%d FEATURES=%s make sim", r.Seed, c.world, max(nights, 1), strings.Join(off, ","))
}

func (c *campaign) again(seed uint64, nights int, f sim.Features) (sim.Result, error) {
	dir, err := sim.TempDir()
	if err != nil {
		return sim.Result{}, err
	}
	return sim.Run(sim.Options{Seed: seed, Unions: c.world, Nights: max(nights, 1), Dir: dir, Features: f, City: c.city})
}
