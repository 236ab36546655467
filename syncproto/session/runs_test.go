package session

import (
	"testing"

	"unionsync/syncproto"
)

// TestRunsOfTwoBranches: two branches of one journal may lie between each other, as after a
// centre that went back silently and gave the same positions again. Each keeps its own runs,
// and none is taken for the beginning of a run that the centre has.
func TestRunsOfTwoBranches(t *testing.T) {
	branch := func(name string, n int) (out []Kept) {
		at := syncproto.Place{Journal: 1}
		for i := range n {
			b := []byte{name[0], byte(i)}
			next := at.Next(b)
			out = append(out, Kept{Placed: syncproto.Placed{Place: next, Bytes: b}, Previous: at.Hash})
			at = next
		}
		out[n-1].Signature, out[n-1].Signer = []byte("signed"), []byte(name)
		return out
	}
	a, b := branch("a", 3), branch("b", 3)
	var stale []Kept
	for i := range a { // in the order of positions
		a[i].Verdict.Position = syncproto.MakePosition(1, uint64(10+2*i))
		b[i].Verdict.Position = syncproto.MakePosition(1, uint64(11+2*i))
		stale = append(stale, a[i], b[i])
	}
	units, rest := runs(stale)
	if len(units) != 2 || len(rest) != 0 {
		t.Fatalf("%d runs, %d changes left over", len(units), len(rest))
	}
	for i, u := range units {
		if len(u.changes) != 3 || string(u.signer) != string("ab"[i]) {
			t.Errorf("run %d has %d changes, signed by %s", i, len(u.changes), u.signer)
		}
	}
	if units, rest = runs(stale[:4]); len(units) != 0 || len(rest) != 4 {
		t.Errorf("without their ends: %d runs, %d changes left over", len(units), len(rest))
	}
}
