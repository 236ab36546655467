package ledger

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// checking is a replica that can be checked, with three nodes.
func checking(t *testing.T) *node {
	n := begun(t, Config{Memory: true})
	n.apply(&entrypb.Level{Level: 2})
	for _, id := range []string{"n1", "n2", "n3"} {
		n.apply(&entrypb.Node{Id: id, ApiAddress: id})
	}
	return n
}

// begin begins a check of a part among the nodes and gives its index.
func (n *node) begin(from string) uint64 {
	n.apply(&entrypb.Check{From: []byte(from), Keys: 3, Voters: []string{"n1", "n2", "n3"}})
	return n.index
}

func (n *node) answers(index uint64, node, sum string) {
	n.apply(&entrypb.Digest{Node: node, Index: index, Sum: []byte(sum)})
}

// whole makes a centre whose nodes differ one whose nodes agree.
func (n *node) whole() {
	for _, id := range n.marked() {
		n.apply(&entrypb.NodeLeft{Id: id})
		n.apply(&entrypb.Node{Id: id, ApiAddress: id})
	}
	index := n.begin("")
	n.answers(index, "n1", "a")
	n.answers(index, "n2", "a")
	if n.l.Halted() != 0 || len(n.marked()) != 0 {
		n.t.Fatal("it cannot be made whole")
	}
}

func (n *node) marked() (out []string) {
	n.t.Helper()
	all, err := n.l.Nodes()
	if err != nil {
		n.t.Fatal(err)
	}
	for _, x := range all {
		if x.GetDiffers() != 0 {
			out = append(out, x.GetId())
		}
	}
	return out
}

// TestMajority: who differs from the majority is marked; without one the centre halts.
func TestMajority(t *testing.T) {
	n := checking(t)
	for _, c := range []struct {
		why     string
		answers [][2]string // node and digest, in this order
		marked  []string
		halted  bool // at once
		ended   bool // halted when the next check begins
	}{
		{"all alike", [][2]string{{"n1", "a"}, {"n2", "a"}, {"n3", "a"}}, nil, false, false},
		{"the last differs", [][2]string{{"n1", "a"}, {"n2", "a"}, {"n3", "b"}}, []string{"n3"}, false, false},
		{"the first differs", [][2]string{{"n1", "b"}, {"n2", "a"}, {"n3", "a"}}, []string{"n1"}, false, false},
		{"each is alone", [][2]string{{"n1", "a"}, {"n2", "b"}, {"n3", "c"}}, nil, true, true},
		{"two differ and the third is down", [][2]string{{"n1", "a"}, {"n2", "b"}}, nil, false, true},
		{"two agree and the third is down", [][2]string{{"n1", "a"}, {"n2", "a"}}, nil, false, false},
		{"only one answers", [][2]string{{"n1", "a"}}, nil, false, false},
		{"nobody answers", nil, nil, false, false},
		{"the second answer of a node does not count", [][2]string{{"n1", "a"}, {"n1", "b"}, {"n2", "a"}}, nil, false, false},
		{"a stranger has no vote, but must be like the others", [][2]string{{"n9", "b"}, {"n1", "a"}, {"n2", "a"}}, nil, false, false},
	} {
		n.whole()
		index := n.begin("")
		for _, a := range c.answers {
			n.answers(index, a[0], a[1])
		}
		if diff := cmp.Diff(c.marked, n.marked()); diff != "" || (n.l.Halted() != 0) != c.halted {
			t.Errorf("%s: halted %d, marked %s", c.why, n.l.Halted(), diff)
		}
		n.begin("x")
		if (n.l.Halted() != 0) != c.ended {
			t.Errorf("%s: halted %d at the next check", c.why, n.l.Halted())
		}
	}
}

// TestHaltEnds: a halt ends when a majority agrees on the part about which there was none,
// and on no other; a node made anew is marked no more; a late answer still counts.
func TestHaltEnds(t *testing.T) {
	n := checking(t)
	bad := n.begin("p")
	for _, id := range []string{"n1", "n2", "n3"} {
		n.answers(bad, id, "of "+id)
	}
	for range 2 * checksKept {
		other := n.begin("q")
		n.answers(other, "n1", "a")
		n.answers(other, "n2", "a")
	}
	if n.l.Halted() != bad {
		t.Fatalf("halted %d, want %d", n.l.Halted(), bad)
	}
	again := n.begin("p")
	n.answers(again, "n1", "a")
	n.answers(again, "n2", "a")
	if n.l.Halted() != 0 {
		t.Fatal("still halted")
	}
	n.begin("r")
	n.answers(again, "n3", "b")
	if diff := cmp.Diff([]string{"n3"}, n.marked()); diff != "" {
		t.Fatal(diff)
	}
	n.apply(&entrypb.Node{Id: "n3", ApiAddress: "elsewhere"})
	if len(n.marked()) != 1 {
		t.Fatal("another address makes a state no better")
	}
	n.apply(&entrypb.NodeLeft{Id: "n3"})
	n.apply(&entrypb.Node{Id: "n3", ApiAddress: "n3"})
	if len(n.marked()) != 0 {
		t.Fatal("a node that was made anew is still marked")
	}
	if st, err := n.l.CheckAt(bad); st != nil || err != nil {
		n.begin("s")
		if st, err = n.l.CheckAt(bad); st != nil || err != nil {
			t.Errorf("an old check is kept for ever: %v %v", st, err)
		}
	}
}

// round gives the digests of all parts of a state, without applying anything.
func (n *node) round(keys int) (sums []string) {
	n.t.Helper()
	a := n.l.newApplier(0)
	defer a.txn.Discard()
	var from []byte
	for {
		sum, next, err := a.digestPart(from, keys)
		if err != nil {
			n.t.Fatal(err)
		}
		if sums = append(sums, fmt.Sprintf("%x", sum)); next == nil {
			return sums
		}
		from = next
	}
}

// TestRoundSeesEveryKey: whatever key of the state has another value, is missing or is too
// many, some part of a round has another digest.
func TestRoundSeesEveryKey(t *testing.T) {
	n := checking(t)
	n.apply(&entrypb.Staff{Actor: "a", Node: "n1", Changes: []*entrypb.StaffChange{{
		Union: syncproto.CityUnion, Kind: 9, Id: bytes.Repeat([]byte{1}, 16), Fields: []*entrypb.FieldValue{{Field: 10, Value: []byte("1")}},
	}}})
	want := n.round(8)
	if len(want) < 3 {
		t.Fatalf("%d parts", len(want))
	}
	saved := map[string][]byte{}
	txn := n.l.db.NewTransactionAt(n.l.ts, false)
	err := eachMessage(txn, nil, func(k, v []byte) error {
		saved[string(k)] = bytes.Clone(v)
		return nil
	})
	txn.Discard()
	if err != nil {
		t.Fatal(err)
	}
	for name := range saved {
		k := []byte(name)
		for why, change := range map[string]func(txn *badger.Txn) error{
			"another byte": func(txn *badger.Txn) error {
				return txn.Set(k, append(bytes.Clone(saved[name]), 1))
			},
			"missing":      func(txn *badger.Txn) error { return txn.Delete(k) },
			"one too many": func(txn *badger.Txn) error { return txn.Set(append(bytes.Clone(k), 0), nil) },
		} {
			n.spoil(change)
			if diff := cmp.Diff(want, n.round(8)); diff == "" {
				t.Errorf("%q %s: no part of the round sees it", k, why)
			}
			n.mend(saved, k)
		}
	}
	if diff := cmp.Diff(want, n.round(8)); diff != "" {
		t.Fatal("the test has not put everything back")
	}
}

// spoil changes the store behind the ledger's back.
func (n *node) spoil(change func(txn *badger.Txn) error) {
	n.t.Helper()
	n.l.ts++
	txn := n.l.db.NewTransactionAt(n.l.ts, true)
	defer txn.Discard()
	if err := change(txn); err != nil {
		n.t.Fatal(err)
	}
	if err := txn.CommitAt(n.l.ts, nil); err != nil {
		n.t.Fatal(err)
	}
}

// mend puts back what was changed about a key.
func (n *node) mend(saved map[string][]byte, k []byte) {
	n.t.Helper()
	n.spoil(func(txn *badger.Txn) error {
		if err := txn.Delete(append(bytes.Clone(k), 0)); err != nil {
			return err
		}
		return txn.Set(k, saved[string(k)])
	})
}
