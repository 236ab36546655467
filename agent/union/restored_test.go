package union_test

import (
	"context"
	"os"
	"slices"
	"testing"

	"unionsync/agent/agenttest"
	"unionsync/agent/union"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// copyOf opens a copy of a station's folder as it is on the disk: an image, or what a power
// cut leaves.
func copyOf(t *testing.T, p *station, seed byte) *station {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	return openCopy(t, p, seed, dir)
}

func openCopy(t *testing.T, p *station, seed byte, dir string) *station {
	t.Helper()
	q := &station{t: t, dir: dir, centre: p.centre, seed: seed, now: p.now}
	u, err := union.Open(dir, q.options())
	if err != nil {
		t.Fatal(err)
	}
	q.u = u
	t.Cleanup(func() { _ = u.Close() })
	return q
}

// dots gives the names of all changes in a station's journal.
func (p *station) dots() []syncproto.Dot {
	p.t.Helper()
	all, err := p.u.OwnChanges().After(0, 1<<30, 1<<30)
	if err != nil {
		p.t.Fatal(err)
	}
	out := make([]syncproto.Dot, len(all))
	for i, c := range all {
		out[i] = c.Place.Dot()
	}
	return out
}

// lacks counts the changes that the centre does not have.
func lacks(c *agenttest.Centre, dots []syncproto.Dot) (n int) {
	have := c.Union(exchangeUnion).Positions()
	for _, d := range dots {
		if have[d] == 0 {
			n++
		}
	}
	return n
}

// settleAll syncs until nobody has anything to do.
func settleAll(all ...*station) {
	for range 3 {
		for _, p := range all {
			p.mustSync()
		}
	}
}

// TestRestoredCentre: a centre that lost two PCs' changes gets all of them from the one that
// comes, the other is gone for good; what is shown stays what it was all the time.
func TestRestoredCentre(t *testing.T) {
	c := exchangeCentre(t)
	a, b := newStation(t, c, 1), newStation(t, c, 2)
	settleAll(a, b)
	a.members(0, 3)
	settleAll(a, b)
	backup := c.Backup(exchangeUnion)
	a.members(10, 5)
	settleAll(a, b)
	b.members(20, 4)
	b.mustSync()
	saved := append(a.dots(), b.dots()...)
	before := status(t, b)
	c.Restore(exchangeUnion, backup)
	if n := lacks(c, saved); n != 18 {
		t.Fatalf("the restored centre lacks %d changes", n)
	}
	r := b.mustSync()
	if n := lacks(c, saved); n != 0 || !r.Complete || !r.Equal {
		t.Errorf("after the refill %d changes are lacking: %+v", n, r)
	}
	after := status(t, b)
	if after.Records["member"] != before.Records["member"] || after.Conflicts != 0 || after.Waiting != 0 {
		t.Errorf("shown after the refill: %+v, before %+v", after, before)
	}
	b.equal()
	fresh := newStation(t, c, 3)
	fresh.mustSync()
	fresh.equal()
}

func status(t *testing.T, p *station) union.Status {
	t.Helper()
	st, err := p.u.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// TestRefillCut: a refill that is cut after any request, before or after the centre took it,
// with a power cut behind it, ends all the same with everything at the centre once.
func TestRefillCut(t *testing.T) {
	for _, answered := range []bool{false, true} {
		for cut := 1; ; cut++ {
			if !refillCutAt(t, cut, answered) {
				break
			}
		}
	}
}

// refillCutAt reports whether there was a request to cut.
func refillCutAt(t *testing.T, cut int, after bool) bool {
	c := exchangeCentre(t)
	a, b := newStation(t, c, 1), newStation(t, c, 2)
	settleAll(a, b)
	backup := c.Backup(exchangeUnion)
	for i := range 3 {
		a.members(i*10, 2)
		settleAll(a, b)
		b.members(100+i*10, 2)
		settleAll(b, a)
	}
	saved := append(a.dots(), b.dots()...)
	c.Restore(exchangeUnion, backup)
	n, cutNow := 0, false
	c.Fault = func(_ *syncpb.Request, answered bool) error {
		if answered != after {
			return nil
		}
		if n++; n >= cut {
			cutNow = true
			return syncproto.Fail(syncproto.CodeCut, "test", nil)
		}
		return nil
	}
	want := status(t, b).Records["member"]
	_, err := b.sync()
	c.Fault = nil
	if cutNow != (err != nil) {
		t.Fatalf("cut %d: %v, error %v", cut, cutNow, err)
	}
	b = copyOf(t, b, 2)
	if got := status(t, b); got.Records["member"] != want || got.Conflicts != 0 {
		t.Errorf("cut %d (answered %v): %d members, %d conflicts shown, want %d", cut, after, got.Records["member"], got.Conflicts, want)
	}
	r := b.mustSync()
	if l := lacks(c, saved); l != 0 || !r.Equal {
		t.Errorf("cut %d (answered %v): %d changes lacking, equal %v", cut, after, l, r.Equal)
	}
	b.equal()
	settleAll(a, b)
	a.equal()
	return cutNow
}

// TestClone: an image of a PC goes on beside it, with one journal that goes two ways. Both
// save, both sync: nothing is lost, both see all, and people are told of the fork.
func TestClone(t *testing.T) {
	c := exchangeCentre(t)
	empty := c.Backup(exchangeUnion)
	a, other := newStation(t, c, 1), newStation(t, c, 2)
	settleAll(a, other)
	a.members(0, 3)
	a.mustSync()
	clone := copyOf(t, a, 9)
	if clone.u.JournalID() != a.u.JournalID() {
		t.Fatal("the clone has a journal of its own")
	}
	a.members(10, 2)
	clone.members(20, 3)
	a.mustSync()
	clone.mustSync()
	a.members(30, 1)
	clone.members(40, 1)
	settleAll(a, clone, other)
	saved := append(a.dots(), clone.dots()...)
	if n := lacks(c, saved); n != 0 {
		t.Errorf("%d changes lacking", n)
	}
	for i, p := range []*station{a, clone, other} {
		p.equal()
		if n := status(t, p).Records["member"]; n != 10 {
			t.Errorf("PC %d shows %d members of 10", i, n)
		}
		st := status(t, p)
		if st.Waiting != 0 {
			t.Errorf("PC %d waits with %d", i, st.Waiting)
		}
		notices, err := p.u.Notices()
		if err != nil {
			t.Fatal(err)
		}
		forked := slices.ContainsFunc(notices, func(n union.Notice) bool { return n.Code == syncproto.CodeForked })
		if forked != (p != other) {
			t.Errorf("PC %d: fork noticed %v", i, forked)
		}
	}
	// What one branch sent, the other keeps: a restored centre gets both from one.
	c.Restore(exchangeUnion, empty)
	clone.mustSync()
	if n := lacks(c, saved); n != 0 {
		t.Errorf("%d changes lacking after the restore", n)
	}
}

// TestOldImage: a PC put back to an image that is older than what it delivered goes on from
// there; what it had delivered comes back with the feed.
func TestOldImage(t *testing.T) {
	c := exchangeCentre(t)
	a := newStation(t, c, 1)
	a.mustSync()
	a.members(0, 2)
	a.mustSync()
	image := t.TempDir()
	if err := os.CopyFS(image, os.DirFS(a.dir)); err != nil {
		t.Fatal(err)
	}
	a.members(10, 2)
	a.mustSync()
	saved := a.dots()
	old := openCopy(t, a, 7, image)
	old.members(20, 2)
	settleAll(old)
	saved = append(saved, old.dots()...)
	if n, m := lacks(c, saved), status(t, old).Records["member"]; n != 0 || m != 6 {
		t.Errorf("%d lacking, %d members shown of 6", n, m)
	}
	old.equal()
}
