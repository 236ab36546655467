package ledger

import (
	"fmt"
	"testing"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// TestUnionsOfABatch: what several unions bring in one entry, by turns, leaves each of them the
// digest of its own records and the tips of its own journals. Seen to fail when the transaction
// was given the memory of a digest that was another union's a moment later.
func TestUnionsOfABatch(t *testing.T) {
	name := memberField(t, "name")
	n := begun(t, Config{Memory: true})
	const unions = 4
	ends := map[int]syncproto.Place{}
	b := &entrypb.Batch{}
	for round := range 3 {
		for u := range unions {
			at, ok := ends[u]
			at.Journal = syncproto.JournalID(10 + u)
			c := &syncproto.Change{
				Union: fmt.Sprint("u", u), Kind: memberKind, ID: syncproto.RecordID{1 + byte(round)},
				Edits: []syncproto.Edit{{Field: name, Value: fmt.Appendf(nil, "%d of %d", round, u)}},
			}
			body := c.Encode(at.Journal)
			seg := &entrypb.Segment{Journal: uint64(at.Journal), First: at.Seq + 1, Changes: [][]byte{body}, Held: []byte{0}}
			if ok {
				seg.Previous = at.Hash.Wire()
			}
			ends[u] = at.Next(body)
			b.Items = append(b.Items, &entrypb.Item{Union: c.Union, Segments: []*entrypb.Segment{seg}})
		}
	}
	n.apply(b)
	for u := range unions {
		v := n.l.View(fmt.Sprint("u", u))
		defer v.Done()
		var want syncproto.Hash
		for round := range 3 {
			key := syncproto.RecordKey{Kind: memberKind, ID: syncproto.RecordID{1 + byte(round)}}
			r, err := v.Read(key)
			if err != nil || r.Text(name) != fmt.Sprintf("%d of %d", round, u) {
				t.Fatalf("union %d, record %d: %+v, %v", u, round, r, err)
			}
			want = merge.Xor(want, merge.Hash(key, r))
		}
		if got, err := v.Digest(); err != nil || got != want {
			t.Errorf("union %d: digest %x, want %x; %v", u, got[:4], want[:4], err)
		}
		tips, err := v.Tips(ends[u].Journal)
		if err != nil || len(tips) != 1 || tips[0].Dot() != ends[u].Dot() {
			t.Errorf("union %d: tips %+v, want %s; %v", u, tips, ends[u].Dot(), err)
		}
	}
}
