package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"unionsync/internal/proc"
)

// Bounds of a fault's life.
const (
	shortest    = 1500 * time.Millisecond
	longest     = 9 * time.Second
	gapPatience = 60 * time.Second // for the next accepted exchange
	allowedGap  = 10 * time.Second
	settleMost  = 1500 * time.Millisecond // between two faults
)

// nemesis does one fault after the other.
type nemesis struct {
	*lab
	dice *rand.Rand
	only []string // names of faults; empty: all

	leader *node   // when the fault begins; never nil
	others []*node // the others, in a random order

	count int
	by    map[string]int
	worst time.Duration
	down  int // faults during which nothing was accepted though a majority should have worked
}

// fault is something that happens to machines.
type fault struct {
	name string
	// begin does it and gives what ends it. It may take long itself.
	begin func(n *nemesis, ctx context.Context) (heal func() error, err error)
	// disk: it needs disks that can be frozen. ends: a node may end by itself.
	disk, ends bool
	// serves: a majority of nodes works and is reached by agents all the time, so that after
	// an election exchanges are accepted while the fault lasts.
	serves bool
}

// run does faults until the time is over, at least one of each kind chosen; the end of ctx
// ends it early.
func (n *nemesis) run(ctx context.Context, until time.Duration, disks bool) error {
	n.by = map[string]int{}
	var bag []fault
	for ctx.Err() == nil && n.history.now() < until {
		if len(bag) == 0 {
			bag = n.shuffled(disks)
			if len(bag) == 0 {
				return fmt.Errorf("no such fault: %s", strings.Join(n.only, ","))
			}
		}
		f := bag[0]
		bag = bag[1:]
		if err := n.one(ctx, f); err != nil {
			return fmt.Errorf("fault %s: %w", f.name, err)
		}
		pause(ctx, time.Duration(n.dice.Int64N(int64(settleMost))))
	}
	return nil
}

// shuffled gives all faults once, in a random order.
func (n *nemesis) shuffled(disks bool) []fault {
	var out []fault
	for _, f := range faults {
		wanted := len(n.only) == 0
		for _, name := range n.only {
			wanted = wanted || name == f.name
		}
		if wanted && (disks || !f.disk) {
			out = append(out, f)
		}
	}
	n.dice.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// one does one fault, heals it, and waits until the centre is well again.
func (n *nemesis) one(ctx context.Context, f fault) error {
	if err := n.choose(ctx); err != nil {
		return err
	}
	began := n.history.now()
	heal, err := f.begin(n, ctx)
	if err != nil {
		return err
	}
	pause(ctx, n.between(shortest, longest))
	err = heal()
	healed := n.history.now()
	if err != nil {
		return err
	}
	for _, x := range n.nodes {
		if err := n.restart(x, f.ends); err != nil {
			return err
		}
	}
	gap, err := n.gap(ctx, healed)
	if err != nil {
		return err
	}
	if err := n.whole(ctx, f.ends); err != nil && ctx.Err() == nil {
		return err
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the run is over: what was under way counts for nothing
	}
	n.count++
	n.by[f.name]++
	n.worst = max(n.worst, gap)
	served := n.history.acceptedIn(began, healed)
	if f.serves && served == 0 && healed-began > 8*time.Second {
		n.down++
	}
	n.say("%3d %-16s leader %s  %4.1f s, %3d accepted in it; next after %4.1f s; whole after %4.1f s", n.count, f.name, n.leader.ID,
		(healed - began).Seconds(), served, gap.Seconds(), (n.history.now() - healed).Seconds())
	return nil
}

// choose looks who leads.
func (n *nemesis) choose(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	return proc.Poll(ctx, "a leader", func() error {
		if n.leader = n.lab.leader(ctx); n.leader == nil {
			return fmt.Errorf("no node says that it leads")
		}
		n.others = nil
		for _, i := range n.dice.Perm(len(n.nodes)) {
			if n.nodes[i] != n.leader {
				n.others = append(n.others, n.nodes[i])
			}
		}
		return nil
	})
}

// gap waits for an exchange that was begun after the fault was healed and accepted.
func (n *nemesis) gap(ctx context.Context, healed time.Duration) (time.Duration, error) {
	wait, cancel := context.WithTimeout(ctx, gapPatience)
	defer cancel()
	for wait.Err() == nil {
		if end, ok := n.history.acceptedSince(healed); ok {
			return end - healed, nil
		}
		pause(wait, 20*time.Millisecond)
	}
	if ctx.Err() != nil {
		return 0, nil
	}
	return 0, fmt.Errorf("no exchange was accepted in %v after it was healed", gapPatience)
}

func (n *nemesis) between(least, most time.Duration) time.Duration {
	return least + time.Duration(n.dice.Int64N(int64(most-least)))
}

// any gives one of the nodes.
func (n *nemesis) any() *node { return n.nodes[n.dice.IntN(len(n.nodes))] }

// cutting is a fault that cuts directions of the network.
func cutting(name string, serves bool, pairs func(n *nemesis) [][2]int) fault {
	return fault{name: name, serves: serves, begin: func(n *nemesis, _ context.Context) (func() error, error) {
		n.net.set(between(pairs(n)...))
		return n.netHeals, nil
	}}
}

func (n *nemesis) netHeals() error {
	n.net.set(nil)
	return nil
}
