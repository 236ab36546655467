package ledger

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// since gives what follows a position, as text.
func since(t tester, l *Ledger, after syncproto.Position) []string {
	t.Helper()
	var out []string
	head, err := l.Since(after, nil, func(union string, key syncproto.RecordKey, r *merge.Record) error {
		out = append(out, fmt.Sprintf("%s %v %x", union, key, r.Encode()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return append(out, head.String())
}

// tester is what testing.T and rapid.T have in common here.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// checkRecent: who follows the log is given the same from memory as from the store, from
// wherever he comes.
func checkRecent(t tester, l *Ledger) {
	t.Helper()
	kept := l.recent
	places := []syncproto.Position{kept.from}
	for i := 0; i < len(kept.items); i += 1 + len(kept.items)/20 {
		places = append(places, kept.items[i].position)
	}
	for _, p := range places {
		got := since(t, l, p)
		l.recent = recent{from: l.Head() + 1}
		want := since(t, l, p)
		l.recent = kept
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("above %s memory differs from the store (-store +memory): %s", p, diff)
		}
	}
}

// TestRecentBound: what is kept in memory stays within its bound, and who comes from before
// it is given the rest by the store. Seen to fail when the newest instead of the oldest are
// forgotten.
func TestRecentBound(t *testing.T) {
	n := begun(t, Config{Memory: true})
	w := &writer{end: syncproto.Place{Journal: 5}}
	name, size := memberField(t, "name"), 15<<10
	for i := range 3 * maxRecent / (size) {
		c := &syncproto.Change{Union: "u1", Kind: memberKind, ID: syncproto.RecordID{byte(i), byte(i >> 8)},
			Edits: []syncproto.Edit{{Field: name, Value: make([]byte, size)}}}
		n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{w.next(c)}}}})
	}
	if b := n.l.recent.bytes; b > maxRecent || b < maxRecent/2 {
		t.Errorf("%d bytes are kept, the bound is %d", b, maxRecent)
	}
	if len(since(t, n.l, 0)) < 3*maxRecent/(size) {
		t.Error("who comes from the beginning is not given all")
	}
	checkRecent(t, n.l)
}

// writer makes a journal's changes into segments.
type writer struct {
	end syncproto.Place // of the journal
}

func (w *writer) next(c *syncproto.Change) *entrypb.Segment {
	body := c.Encode(w.end.Journal)
	s := &entrypb.Segment{Journal: uint64(w.end.Journal), First: w.end.Seq + 1, Changes: [][]byte{body}, Held: []byte{0}}
	if w.end.Seq > 0 {
		s.Previous = w.end.Hash.Wire()
	}
	w.end = w.end.Next(body)
	return s
}
