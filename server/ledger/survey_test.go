package ledger

import (
	"bytes"
	"maps"
	"testing"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// TestSurvey: what is counted by jumping over records is what listing all of them gives,
// whatever unions and kinds stand before and behind the cases.
func TestSurvey(t *testing.T) {
	n := begun(t, Config{Memory: true})
	name := memberField(t, "name")
	journal := syncproto.JournalID(10)
	send := func(union string, held syncproto.HeldReason, c syncproto.Change) {
		t.Helper()
		journal++
		c.Union = union
		s := &entrypb.Segment{Journal: uint64(journal), First: 1, Changes: [][]byte{c.Encode(journal)}}
		if held != syncproto.HeldNot {
			s.Held = []byte{byte(held)}
		}
		if o := outcomes(n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: union, Segments: []*entrypb.Segment{s}}}})); o[0][0].Refused != 0 {
			t.Fatalf("refused: %d", o[0][0].Refused)
		}
	}
	highest := syncproto.RecordID(bytes.Repeat([]byte{0xff}, 16))
	held := 0
	for i, union := range []string{"1", "10", "2", "33078200001", "z", "\u6d59"} {
		for range i % 3 { // of the same record by two who have not seen each other, or not at all
			send(union, syncproto.HeldNot, syncproto.Change{Kind: memberKind, ID: syncproto.RecordID{1},
				Edits: []syncproto.Edit{{Field: name, Value: []byte{byte('a' + journal)}}}})
		}
		if i%2 == 1 {
			held++
			send(union, syncproto.HeldValue, syncproto.Change{Kind: memberKind, ID: syncproto.RecordID{2},
				Edits: []syncproto.Edit{{Field: name, Value: []byte("x")}}})
		}
		for _, kind := range []syncproto.KindNumber{1, 900, 0xffff} {
			send(union, syncproto.HeldNot, syncproto.Change{Kind: kind, KindVersion: 1, ID: highest,
				Edits: []syncproto.Edit{{Field: 200, Value: []byte("x")}}})
		}
	}
	all, err := n.l.Cases("", false)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	for _, c := range all {
		want[c.Type]++
	}
	got, err := n.l.OpenCases()
	if err != nil || !maps.Equal(got, want) || want[CaseConflict] != 2 || want[CaseHeld] == 0 {
		t.Errorf("open cases %v, want %v: %v", got, want, err)
	}
	if got, err := n.l.HeldChanges(); err != nil || got < held {
		t.Errorf("%d changes are held, at least %d were sent: %v", got, held, err)
	}
}
