package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// night measures a night in which every union has five changes.
func (l *lab) night(ctx context.Context) error {
	if err := l.edit(1); err != nil {
		return err
	}
	leader, err := l.centre.Leader(ctx)
	if err != nil {
		return err
	}
	profile := l.beginProfile(ctx, leader.Data, "night")
	before, err := l.cpu()
	if err != nil {
		return err
	}
	took, each, err := l.syncAll(ctx)
	if err != nil {
		return err
	}
	after, err := l.cpu()
	if err != nil {
		return err
	}
	if err := profile(); err != nil {
		return err
	}
	n := float64(l.o.unions)
	for _, node := range l.centre.Nodes {
		role := "follower"
		if node == leader {
			role = "leader"
		}
		l.say("%s (%s): %.2f ms of processor a union", node.ID, role, milliseconds(after[node.PID()]-before[node.PID()])/n)
	}
	l.say("the PCs: %.2f ms of processor a union; all of it in %v, median %v", milliseconds(after[0]-before[0])/n, took.Round(time.Millisecond), each[len(each)/2])
	for _, f := range []struct {
		name  string
		value float64
		unit  string
	}{
		{"night", n / took.Seconds(), "unions/s"},
		{"night_p99", milliseconds(each[len(each)*99/100]), "ms"},
		{"night_cpu", milliseconds(after[leader.PID()]-before[leader.PID()]) / n, "ms"},
	} {
		if err := l.print(f.name, f.value, f.unit); err != nil {
			return err
		}
	}
	return nil
}

// idle measures a night in which nobody has anything to do.
func (l *lab) idle(ctx context.Context) error {
	leader, err := l.centre.Leader(ctx)
	if err != nil {
		return err
	}
	profile := l.beginProfile(ctx, leader.Data, "idle")
	took, each, err := l.syncAll(ctx)
	if err != nil {
		return err
	}
	if err := profile(); err != nil {
		return err
	}
	l.say("nothing to do: all of it in %v, median %v, p99 %v", took.Round(time.Millisecond), each[len(each)/2], each[len(each)*99/100])
	return l.print("night_idle", float64(l.o.unions)/took.Seconds(), "unions/s")
}

func (l *lab) edit(round int) error {
	for _, p := range l.pcs {
		if err := p.edit(round); err != nil {
			return err
		}
	}
	return nil
}

// syncAll lets all PCs sync and gives the time of all and, sorted, of each.
func (l *lab) syncAll(ctx context.Context) (took time.Duration, each []time.Duration, err error) {
	each = make([]time.Duration, len(l.pcs))
	began := time.Now()
	err = parallel(ctx, atOnce, len(l.pcs), func(ctx context.Context, i int) error {
		begin := time.Now()
		defer func() { each[i] = time.Since(begin) }()
		return l.pcs[i].deliver(ctx)
	})
	took = time.Since(began)
	slices.Sort(each)
	if err != nil {
		return 0, nil, fmt.Errorf("a sync of the night: %w", err)
	}
	return took, each, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
