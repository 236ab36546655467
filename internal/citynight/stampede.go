package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/agent"
	"unionsync/agent/schedule"
	"unionsync/syncproto"
)

// stampedeEnd is how long PCs come again; who is not done then counts as an error.
const stampedeEnd = 30 * time.Minute

// tally is how the stampede went.
type tally struct {
	mu     sync.Mutex
	tries  map[string]int // by outcome
	seen   int            // PCs on which a person saw a failure
	longs  []time.Duration
	undone int
}

// stampede lets all PCs come in the same moment, each with five changes.
func (l *lab) stampede(ctx context.Context) error {
	if err := l.edit(2); err != nil {
		return err
	}
	l.say("the stampede: %d PCs in the same moment", len(l.pcs))
	ctx, cancel := context.WithTimeout(ctx, stampedeEnd)
	defer cancel()
	t := &tally{tries: map[string]int{}}
	start := make(chan struct{})
	var g errgroup.Group
	for _, p := range l.pcs {
		g.Go(func() error {
			<-start
			t.come(ctx, p)
			return nil
		})
	}
	began := time.Now()
	close(start)
	if err := g.Wait(); err != nil {
		return err
	}
	slices.Sort(t.longs)
	for _, outcome := range slices.Sorted(maps.Keys(t.tries)) {
		l.say("%d tries: %s", t.tries[outcome], outcome)
	}
	if n := len(t.longs); n > 0 {
		l.say("all done in %v; half of the PCs in %v, 99 in 100 in %v", time.Since(began).Round(time.Millisecond),
			t.longs[n/2].Round(time.Millisecond), t.longs[n*99/100].Round(time.Millisecond))
	}
	return l.print("stampede_errors", float64(t.seen+t.undone), "n")
}

// come lets a PC sync until it is done, each time when the agent's schedule says so.
func (t *tally) come(ctx context.Context, p *pc) {
	began, failed := time.Now(), false
	s := schedule.State{Complete: began.Add(-24 * time.Hour), Awake: began.Add(-time.Hour)}
	for {
		err := p.deliver(ctx)
		asked, later := agent.Asked(err)
		failed = failed || err != nil && !later
		t.note(err)
		if err == nil {
			break
		}
		s.Tried, s.Wait, s.Jitter = time.Now(), asked, rand.Float64()
		s.Failures++
		next, _ := schedule.Next(s.Tried, s)
		select {
		case <-time.After(time.Until(next)):
		case <-ctx.Done():
			t.end(false, failed, 0)
			return
		}
	}
	t.end(true, failed, time.Since(began))
}

func (t *tally) note(err error) {
	outcome := "well"
	if err != nil {
		outcome = fmt.Sprintf("E%d", syncproto.CodeOf(err))
		if syncproto.CodeOf(err) == syncproto.CodeInternal {
			outcome = err.Error()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tries[outcome]++
}

func (t *tally) end(done, failed bool, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case failed:
		t.seen++
	case !done:
		t.undone++
	}
	if done {
		t.longs = append(t.longs, took)
	}
}
