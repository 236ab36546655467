package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// TestRecordsThatOnlyGrow: of a kind that only grows nobody edits what is there; what makes a
// record is never taken for such an edit, whatever of it came first. Seen to fail when a void
// alone was taken for a record that is there.
func TestRecordsThatOnlyGrow(t *testing.T) {
	const eventKind = 3
	id := syncproto.RecordID{1}
	change := func(f syncproto.FieldNumber, value string) *syncproto.Change {
		return &syncproto.Change{Union: "u1", Kind: eventKind, ID: id, Edits: []syncproto.Edit{{Field: f, Value: []byte(value)}}}
	}
	void := change(syncproto.FieldVoid, "重复")
	makes, edits := change(syncproto.FirstFieldNumber, "a"), change(syncproto.FirstFieldNumber, "b")
	type step struct {
		journal syncproto.JournalID
		change  *syncproto.Change
		held    syncproto.HeldReason
		accepts bool // instead: staff accept the first change
	}
	for _, tc := range []struct {
		why    string
		steps  []step
		want   []syncproto.HeldReason
		values string
	}{
		{"a second edit of what is there", []step{{5, makes, 0, false}, {6, edits, 0, false}},
			[]syncproto.HeldReason{0, syncproto.HeldAppendOnly}, "a"},
		{"a void is allowed", []step{{5, makes, 0, false}, {6, void, 0, false}}, []syncproto.HeldReason{0, 0}, "a"},
		{"after a restore a colleague's void may come before what it voids", []step{{6, void, 0, false}, {5, makes, 0, false}},
			[]syncproto.HeldReason{0, 0}, "a"},
		{"and what is there then stays as it is", []step{{6, void, 0, false}, {5, makes, 0, false}, {6, edits, 0, false}},
			[]syncproto.HeldReason{0, 0, syncproto.HeldAppendOnly}, "a"},
		{"of a cloned PC both may be of one journal: what was held behind a held void follows it",
			[]step{{5, void, syncproto.HeldValue, false}, {5, makes, 0, false}, {accepts: true}},
			[]syncproto.HeldReason{syncproto.HeldValue, syncproto.HeldBehind, 0}, "a"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			n := begun(t, Config{Memory: true})
			n.apply(&entrypb.NewGeneration{Time: 1, Next: &entrypb.Generation{Number: 2, Random: 78}})
			ends, staff := map[syncproto.JournalID]syncproto.Place{}, StaffJournal("u1", 77)
			var first syncproto.Dot
			var got []syncproto.HeldReason
			for _, s := range tc.steps {
				if s.accepts {
					s.journal = staff
					s.change = &syncproto.Change{Union: "u1", Kind: eventKind, ID: id, Verb: syncproto.VerbAccept, Resolves: []syncproto.FieldDot{{Dot: first}}}
				}
				at, ok := ends[s.journal]
				at.Journal = s.journal
				b := s.change.Encode(s.journal)
				seg := &entrypb.Segment{Journal: uint64(s.journal), First: at.Seq + 1, Changes: [][]byte{b}, Held: []byte{byte(s.held)}}
				if ok {
					seg.Previous = at.Hash.Wire()
				}
				ends[s.journal] = at.Next(b)
				if len(got) == 0 {
					first = ends[s.journal].Dot()
				}
				res := n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{seg}}}})
				got = append(got, outcomes(res)[0][0].Verdicts[0].Reason)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			v := n.l.View("u1")
			defer v.Done()
			r, err := v.Read(syncproto.RecordKey{Kind: eventKind, ID: id})
			if err != nil || r.Text(syncproto.FirstFieldNumber) != tc.values {
				t.Errorf("the record holds %+v, %v", r, err)
			}
		})
	}
}
