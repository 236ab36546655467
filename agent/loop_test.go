package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"unionsync/agent/schedule"
	"unionsync/agent/union"
	"unionsync/syncproto"
)

const loopUnion = "330702-00001"

// pc is a PC on which only the loop is real: its wall clock can be set, it can be off or in
// standby, and what a sync comes to is told.
type pc struct {
	t      *testing.T
	a      *Agent
	set    clockSet // how far the wall clock is from virtual time
	tries  []try
	outage func(n int) error // of the n-th try
	slot   schedule.Slot
}

// try is one sync as the loop made it.
type try struct {
	wall, running time.Time
	why           schedule.Why
}

// clockSet is a duration that a timer sets while the loop reads it.
type clockSet struct{ atomic.Int64 }

func (c *clockSet) get() time.Duration  { return time.Duration(c.Load()) }
func (c *clockSet) add(d time.Duration) { c.Add(int64(d)) }
func (c *clockSet) to(d time.Duration)  { c.Store(int64(d)) }

func newPC(t *testing.T, dir string, jitter func() float64) *pc {
	p := &pc{t: t, outage: func(int) error { return nil }, slot: schedule.Slot{Minute: 23 * 60, WindowStart: 22 * 60, WindowEnd: 5 * 60}}
	if err := os.MkdirAll(filepath.Join(dir, unionsDir, loopUnion), 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	p.a, err = Open(Config{Dir: dir, Now: func() time.Time { return time.Now().Add(p.set.get()) }, Jitter: jitter})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// on runs the loop for a while of running time.
func (p *pc) on(d time.Duration) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	l := p.a.newLoop(Watch{})
	l.try = func(_ context.Context, code string, _ func(union.Result)) (union.Result, error) {
		err := p.outage(len(p.tries))
		now := p.a.clocks()
		p.tries = append(p.tries, try{now.wall, now.running, l.turns[code].why})
		if syncproto.CodeOf(err) == syncproto.CodeInUse && err != nil {
			return union.Result{}, err
		}
		note := p.a.loadContact(code)
		note.Slot = p.slot
		r := union.Result{Complete: err == nil}
		note.ended(p.a.c.Now(), r, err)
		return r, p.a.saveContact(code, note)
	}
	if err := l.run(ctx); err != nil {
		p.t.Fatal(err)
	}
}

// off lets time pass in which nothing runs.
func (p *pc) off(d time.Duration) { <-time.After(d) }

// later calls do when the loop has run for d, and a bit: never in the instant of a look.
func (p *pc) later(d time.Duration, do func()) { time.AfterFunc(d+20*time.Second, do) }

// lines are the tries so far, one line each with the wall clock, and forgets them.
func (p *pc) lines() []string {
	var out []string
	for _, x := range p.tries {
		out = append(out, x.wall.Format("01-02 15:04")+" "+string(x.why))
	}
	p.tries = nil
	return out
}

func virtual(t *testing.T, do func(t *testing.T)) {
	old := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = old })
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)))
		do(t)
	})
}

// TestLoop: what a PC's days do to its syncs.
func TestLoop(t *testing.T) {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	for _, row := range []struct {
		why  string
		do   func(p *pc)
		want []string
	}{
		{"on day and night: the first one soon, then every night in the slot", func(p *pc) { p.on(2*day + 16*time.Hour) },
			[]string{"06-01 08:08 first", "06-01 23:00 slot", "06-02 23:00 slot", "06-03 23:00 slot"}},
		{"off at night: made up for every morning", func(p *pc) {
			for range 3 {
				p.on(9 * time.Hour)
				p.off(15 * time.Hour)
			}
		}, []string{"06-01 08:08 first", "06-02 08:08 catch-up", "06-03 08:08 catch-up"}},
		{"standby over the slot: spread after waking, as after a start", func(p *pc) {
			p.later(9*time.Hour, func() { p.set.add(15 * time.Hour) })
			p.on(10 * time.Hour)
		}, []string{"06-01 08:08 first", "06-02 08:09 catch-up"}},
		{"naps of half an hour every five minutes do not put it off", func(p *pc) {
			p.on(10 * time.Minute)
			p.off(day)
			for i := range 10 {
				p.later(time.Duration(i)*5*time.Minute, func() { p.set.add(30 * time.Minute) })
			}
			p.on(time.Hour)
		}, []string{"06-01 08:08 first", "06-02 09:18 catch-up"}},
		{"the clock set back by a year while it runs: once, and then the slot of that year", func(p *pc) {
			p.later(time.Hour, func() { p.set.add(-(year)) })
			p.on(day)
		}, []string{"06-01 08:08 first", "06-01 09:09 catch-up", "06-01 23:00 slot"}},
		{"the clock set ten years forward, and back", func(p *pc) {
			p.later(time.Hour, func() { p.set.add(10 * year) })
			p.later(3*time.Hour, func() { p.set.add(-(10 * year)) })
			p.on(day)
		}, []string{"06-01 08:08 first", "05-29 09:09 catch-up", "06-01 11:09 catch-up", "06-01 23:00 slot"}},
		{"a clock that begins in 2010 whenever the PC is switched on: every day all the same", func(p *pc) {
			for range 3 {
				p.set.to(-time.Since(time.Date(2010, 1, 1, 8, 0, 0, 0, time.UTC)))
				p.on(9 * time.Hour)
				p.off(15 * time.Hour)
			}
		}, []string{"01-01 08:08 first", "01-01 08:08 catch-up", "01-01 08:08 catch-up"}},
		{"one that begins just behind the newest sync: also", func(p *pc) {
			for i := range 3 {
				p.set.to(-time.Since(time.Date(2010, 1, 1, 8, 9*min(i, 1), 0, 0, time.UTC)))
				p.on(8 * time.Hour)
				p.off(16 * time.Hour)
			}
		}, []string{"01-01 08:08 first", "01-01 08:17 catch-up", "01-01 08:17 catch-up"}},
		{"set back by half an hour every half hour: the slot never comes, and yet there is a sync in time", func(p *pc) {
			for i := range 60 {
				p.later(time.Duration(i)*30*time.Minute+time.Hour, func() { p.set.add(-(29 * time.Minute)) })
			}
			p.on(26*time.Hour + 20*time.Minute)
		}, []string{"06-01 08:08 first", "06-01 09:29 catch-up"}},
		{"a failure at night is tried again, and the next day is as any", func(p *pc) {
			p.on(time.Hour)
			n := len(p.tries)
			p.outage = func(i int) error {
				if i < n+2 {
					return syncproto.Fail(syncproto.CodeUnreachable, "test", nil)
				}
				return nil
			}
			p.on(40 * time.Hour)
		}, []string{"06-01 08:08 first", "06-01 23:00 slot", "06-01 23:00 retry", "06-01 23:02 retry", "06-02 23:00 slot"}},
		{"in use by somebody: again a minute later, without counting as a failure", func(p *pc) {
			p.outage = func(i int) error {
				if i < 2 {
					return syncproto.Fail(syncproto.CodeInUse, "test", nil)
				}
				return nil
			}
			p.on(time.Hour)
		}, []string{"06-01 08:08 first", "06-01 08:09 retry", "06-01 08:10 retry"}},
		{"the centre moved the slot: from the next night on", func(p *pc) {
			p.on(time.Hour)
			p.slot.Minute = 2 * 60
			p.on(2 * day)
		}, []string{"06-01 08:08 first", "06-01 23:00 slot", "06-02 02:00 slot", "06-03 02:00 slot"}},
	} {
		t.Run(row.why, func(t *testing.T) {
			virtual(t, func(t *testing.T) {
				p := newPC(t, t.TempDir(), func() float64 { return 0.5 })
				row.do(p)
				if got := p.lines(); !slices.Equal(got, row.want) {
					t.Errorf("did\n%q, want\n%q", got, row.want)
				}
			})
		})
	}
}

// TestLoopIsNeverFarNorBusy: whatever off and on, standby, clocks that are set and outages
// come in whatever order, a PC that runs tries again within a bound of running time, and
// never twice within half a minute.
func TestLoopIsNeverFarNorBusy(t *testing.T) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			virtual(t, func(t *testing.T) { neverFarNorBusy(t, rt) })
		})
	})
}

func neverFarNorBusy(t *testing.T, rt *rapid.T) {
	seed := rapid.Uint64().Draw(rt, "seed")
	g := rand.New(rand.NewPCG(seed, 1))
	p := newPC(t, t.TempDir(), g.Float64)
	fails := rapid.Float64Range(0, 1).Draw(rt, "fails")
	p.outage = func(int) error {
		switch x := g.Float64(); {
		case x < fails*0.8:
			return syncproto.Fail(syncproto.CodeUnreachable, "test", nil)
		case x < fails:
			return syncproto.Fail(syncproto.CodeBusy, "test", nil, "seconds", fmt.Sprint(g.IntN(100000)))
		}
		return nil
	}
	jump := rapid.SampledFrom([]time.Duration{time.Minute, 9 * time.Minute, 11 * time.Minute, time.Hour, 25 * time.Hour, 20 * 365 * 24 * time.Hour})
	sign := rapid.SampledFrom([]time.Duration{-1, 1})
	var ran, at time.Duration // running time in all, and at the newest try
	for range rapid.IntRange(1, 2).Draw(rt, "starts") {
		length := time.Duration(rapid.IntRange(1, 40).Draw(rt, "hours on")) * time.Hour
		for range rapid.IntRange(0, 8).Draw(rt, "jumps") {
			by := sign.Draw(rt, "sign") * jump.Draw(rt, "jump")
			p.later(time.Duration(rapid.IntRange(0, int(length/time.Minute)).Draw(rt, "jump at"))*time.Minute, func() { p.set.add(by) })
		}
		began, before := time.Now(), len(p.tries)
		p.on(length)
		for i, x := range p.tries[before:] {
			when := ran + x.running.Sub(began)
			if i > 0 && when-at < 29*time.Second {
				rt.Fatalf("two tries within %s", when-at)
			}
			if when-at > schedule.Longest+20*time.Minute {
				rt.Fatalf("no try for %s of running time", when-at)
			}
			at = when
		}
		if ran += length; ran-at > schedule.Longest+20*time.Minute {
			rt.Fatalf("no try for %s of running time", ran-at)
		}
		p.off(time.Duration(rapid.IntRange(0, 100).Draw(rt, "hours off")) * time.Hour)
		if rapid.Bool().Draw(rt, "clock lost") {
			p.set.to(-time.Since(time.Date(2010, 1, 1, 8, 0, 0, 0, time.UTC)))
		}
	}
}

// TestClocksAreTwo: the wall clock carries no running time. If it did, Go would compare by
// that, and neither a standby nor a clock that was set would ever be seen.
func TestClocksAreTwo(t *testing.T) {
	a, err := Open(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c := a.clocks()
	if strings.Contains(c.wall.String(), "m=") || !strings.Contains(c.running.String(), "m=") {
		t.Errorf("%s and %s", c.wall, c.running)
	}
}

// TestLoopSpreads: a city's offices open in the same minute; their PCs do not come in one.
func TestLoopSpreads(t *testing.T) {
	virtual(t, func(t *testing.T) {
		dir, perMinute := t.TempDir(), map[int]int{}
		const pcs = 300
		g := rand.New(rand.NewPCG(1, 2))
		morning := time.Now()
		for i := range pcs {
			p := newPC(t, filepath.Join(dir, fmt.Sprint(i)), g.Float64)
			p.set.to(time.Until(morning)) // each in its own stretch of virtual time, all at eight
			p.on(20 * time.Minute)
			if len(p.tries) != 1 {
				t.Fatalf("%d tries", len(p.tries))
			}
			perMinute[p.tries[0].wall.Minute()]++
		}
		for m, n := range perMinute {
			if n > 2*pcs/15 {
				t.Errorf("%d of %d come in minute %d", n, pcs, m)
			}
		}
		if len(perMinute) < 15 {
			t.Errorf("all come within %d minutes", len(perMinute))
		}
	})
}
