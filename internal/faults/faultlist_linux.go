package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// agents is the agents' place in the hub.
const agents = 0

// faults are all that the nemesis does. The network first, then processes, disks and clocks.
var faults = []fault{
	cutting("isolate-leader", true, func(n *nemesis) [][2]int { return n.apart(n.leader) }),
	cutting("isolate-follower", true, func(n *nemesis) [][2]int { return n.apart(n.others[0]) }),
	cutting("lose-leader", true, func(n *nemesis) [][2]int { return append(n.apart(n.leader), both(agents, n.leader.place)...) }),
	cutting("lose-follower", true, func(n *nemesis) [][2]int { return append(n.apart(n.others[0]), both(agents, n.others[0].place)...) }),
	cutting("leader-deaf", true, func(n *nemesis) [][2]int { return n.way(n.leader, false) }),
	cutting("leader-dumb", true, func(n *nemesis) [][2]int { return n.way(n.leader, true) }),
	cutting("follower-deaf", true, func(n *nemesis) [][2]int { return n.way(n.others[0], false) }),
	cutting("follower-dumb", true, func(n *nemesis) [][2]int { return n.way(n.others[0], true) }),
	cutting("bridge-leader-in", true, func(n *nemesis) [][2]int { return both(n.others[0].place, n.others[1].place) }),
	cutting("bridge-leader-end", true, func(n *nemesis) [][2]int { return both(n.leader.place, n.others[0].place) }),
	cutting("bridge-one-way", true, func(n *nemesis) [][2]int { return [][2]int{{n.leader.place, n.others[0].place}} }),
	cutting("ring-one-way", false, func(*nemesis) [][2]int { return [][2]int{{1, 3}, {3, 2}, {2, 1}} }),
	cutting("all-apart", false, func(n *nemesis) [][2]int {
		return append(n.apart(n.leader), both(n.others[0].place, n.others[1].place)...)
	}),
	cutting("agents-see-one", true, func(n *nemesis) [][2]int {
		return append(both(agents, n.leader.place), both(agents, n.others[0].place)...)
	}),
	cutting("agents-see-leader", true, func(n *nemesis) [][2]int {
		return append(both(agents, n.others[0].place), both(agents, n.others[1].place)...)
	}),
	cutting("agents-cut", false, func(n *nemesis) [][2]int {
		return append(append(both(agents, 1), both(agents, 2)...), both(agents, 3)...)
	}),
	{name: "loss", begin: func(n *nemesis, _ context.Context) (func() error, error) {
		n.net.set(&rules{loss: 0.02 + 0.2*n.dice.Float64()})
		return n.netHeals, nil
	}},
	{name: "delay", begin: func(n *nemesis, _ context.Context) (func() error, error) {
		n.net.set(&rules{delay: n.between(20*time.Millisecond, 400*time.Millisecond)})
		return n.netHeals, nil
	}},
	{name: "flapping", begin: (*nemesis).flap},

	{name: "kill-leader", serves: true, begin: killing(false, func(n *nemesis) []*node { return []*node{n.leader} })},
	{name: "kill-follower", serves: true, begin: killing(false, func(n *nemesis) []*node { return n.others[:1] })},
	{name: "kill-majority", begin: killing(false, func(n *nemesis) []*node { return []*node{n.leader, n.others[0]} })},
	{name: "kill-all", begin: killing(false, func(n *nemesis) []*node { return n.nodes })},
	{name: "kill-again", begin: (*nemesis).killAgain},
	{name: "stop-leader", serves: true, begin: (*nemesis).stopLeader},
	{name: "pause-leader", serves: true, begin: stopping(func(n *nemesis) []*node { return []*node{n.leader} })},
	{name: "pause-follower", serves: true, begin: stopping(func(n *nemesis) []*node { return n.others[:1] })},
	{name: "pause-majority", begin: stopping(func(n *nemesis) []*node { return []*node{n.leader, n.others[0]} })},
	{name: "pause-all", begin: stopping(func(n *nemesis) []*node { return n.nodes })},
	{name: "stutter-leader", begin: (*nemesis).stutter},

	{name: "power-leader", disk: true, serves: true, begin: killing(true, func(n *nemesis) []*node { return []*node{n.leader} })},
	{name: "power-follower", disk: true, serves: true, begin: killing(true, func(n *nemesis) []*node { return n.others[:1] })},
	{name: "power-all", disk: true, begin: killing(true, func(n *nemesis) []*node { return n.nodes })},
	{name: "full-leader", disk: true, ends: true, begin: filling(false, func(n *nemesis) []*node { return []*node{n.leader} })},
	{name: "full-restart", disk: true, ends: true, begin: filling(true, func(n *nemesis) []*node { return []*node{n.any()} })},
	{name: "full-all", disk: true, ends: true, begin: filling(true, func(n *nemesis) []*node { return n.nodes })},
	{name: "slow-leader", disk: true, begin: slowing(func(n *nemesis) []*node { return []*node{n.leader} })},
	{name: "slow-follower", disk: true, serves: true, begin: slowing(func(n *nemesis) []*node { return n.others[:1] })},
	{name: "slow-all", disk: true, begin: slowing(func(n *nemesis) []*node { return n.nodes })},
	{name: "hang-leader", disk: true, begin: hanging(func(n *nemesis) []*node { return []*node{n.leader} })},
	{name: "hang-follower", disk: true, serves: true, begin: hanging(func(n *nemesis) []*node { return n.others[:1] })},

	{name: "clock-leader", serves: true, begin: setting(func(n *nemesis) []*node { return []*node{n.leader} })},
	{name: "clock-follower", serves: true, begin: setting(func(n *nemesis) []*node { return n.others[:1] })},
	{name: "clock-all", serves: true, begin: setting(func(n *nemesis) []*node { return n.nodes })},
}

// apart cuts a node from the other nodes.
func (n *nemesis) apart(x *node) (out [][2]int) {
	for _, o := range n.nodes {
		if o != x {
			out = append(out, both(x.place, o.place)...)
		}
	}
	return out
}

// way cuts one direction between a node and the other nodes: what it says, or what it hears.
func (n *nemesis) way(x *node, says bool) (out [][2]int) {
	for _, o := range n.nodes {
		switch {
		case o == x:
		case says:
			out = append(out, [2]int{x.place, o.place})
		default:
			out = append(out, [2]int{o.place, x.place})
		}
	}
	return out
}

// flap cuts one node off and joins it again, for moments.
func (n *nemesis) flap(ctx context.Context) (func() error, error) {
	for range 4 + n.dice.IntN(6) {
		n.net.set(between(n.apart(n.any())...))
		pause(ctx, n.between(100*time.Millisecond, 1500*time.Millisecond))
		n.net.set(nil)
		pause(ctx, n.between(50*time.Millisecond, 800*time.Millisecond))
	}
	return n.netHeals, nil
}

// killing ends nodes with SIGKILL; with a power cut their disks lose what was not fsynced.
// They start again when it heals.
func killing(power bool, which func(*nemesis) []*node) func(*nemesis, context.Context) (func() error, error) {
	return func(n *nemesis, _ context.Context) (func() error, error) {
		all := which(n)
		var errs []error
		for _, x := range all {
			errs = append(errs, x.kill())
		}
		for _, x := range all {
			if power && errors.Join(errs...) == nil {
				errs = append(errs, x.disk.cutPower())
			}
		}
		return func() error { return nil }, errors.Join(errs...)
	}
}

// killAgain kills a node a moment after each of its starts: in the middle of catching up.
func (n *nemesis) killAgain(ctx context.Context) (func() error, error) {
	x := n.any()
	for range 3 {
		if err := x.kill(); err != nil {
			return nil, err
		}
		if err := x.launch(); err != nil {
			return nil, err
		}
		pause(ctx, n.between(50*time.Millisecond, 2*time.Second))
	}
	return func() error { return nil }, x.kill()
}

// stopPatience is how long a node may take to end in order: less than its systemd unit gives it.
const stopPatience = 45 * time.Second

// stopLeader stops it in order, as for an upgrade. One that does not end breaks a promise; where
// it hangs is in its log then.
func (n *nemesis) stopLeader(context.Context) (func() error, error) {
	n.leader.down = true
	if err := n.leader.StopWithin(stopPatience); err != nil {
		n.history.broke("%s did not end in order: %v", n.leader.ID, err)
	}
	return func() error { return nil }, nil
}

// stopping lets processes stand still.
func stopping(which func(*nemesis) []*node) func(*nemesis, context.Context) (func() error, error) {
	return func(n *nemesis, _ context.Context) (func() error, error) {
		all := which(n)
		return func() error { return send(all, syscall.SIGCONT) }, send(all, syscall.SIGSTOP)
	}
}

func send(all []*node, s os.Signal) error {
	var errs []error
	for _, x := range all {
		errs = append(errs, x.Signal(s))
	}
	return errors.Join(errs...)
}

// stutter lets the leader stand still for moments, just below and above a heartbeat.
func (n *nemesis) stutter(ctx context.Context) (func() error, error) {
	x := []*node{n.leader}
	for range 4 {
		if err := send(x, syscall.SIGSTOP); err != nil {
			return nil, err
		}
		pause(ctx, n.between(300*time.Millisecond, 3*time.Second))
		if err := send(x, syscall.SIGCONT); err != nil {
			return nil, err
		}
		pause(ctx, n.between(50*time.Millisecond, 500*time.Millisecond))
	}
	return func() error { return nil }, nil
}

// nearlyFull is how much is left on a disk while it fills up: enough for nobody.
const nearlyFull = 60 << 20

// filling takes all room on disks: nearly all, and a moment later the rest, as a disk that
// fills up. With again the nodes are killed then and started without room.
func filling(again bool, which func(*nemesis) []*node) func(*nemesis, context.Context) (func() error, error) {
	return func(n *nemesis, ctx context.Context) (func() error, error) {
		all := which(n)
		var errs []error
		for _, x := range all {
			errs = append(errs, x.disk.fill(nearlyFull))
		}
		pause(ctx, n.between(2*time.Second, 6*time.Second))
		for _, x := range all {
			errs = append(errs, x.disk.fill(0))
			if again {
				errs = append(errs, x.kill(), x.launch())
			}
		}
		return func() error {
			var errs []error
			for _, x := range all {
				errs = append(errs, x.disk.free())
			}
			return errors.Join(errs...)
		}, errors.Join(errs...)
	}
}

// slowing makes disks slow: nearly every write waits for some time.
func slowing(which func(*nemesis) []*node) func(*nemesis, context.Context) (func() error, error) {
	return func(n *nemesis, ctx context.Context) (func() error, error) {
		all := which(n)
		frozen := n.between(50*time.Millisecond, 600*time.Millisecond)
		for range 6 + n.dice.IntN(10) {
			if err := freeze(all); err != nil {
				return nil, err
			}
			pause(ctx, frozen)
			if err := thaw(all); err != nil {
				return nil, err
			}
			pause(ctx, 10*time.Millisecond)
		}
		return func() error { return nil }, nil
	}
}

// hanging lets disks hang for seconds.
func hanging(which func(*nemesis) []*node) func(*nemesis, context.Context) (func() error, error) {
	return func(n *nemesis, _ context.Context) (func() error, error) {
		all := which(n)
		return func() error { return thaw(all) }, freeze(all)
	}
}

func freeze(all []*node) error {
	for _, x := range all {
		if err := x.disk.freeze(); err != nil {
			return errors.Join(err, thaw(all))
		}
	}
	return nil
}

func thaw(all []*node) error {
	var errs []error
	for _, x := range all {
		errs = append(errs, x.disk.thaw())
	}
	return errors.Join(errs...)
}

// offsets to which clocks jump. The centre's time never falls: what it once was stays, so
// none of them is far ahead of the time at which codes and confirmations end.
var offsets = []time.Duration{-400 * 24 * time.Hour, -36 * time.Hour, -90 * time.Minute, -7 * time.Second, 7 * time.Second, 90 * time.Minute, 36 * time.Hour}

// setting lets clocks jump, each by itself, and back.
func setting(which func(*nemesis) []*node) func(*nemesis, context.Context) (func() error, error) {
	return func(n *nemesis, _ context.Context) (func() error, error) {
		all := which(n)
		var errs []error
		for _, x := range all {
			offset := offsets[n.dice.IntN(len(offsets))]
			errs = append(errs, os.WriteFile(x.clock, []byte(offset.String()), 0o600))
		}
		return func() error {
			var errs []error
			for _, x := range all {
				errs = append(errs, os.Remove(x.clock))
			}
			return errors.Join(errs...)
		}, errors.Join(errs...)
	}
}
