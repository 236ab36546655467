package ledger

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// TestDropEndsHold: who drops what was held may save anew; what was held only behind it is
// merged then, and what was dropped never touches the record.
func TestDropEndsHold(t *testing.T) {
	name := memberField(t, "name")
	key := syncproto.RecordKey{Kind: memberKind, ID: syncproto.RecordID{1}}
	save := func(value string) *syncproto.Change {
		return &syncproto.Change{Union: "u1", Kind: key.Kind, ID: key.ID, Edits: []syncproto.Edit{{Field: name, Value: []byte(value)}}}
	}
	n := begun(t, Config{Memory: true})
	at := syncproto.Place{Journal: 5}
	send := func(c *syncproto.Change, held syncproto.HeldReason) (syncproto.Place, syncproto.Verdict) {
		t.Helper()
		b := c.Encode(at.Journal)
		seg := &entrypb.Segment{Journal: uint64(at.Journal), First: at.Seq + 1, Changes: [][]byte{b}, Held: []byte{byte(held)}}
		if at.Seq > 0 {
			seg.Previous = at.Hash.Wire()
		}
		at = at.Next(b)
		res := n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{seg}}}})
		return at, outcomes(res)[0][0].Verdicts[0]
	}
	drop := func(places ...syncproto.Place) *syncproto.Change {
		c := &syncproto.Change{Union: "u1", Kind: key.Kind, ID: key.ID, Verb: syncproto.VerbDrop}
		for _, p := range places {
			c.Resolves = append(c.Resolves, syncproto.FieldDot{Dot: p.Dot()})
		}
		return c
	}
	var got []syncproto.HeldReason
	note := func(p syncproto.Place, v syncproto.Verdict) syncproto.Place {
		got = append(got, v.Reason)
		return p
	}
	first := note(send(save("bad"), syncproto.HeldValue))
	second := note(send(save("behind"), syncproto.HeldNot))
	note(send(drop(first), syncproto.HeldNot))
	note(send(drop(second), syncproto.HeldNot)) // too late: it was merged when nothing stood before it
	note(send(save("good"), syncproto.HeldNot))
	note(send(drop(first), syncproto.HeldNot)) // again: nothing is left to end
	want := []syncproto.HeldReason{syncproto.HeldValue, syncproto.HeldBehind, 0, 0, 0, 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	v := n.l.View("u1")
	defer v.Done()
	r, err := v.Read(key)
	if err != nil || r.Text(name) != "behind" || len(r.Field(name).Entries) != 2 {
		t.Errorf("the record holds %+v, %v", r, err)
	}
	digest, err := v.Digest()
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.l.AllRecords([]syncproto.KindNumber{KindCase}, func(_ string, k syncproto.RecordKey, c *merge.Record) error {
		digest = merge.Xor(digest, merge.Hash(k, c))
		return nil
	})
	if err != nil || digest != merge.Hash(key, r) {
		t.Errorf("the digest is not that of the record and the cases: %v", err)
	}
	other := newNode(t, Config{Memory: true})
	for i, b := range n.log {
		if _, err := other.l.Apply(uint64(i+1), b); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(n.dump(), other.dump()) {
		t.Error("replicas differ")
	}
}
