package gate

import (
	"slices"
	"testing"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// TestDecide: staff see what is in doubt and settle it, once, and only what they saw.
func TestDecide(t *testing.T) {
	b := newBench(t)
	members, err := kind.Embedded().Find("member")
	if err != nil {
		t.Fatal(err)
	}
	name, err := members.Find("name")
	if err != nil {
		t.Fatal(err)
	}
	j := map[syncproto.JournalID]syncproto.Place{}
	save := func(journal syncproto.JournalID, record byte, value string, held syncproto.HeldReason) {
		at := j[journal]
		at.Journal = journal
		c := syncproto.Change{Union: "u1", Kind: members.Number, ID: syncproto.RecordID{record}, Actor: "clerk" + value, Time: 5,
			Edits: []syncproto.Edit{{Field: name.Number, Value: []byte(value)}}}
		s := &entrypb.Segment{Journal: uint64(journal), First: at.Seq + 1, Changes: [][]byte{c.Encode(journal)}, Held: []byte{byte(held)}}
		if at.Seq > 0 {
			s.Previous = at.Hash.Wire()
		}
		j[journal] = at.Next(s.Changes[0])
		b.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}})
	}
	list := func() *Cases {
		l, err := b.g.listCases(&unionrpc.ListCasesRequest{Union: "u1"})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	decide := func(c Case, verb string, choice uint32, seen uint64) syncproto.Code {
		_, err := b.g.decide(t.Context(), &unionrpc.DecideRequest{Union: "u1", Case: c.ID, Verb: verb, Choice: choice, Seen: seen})
		if err == nil {
			return 0
		}
		return syncproto.CodeOf(err)
	}
	read := func(record byte) []string {
		v := b.g.cfg.Ledger.View("u1")
		defer v.Done()
		r, err := v.Read(syncproto.RecordKey{Kind: members.Number, ID: syncproto.RecordID{record}})
		if err != nil || r == nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range r.Field(name.Number).Entries {
			out = append(out, string(e.Value))
		}
		return out
	}
	save(5, 1, "A", 0)
	save(6, 1, "B", 0)
	l := list()
	if len(l.Cases) != 1 || l.Cases[0].Type != ledger.CaseConflict || len(l.Cases[0].Values) != 2 || l.Cases[0].Values[1].By[0].Actor != "clerkB" {
		t.Fatalf("cases %+v", l.Cases)
	}
	conflict := l.Cases[0]
	if code := decide(conflict, verbAccept, 0, 0); code != syncproto.CodeCaseVerb {
		t.Errorf("a conflict accepted: %d", code)
	}
	save(7, 1, "C", 0) // after the person has looked
	if code := decide(conflict, verbChoose, 2, l.Position); code != syncproto.CodeCaseMoved || len(read(1)) != 3 {
		t.Errorf("decided on what was not seen: %d, %v", code, read(1))
	}
	if code := decide(conflict, verbChoose, 1, list().Position); code != 0 || !slices.Equal(read(1), []string{"A"}) {
		t.Errorf("the value that is current: %d, %v", code, read(1))
	}
	if code := decide(conflict, verbChoose, 1, 0); code != syncproto.CodeCaseMoved {
		t.Errorf("decided twice: %d", code)
	}
	save(5, 2, "bad", syncproto.HeldValue)
	save(5, 2, "behind", 0)
	if l = list(); len(l.Cases) != 1 || l.Cases[0].Type != ledger.CaseHeld || len(l.Cases[0].Held) != 2 || l.Cases[0].Held[0].Edits["name"] != "bad" {
		t.Fatalf("cases %+v", l.Cases)
	}
	if code := decide(l.Cases[0], verbAccept, 0, l.Position); code != 0 || !slices.Equal(read(2), []string{"bad", "behind"}) {
		t.Errorf("accepted: %d, %v", code, read(2))
	}
	if l = list(); len(l.Cases) != 1 || l.Cases[0].Type != ledger.CaseConflict { // the two values that were merged
		t.Errorf("cases %+v", l.Cases)
	}
}

// TestCaseLanguage: values that are codes are shown in the language asked for, Chinese when
// none is. Seen to fail with the language left aside.
func TestCaseLanguage(t *testing.T) {
	b := newBench(t)
	k, ok := b.g.cfg.Ledger.Kinds().Kind("case")
	if !ok {
		t.Fatal("no kind case")
	}
	state, err := k.Find("state")
	if err != nil {
		t.Fatal(err)
	}
	for i, value := range []string{"open", "closed"} { // any field of codes; held ones are shown with their edits
		c := syncproto.Change{Union: "u1", Kind: k.Number, ID: syncproto.RecordID{1}, Edits: []syncproto.Edit{{Field: state.Number, Value: []byte(value)}}}
		b.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{
			{Journal: uint64(5 + i), First: 1, Changes: [][]byte{c.Encode(syncproto.JournalID(5 + i))}, Held: []byte{byte(syncproto.HeldValue)}},
		}}}})
	}
	for lang, want := range map[string]string{"": "待处理", "zh": "待处理", "en": "open"} {
		l, err := b.g.listCases(&unionrpc.ListCasesRequest{Union: "u1", Lang: lang})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, c := range l.Cases {
			for _, h := range c.Held {
				found = found || h.Edits["state"] == want
			}
		}
		if !found {
			t.Errorf("in %q nothing is shown as %q: %+v", lang, want, l.Cases)
		}
	}
}

// TestDecideUnreadable: what is held and cannot be read (its frame was damaged on the PC, its
// bytes are none, it is of another union) can be dropped, once, and not accepted: it stays in
// the log as it came, and what its journal says later stands. Seen to fail with such a drop
// left aside by Apply.
func TestDecideUnreadable(t *testing.T) {
	other := syncproto.Change{Union: "u2", Kind: 900, ID: syncproto.RecordID{1}, Edits: []syncproto.Edit{{Field: 20, Value: []byte("v")}}}
	for _, row := range []struct {
		why    string
		bytes  []byte
		gap    bool
		reason syncproto.HeldReason
	}{
		{"a damaged frame", nil, true, syncproto.HeldLost},
		{"no change", []byte{0xff, 1}, false, syncproto.HeldMalformed},
		{"another union's", other.Encode(5), false, syncproto.HeldForeign},
	} {
		t.Run(row.why, func(t *testing.T) {
			b := newBench(t)
			place := syncproto.Place{Journal: 5}.Next(row.bytes)
			later := syncproto.Change{Union: "u1", Kind: 900, ID: syncproto.RecordID{2}, Edits: []syncproto.Edit{{Field: 20, Value: []byte("w")}}}
			s := &entrypb.Segment{Journal: 5, First: 1, Changes: [][]byte{row.bytes, later.Encode(5)}}
			if row.gap {
				s.Gaps = []*entrypb.Gap{{Hash: place.Hash[:]}}
			}
			b.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}})
			l, err := b.g.listCases(&unionrpc.ListCasesRequest{Union: "u1"})
			if err != nil || len(l.Cases) != 1 || l.Cases[0].Type != ledger.CaseHeld || len(l.Cases[0].Held) != 1 || l.Cases[0].Held[0].Reason != row.reason.String() {
				t.Fatalf("%+v, %v", l, err)
			}
			decide := func(verb string) syncproto.Code {
				_, err := b.g.decide(t.Context(), &unionrpc.DecideRequest{Union: "u1", Case: l.Cases[0].ID, Verb: verb, Seen: l.Position})
				if err == nil {
					return 0
				}
				return syncproto.CodeOf(err)
			}
			if got := decide(verbAccept); got != syncproto.CodeCaseVerb {
				t.Errorf("accepted: code %d", got)
			}
			if got := decide(verbDrop); got != 0 {
				t.Errorf("dropped: code %d", got)
			}
			if got := decide(verbDrop); got != syncproto.CodeCaseMoved {
				t.Errorf("dropped again: code %d", got)
			}
			if open, err := b.log.l.Cases("u1", false); err != nil || len(open) != 0 {
				t.Errorf("still open: %+v, %v", open, err)
			}
			v := b.log.l.View("u1")
			defer v.Done()
			item, err := v.At(place.Dot())
			if err != nil || item == nil || item.Verdict.Kind != syncproto.VerdictHeld || item.Verdict.Reason != row.reason || string(item.Bytes) != string(row.bytes) {
				t.Errorf("in the log: %+v, %v", item, err)
			}
			if r, err := v.Read(syncproto.RecordKey{Kind: 900, ID: syncproto.RecordID{2}}); err != nil || r.Text(20) != "w" {
				t.Errorf("what came later: %+v, %v", r, err)
			}
		})
	}
}
