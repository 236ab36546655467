package ledger

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// TestLayouts: a state that began with layout 0 goes on with it, and tells agents the same as one
// of layout 1: each record once, where its newest change stands.
func TestLayouts(t *testing.T) {
	feeds := map[byte][]string{}
	for _, layout := range []byte{layoutIndexes, layoutUnionLog} {
		n := begun(t, Config{Memory: true})
		if n.l.layout != layoutUnionLog {
			t.Fatalf("a new state has layout %d", n.l.layout)
		}
		n.l.layout = layout
		name, at := memberField(t, "name"), syncproto.Place{Journal: 5}
		for _, batch := range [][]byte{{1, 2, 1}, {3}, {2, 3, 2}} {
			s := &entrypb.Segment{Journal: 5, First: at.Seq + 1, Signature: []byte("signed")}
			if at.Seq > 0 {
				s.Previous = at.Hash.Wire()
			}
			for _, id := range batch {
				c := syncproto.Change{Union: "u1", Kind: memberKind, ID: syncproto.RecordID{id}, Actor: "clerk",
					Edits: []syncproto.Edit{{Field: name, Value: fmt.Append(nil, "name", at.Seq)}}}
				s.Changes = append(s.Changes, c.Encode(5))
				at = at.Next(s.Changes[len(s.Changes)-1])
			}
			n.apply(&entrypb.Batch{Time: 1, Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}})
			feeds[layout] = append(feeds[layout], feedOf(t, n, 0)...)
			feeds[layout] = append(feeds[layout], "then")
		}
		feeds[layout] = append(feeds[layout], feedOf(t, n, syncproto.MakePosition(1, 5))...)
	}
	if diff := cmp.Diff(feeds[layoutIndexes], feeds[layoutUnionLog]); diff != "" {
		t.Error(diff)
	}
	// The second field of one name opens a case, which takes a position and a place in the feed.
	if len(feeds[layoutUnionLog]) < 8 {
		t.Errorf("the feeds are %q", feeds[layoutUnionLog])
	}
}

func feedOf(t *testing.T, n *node, after syncproto.Position) (out []string) {
	t.Helper()
	v := n.l.View("u1")
	defer v.Done()
	seen := map[syncproto.RecordKey]bool{}
	err := v.Feed(after, func(p syncproto.Position, key syncproto.RecordKey) (bool, error) {
		r, err := v.Read(key)
		if err != nil || r == nil || r.Pos != p || seen[key] {
			t.Errorf("%v at %s: the record is %v, seen before: %v, %v", key, p, r, seen[key], err)
		}
		seen[key] = true
		out = append(out, fmt.Sprint(p, key))
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLayoutUnknown: a state of a layout that a later program began is not opened.
func TestLayoutUnknown(t *testing.T) {
	dir := t.TempDir()
	n := begun(t, Config{Dir: dir})
	txn := n.l.db.NewTransactionAt(n.l.ts, true)
	if err := txn.Set([]byte{keyLayoutByte}, []byte{layoutUnionLog + 1}); err != nil {
		t.Fatal(err)
	}
	if err := n.l.commit(txn, n.l.meta, nil); err != nil {
		t.Fatal(err)
	}
	if err := n.l.load(n.l.db); syncproto.CodeOf(err) != syncproto.CodeLedgerOpen {
		t.Errorf("opened all the same: %v", err)
	}
}

// TestQueuedIsKnownAgain: which unions have held changes is read when a state is opened; a change behind a
// held one is held, also after a restart.
func TestQueuedIsKnownAgain(t *testing.T) {
	dir := t.TempDir()
	n := begun(t, Config{Dir: dir})
	name := memberField(t, "name")
	change := func(at syncproto.Place) []byte {
		c := syncproto.Change{Union: "u1", Kind: memberKind, ID: syncproto.RecordID{1}, Actor: "clerk",
			Edits: []syncproto.Edit{{Field: name, Value: fmt.Append(nil, "name", at.Seq)}}}
		return c.Encode(5)
	}
	at := syncproto.Place{Journal: 5}
	first := change(at)
	n.apply(&entrypb.Batch{Time: 1, Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{{
		Journal: 5, First: 1, Changes: [][]byte{first}, Held: []byte{byte(syncproto.HeldValue)},
	}}}}})
	n.l.queued = nil
	if err := n.l.load(n.l.db); err != nil {
		t.Fatal(err)
	}
	at = at.Next(first)
	res := n.apply(&entrypb.Batch{Time: 1, Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{{
		Journal: 5, First: 2, Previous: at.Hash.Wire(), Changes: [][]byte{change(at)},
	}}}}})
	if v := outcomes(res)[0][0].Verdicts[0]; v.Kind != syncproto.VerdictHeld || v.Reason != syncproto.HeldBehind {
		t.Errorf("the change behind a held one is %v, %v", v.Kind, v.Reason)
	}
}
