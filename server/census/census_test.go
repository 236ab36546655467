package census

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/syncproto"
)

func TestRunFollows(t *testing.T) {
	src := newSource(smallCity()...)
	c := newCensus(t, src)
	if _, err := c.Count(Query{Day: day("2024-09-30")}); syncproto.CodeOf(err) != syncproto.CodeCountNotReady || c.Ready() || c.Position() != 0 {
		t.Fatalf("before the first reading: %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	var g errgroup.Group
	g.Go(func() error { return c.Run(ctx) })
	if err := c.WaitFor(ctx, 0); err != nil || !c.Ready() {
		t.Fatal(err)
	}
	first := c.Position()
	total := func(known syncproto.Position) int {
		a, err := c.Count(Query{Day: day("2024-09-30"), Known: known})
		if err != nil {
			t.Fatal(err)
		}
		return a.Total.Members
	}
	if n := total(0); n != 4 {
		t.Errorf("%d members after the first reading, want 4", n)
	}
	p := src.put(anEvent("B1", "none1", "none", EventJoin, "2024-09-30"))
	if err := c.WaitFor(ctx, p); err != nil || total(0) != 5 || total(first) != 4 || total(p) != 5 {
		t.Errorf("after one more event: %v, %d members, %d as known before", err, total(0), total(first))
	}
	stop()
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("run ends with %v", err)
	}
	if err := c.WaitFor(ctx, p+1); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting ends with %v", err)
	}
	if n := total(0); n != 5 {
		t.Errorf("%d members after the end of Run, want 5", n)
	}
}

// TestRunAgain: a second Run reads everything anew, and what it counts is the same.
func TestRunAgain(t *testing.T) {
	src := newSource(smallCity()...)
	c := newCensus(t, src)
	src.put(anEvent("B1", "none1", "none", EventJoin, "2024-09-30"))
	for range 2 {
		ctx, stop := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error { return c.Run(ctx) })
		p := src.put(aMember("B1", "none", "sex", "2"))
		if err := c.WaitFor(ctx, p); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := g.Wait(); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		a, err := c.Count(Query{Day: day("2024-09-30")})
		if err != nil || a.Total.Members != 5 {
			t.Errorf("%d members, %v", a.Total.Members, err)
		}
	}
}

func TestRunEndsWithTheSource(t *testing.T) {
	src := newSource(smallCity()...)
	src.fail = errors.New("disk")
	if err := newCensus(t, src).Run(t.Context()); !errors.Is(err, src.fail) {
		t.Errorf("run ends with %v", err)
	}
	if err := newCensus(t, backward{newSource()}).Run(t.Context()); err == nil {
		t.Error("a source that goes backward was followed")
	}
}

// backward is a source whose position does not move although it says so.
type backward struct{ *source }

func (b backward) Wait(context.Context, syncproto.Position) error { return nil }

// TestManyReaders: readers and the follower do not disturb each other; run it with -race.
func TestManyReaders(t *testing.T) {
	src := newSource(smallCity()...)
	c := newCensus(t, src)
	ctx, stop := context.WithCancel(t.Context())
	var follower, readers errgroup.Group
	follower.Go(func() error { return c.Run(ctx) })
	if err := c.WaitFor(ctx, 0); err != nil {
		t.Fatal(err)
	}
	const puts = 200
	for range 3 {
		readers.Go(func() error {
			last := 0
			for i := 0; last < 4+puts; i++ {
				a, err := c.Count(Query{Day: day("2024-09-30"), By: []Dimension{ByUnion, BySex}})
				if err != nil {
					return err
				}
				sum := 0
				for _, r := range a.Rows {
					sum += r.Members
				}
				if sum != a.Total.Members || sum < last {
					return fmt.Errorf("rows give %d, the total is %d, before it was %d", sum, a.Total.Members, last)
				}
				last = sum
				if err := c.WaitFor(ctx, c.Position()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i := range puts {
		id := fmt.Sprint("new", i)
		src.put(aMember("N"+fmt.Sprint(i), id), anEvent("N"+fmt.Sprint(i), id, id, EventJoin, "2024-01-01"))
	}
	if err := readers.Wait(); err != nil {
		t.Error(err)
	}
	stop()
	_ = follower.Wait() // it ends with ctx
}

// TestKnownPositions: positions between steps, inside a step and before a restore.
func TestKnownPositions(t *testing.T) {
	at := syncproto.MakePosition
	b := new(book)
	some := change{appended: []row{{Span: forever}}}
	b.turn(some, nil, at(1, 100))
	b.turn(change{}, nil, at(1, 150)) // nothing of the census changed
	b.turn(some, nil, at(1, 200))     // 151 to 200 at once
	b.turn(change{}, nil, at(2, 3))   // a restore began generation 2
	b.turn(some, nil, at(2, 9))
	for _, c := range []struct {
		why         string
		known, want syncproto.Position
		step        epoch
		code        syncproto.Code
	}{
		{"the newest", 0, at(2, 9), 3, 0},
		{"the newest by its number", at(2, 9), at(2, 9), 3, 0},
		{"the first", at(1, 100), at(1, 100), 0, 0},
		{"before the first", at(1, 99), 0, 0, syncproto.CodeCountTooOld},
		{"where nothing changed", at(1, 120), at(1, 120), 0, 0},
		{"the last before a step", at(1, 150), at(1, 150), 0, 0},
		{"inside a step: what was surely known", at(1, 170), at(1, 150), 0, 0},
		{"the end of a step", at(1, 200), at(1, 200), 1, 0},
		{"above what the restore kept", at(1, 230), 0, 0, syncproto.CodeCountLost},
		{"inside the new generation's first step", at(2, 2), 0, 0, syncproto.CodeCountLost},
		{"the new generation", at(2, 3), at(2, 3), 2, 0},
		{"to come", at(2, 10), 0, 0, syncproto.CodeCountAhead},
	} {
		step, got, err := b.knownAt(c.known)
		code := syncproto.Code(0)
		if err != nil {
			code = syncproto.CodeOf(err)
		}
		if step != c.step || got != c.want || code != c.code {
			t.Errorf("%s: step %d, position %s, E%d; want %d, %s, E%d", c.why, step, got, code, c.step, c.want, c.code)
		}
	}
}

// TestUnitsMove: a union's county is the one known at the position asked.
func TestUnitsMove(t *testing.T) {
	c := newStepper(t)
	d := day("2024-06-30")
	before := c.step(aMember("A", "m"), anEvent("A", "e", "m", EventJoin, "2024-01-01"))
	yiwu := c.step(aUnit("A", "330782"))
	moved := c.step(aUnit("A", "330702"))
	above := c.step(aUnit("A", "", "parent", "T"), aUnit("T", "", "parent", "K"), aUnit("K", "330783", "parent", "K"))
	ring := c.step(aUnit("A", "", "parent", "T"), aUnit("T", "", "parent", "A"))
	second := aUnit("A", "330784")
	second.id = "unit A, entered twice"
	twice := c.step(aUnit("A", "330783"), second)
	third := second.with("county", "330781")
	third.id = "a lower id"
	lower := c.step(third)
	left := c.step(third.with("void", "x"), second.with("void", "x"))
	for _, x := range []struct {
		why   string
		known syncproto.Position
		want  string
	}{
		{"the tree does not know it", before, ""}, {"in Yiwu", yiwu, "330782"}, {"moved to Wucheng", moved, "330702"},
		{"the county of the nearest unit above", above, "330783"}, {"units above each other have none", ring, ""},
		{"of two records the lower id speaks", twice, "330783"}, {"also when it comes later", lower, "330781"},
		{"and the other when it is void", left, "330783"},
	} {
		a := c.count(t, Query{Day: d, Known: x.known, By: []Dimension{ByCounty}})
		if len(a.Rows) != 1 || a.Rows[0].Keys[0].Code != x.want || a.Total.Members != 1 {
			t.Errorf("%s: %+v", x.why, a.Rows)
		}
	}
}
