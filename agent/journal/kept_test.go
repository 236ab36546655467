package journal

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// keptAt is a kept change of journal 9 with these bytes at a position.
func keptAt(previous syncproto.Place, p syncproto.Position, change string) session.Kept {
	k := session.Kept{Previous: previous.Hash, Verdict: syncproto.Verdict{Position: p, Kind: syncproto.VerdictApplied}}
	k.Place, k.Bytes = previous.Next([]byte(change)), []byte(change)
	return k
}

func keep(t *testing.T, j *Journal, all ...session.Kept) {
	t.Helper()
	must(t, j.Update(func(tx *Tx) error {
		for _, k := range all {
			if err := tx.Keep(k); err != nil {
				return err
			}
		}
		return nil
	}))
}

func staleOf(t *testing.T, j *Journal, l syncproto.Lineage) string {
	t.Helper()
	all, err := j.Stale(l)
	must(t, err)
	out := ""
	for _, k := range all {
		out += string(k.Bytes) + " "
	}
	return out
}

// TestKept: what is kept comes back by dot and in the order of positions; what is kept
// again moves; what is forgotten is gone from both; all of it after a restart too.
func TestKept(t *testing.T) {
	j, path := create(t)
	none := syncproto.Place{Journal: 9}
	a := keptAt(none, syncproto.MakePosition(1, 5), "a")
	b := keptAt(a.Place, syncproto.MakePosition(1, 3), "b")
	b.Signature, b.Signer = []byte("signature"), []byte("device")
	c := keptAt(b.Place, syncproto.MakePosition(1, 9), "c")
	c.Bytes, c.Erased = nil, true
	c.Verdict.Kind, c.Verdict.Reason = syncproto.VerdictHeld, syncproto.HeldErased
	other := keptAt(syncproto.Place{Journal: 10}, syncproto.MakePosition(1, 5), "d")
	keep(t, j, c, other, a, b)
	for range 2 {
		for _, want := range []session.Kept{a, b, c, other} {
			got, ok, err := j.Kept(want.Place.Dot())
			if d := cmp.Diff(want, got); d != "" || !ok || err != nil {
				t.Error(d, ok, err)
			}
		}
		closeJournal(t, j)
		j = reopen(t, path)
	}
	// The centre went back to 1/4: what stands above is stale.
	lost := syncproto.Lineage{{Number: 2, Random: 1, Base: syncproto.MakePosition(1, 4)}}
	if got := staleOf(t, j, lost); got != "a d  " {
		t.Errorf("stale: %q", got)
	}
	archived, err := j.Archived(syncproto.MakePosition(2, 1), lost)
	if d := cmp.Diff([]syncproto.Dot{b.Place.Dot()}, archived); d != "" || err != nil {
		t.Error("archived", d, err)
	}
	a.Verdict.Position = syncproto.MakePosition(2, 1) // refilled
	keep(t, j, a)
	if got := staleOf(t, j, lost); got != "d  " {
		t.Errorf("stale after a was taken again: %q", got)
	}
	must(t, j.Update(func(tx *Tx) error { return tx.Forget(other.Place.Dot()) }))
	if _, ok, err := j.Kept(other.Place.Dot()); ok || err != nil {
		t.Errorf("forgotten, and still there: %v", err)
	}
	if got := staleOf(t, j, lost); got != " " {
		t.Errorf("stale after d was forgotten: %q", got)
	}
}

// TestKeptNeverPlaced: a change that no centre is known to have, as out of a store set
// aside, is stale under any lineage and never archived.
func TestKeptNeverPlaced(t *testing.T) {
	j, _ := create(t)
	keep(t, j, keptAt(syncproto.Place{Journal: 9}, 0, "a"))
	if got := staleOf(t, j, nil); got != "a " {
		t.Errorf("stale: %q", got)
	}
	if got, err := j.Archived(1<<60, nil); len(got) > 0 || err != nil {
		t.Errorf("archived: %v, %v", got, err)
	}
}

// TestKeptMany: many kept changes are looked through in far less than a second.
func TestKeptMany(t *testing.T) {
	j, _ := create(t)
	at := syncproto.Place{Journal: 9}
	for i := range 5 {
		page := make([]session.Kept, 0, 1000)
		for n := range 1000 {
			k := keptAt(at, syncproto.MakePosition(1, uint64(1000*i+n+1)), fmt.Sprint("change ", i, n))
			page, at = append(page, k), k.Place
		}
		keep(t, j, page...)
	}
	began := time.Now()
	got, err := j.Stale(syncproto.Lineage{{Number: 2, Base: syncproto.MakePosition(1, 4_990)}})
	if len(got) != 10 || err != nil {
		t.Fatalf("%d stale, %v", len(got), err)
	}
	if d := time.Since(began); d > 5*time.Second { // some 10 ms; a lookup of each would take minutes
		t.Errorf("took %s", d)
	}
}

// TestEarlier: a verdict replaced by one of another life leaves its position behind, one
// that comes again does not.
func TestEarlier(t *testing.T) {
	j, _ := create(t)
	put := func(p syncproto.Position) {
		must(t, j.Update(func(tx *Tx) error {
			return tx.PutVerdict(1, syncproto.Verdict{Position: p, Kind: syncproto.VerdictApplied})
		}))
	}
	for _, p := range []syncproto.Position{7, 7, 9, 7, 11} {
		put(p)
	}
	got, err := j.Earlier(1)
	if d := cmp.Diff([]syncproto.Position{7, 9}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	if got, err := j.Earlier(2); got != nil || err != nil {
		t.Errorf("of another: %v, %v", got, err)
	}
}

// TestEnded: the first decision about a held change counts.
func TestEnded(t *testing.T) {
	j, _ := create(t)
	first := session.Ended{Seq: 4, Verb: syncproto.VerbAccept, By: syncproto.Dot{Journal: 3, Seq: 2, Tag: 1}}
	must(t, j.Update(func(tx *Tx) error { return tx.PutEnded(first) }))
	must(t, j.Update(func(tx *Tx) error { return tx.PutEnded(session.Ended{Seq: 4, Verb: syncproto.VerbDrop}) }))
	got, err := j.Ended()
	if d := cmp.Diff(map[uint64]session.Ended{4: first}, got); d != "" || err != nil {
		t.Error(d, err)
	}
}
