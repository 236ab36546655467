package ledger

import (
	"bytes"
	"slices"
	"testing"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// TestCaseRules: a case is written once for the same doubt, stays closed while the doubt
// stands on the same changes, opens anew on others, and is closed when the doubt is gone.
func TestCaseRules(t *testing.T) {
	n := begun(t, Config{Memory: true})
	name := memberField(t, "name")
	tip := map[syncproto.JournalID]syncproto.Place{}
	send := func(j syncproto.JournalID, prev syncproto.Place, c syncproto.Change) syncproto.Place {
		t.Helper()
		c.Union, c.Kind, c.ID = "u1", memberKind, syncproto.RecordID{1}
		prev.Journal = j
		b := c.Encode(j)
		s := &entrypb.Segment{Journal: uint64(j), First: prev.Seq + 1, Changes: [][]byte{b}}
		if prev.Seq > 0 {
			s.Previous = prev.Hash.Wire()
		}
		o := outcomes(n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}}))[0][0]
		if o.Refused != 0 {
			t.Fatalf("refused: %d", o.Refused)
		}
		tip[j] = prev.Next(b)
		return tip[j]
	}
	value := func(v string, over ...syncproto.Dot) syncproto.Change {
		return syncproto.Change{Edits: []syncproto.Edit{{Field: name, Value: []byte(v), Overwrote: over}}}
	}
	want := func(why string, open ...string) {
		t.Helper()
		all, err := n.l.Cases("u1", false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range all {
			got = append(got, c.Type)
		}
		slices.Sort(got)
		if !slices.Equal(got, open) {
			t.Errorf("%s: open cases %v, want %v", why, got, open)
		}
	}
	a := send(5, tip[5], value("a"))
	want("one value")
	b := send(6, tip[6], value("b"))
	want("two values", CaseConflict)
	head := n.l.Head()
	send(5, syncproto.Place{}, value("a")) // again
	if n.l.Head() != head {
		t.Error("the same change again writes something")
	}
	cases, err := n.l.Cases("u1", false)
	if err != nil {
		t.Fatal(err)
	}
	closeCase := func(id syncproto.RecordID) {
		n.apply(&entrypb.Staff{Actor: "s", Node: "n1", Changes: []*entrypb.StaffChange{{Union: "u1", Kind: uint32(KindCase), Id: id[:],
			Fields: []*entrypb.FieldValue{{Field: uint32(FieldCaseState), Value: []byte(CaseClosed)}}}}})
	}
	closeCase(cases[0].ID)
	want("closed by hand")
	c := syncproto.Change{Edits: []syncproto.Edit{{Field: memberField(t, "mobile"), Value: []byte("13800000000")}}}
	send(5, tip[5], c)
	want("another field: the doubt stands on the same changes")
	third := send(7, tip[7], value("c"))
	want("a third value", CaseConflict)
	send(5, tip[5], value("a", a.Dot(), b.Dot(), third.Dot()))
	want("all but one superseded")

	send(5, a, value("d")) // the journal goes another way
	want("a fork", CaseConflict, CaseFork)
	all, err := n.l.Cases("u1", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		if x.Type == CaseFork {
			closeCase(x.ID)
		}
	}
	send(5, tip[5], value("e", tip[5].Dot()))
	want("the branch goes on", CaseConflict)
	send(5, a, value("f"))
	want("a third branch", CaseConflict, CaseFork)
	send(5, tip[5], value("g"))
	for _, x := range forks(t, n) { // as a clerk does, in a journal of his own, when the branch has gone on
		closing := syncproto.Change{Union: "u1", Kind: KindCase, ID: x.ID, Edits: []syncproto.Edit{{Field: FieldCaseState, Value: []byte(CaseClosed), Overwrote: x.State}}}
		s := &entrypb.Segment{Journal: 8, First: 1, Changes: [][]byte{closing.Encode(8)}}
		n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}})
	}
	want("closed by a clerk: no branch is new", CaseConflict)
	send(5, a, value("h"))
	want("a fourth branch", CaseConflict, CaseFork)
}

// forkCase is an open case about a fork, with the dots of its state.
type forkCase struct {
	ID    syncproto.RecordID
	State []syncproto.Dot
}

func forks(t *testing.T, n *node) (out []forkCase) {
	t.Helper()
	all, err := n.l.Cases("u1", false)
	if err != nil {
		t.Fatal(err)
	}
	v := n.l.View("u1")
	defer v.Done()
	for _, x := range all {
		if x.Type != CaseFork {
			continue
		}
		r, err := v.Read(syncproto.RecordKey{Kind: KindCase, ID: x.ID})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, forkCase{x.ID, r.SeenDots(FieldCaseState, syncproto.ClassLatest)})
	}
	if len(out) == 0 {
		t.Fatal("no fork")
	}
	return out
}

// TestVoidCase: an edit of a voided record that the void had not seen is a question until
// the void is taken back.
func TestVoidCase(t *testing.T) {
	n := begun(t, Config{Memory: true})
	name := memberField(t, "name")
	seq := map[syncproto.JournalID]syncproto.Place{}
	send := func(j syncproto.JournalID, c syncproto.Change) syncproto.Dot {
		t.Helper()
		c.Union, c.Kind, c.ID = "u1", memberKind, syncproto.RecordID{1}
		at := seq[j]
		at.Journal = j
		s := &entrypb.Segment{Journal: uint64(j), First: at.Seq + 1, Changes: [][]byte{c.Encode(j)}}
		if at.Seq > 0 {
			s.Previous = at.Hash.Wire()
		}
		seq[j] = at.Next(s.Changes[0])
		n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}})
		return seq[j].Dot()
	}
	count := func(typ string) (open int) {
		all, err := n.l.Cases("u1", false)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.Type == typ {
				open++
			}
		}
		return open
	}
	saw := send(5, syncproto.Change{Edits: []syncproto.Edit{{Field: name, Value: []byte("a")}}})
	void := send(5, syncproto.Change{Edits: []syncproto.Edit{{Field: syncproto.FieldVoid, Value: []byte("never was")}},
		Saw: []syncproto.FieldDot{{Field: name, Dot: saw}}})
	if got := count(CaseVoid); got != 0 {
		t.Errorf("%d cases about a void that saw everything", got)
	}
	send(6, syncproto.Change{Edits: []syncproto.Edit{{Field: name, Value: []byte("b"), Overwrote: []syncproto.Dot{saw}}}})
	if got := count(CaseVoid); got != 1 {
		t.Errorf("%d cases about an edit that the void had not seen", got)
	}
	send(5, syncproto.Change{Edits: []syncproto.Edit{{Field: syncproto.FieldVoid, Cleared: true}},
		Resolves: []syncproto.FieldDot{{Field: syncproto.FieldVoid, Dot: void}}})
	if got := count(CaseVoid); got != 0 {
		t.Errorf("%d cases after the void was taken back", got)
	}
}

// TestCaseComesBack: what an earlier life of the centre wrote about a case comes in again with
// a refill, before or behind what the case is about. It says nothing about now.
func TestCaseComesBack(t *testing.T) {
	name := memberField(t, "name")
	first := begun(t, Config{Memory: true})
	value := func(j syncproto.JournalID, v string) *entrypb.Segment {
		c := syncproto.Change{Union: "u1", Kind: memberKind, ID: syncproto.RecordID{1}, Edits: []syncproto.Edit{{Field: name, Value: []byte(v)}}}
		return &entrypb.Segment{Journal: uint64(j), First: 1, Changes: [][]byte{c.Encode(j)}}
	}
	send := func(n *node, s *entrypb.Segment) {
		t.Helper()
		if o := outcomes(n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}}))[0][0]; o.Refused != 0 {
			t.Fatalf("refused: %d", o.Refused)
		}
	}
	open := func(n *node) (out int) {
		t.Helper()
		all, err := n.l.Cases("u1", false)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	send(first, value(5, "a"))
	send(first, value(6, "b"))
	var old *entrypb.Segment // the case, as it was opened then
	if _, err := first.l.Log(0, func(it *LogItem) error {
		if it.Place.Journal != 5 && it.Place.Journal != 6 {
			old = &entrypb.Segment{Journal: uint64(it.Place.Journal), First: it.Place.Seq, Changes: [][]byte{bytes.Clone(it.Bytes)}}
		}
		return nil
	}); err != nil || old == nil || open(first) != 1 {
		t.Fatalf("no case: %v", err)
	}

	second := begun(t, Config{Memory: true})
	second.apply(&entrypb.NewGeneration{Time: 1, Next: &entrypb.Generation{Number: 2, Random: 9}})
	send(second, value(5, "a"))
	send(second, old)
	if n := open(second); n != 0 {
		t.Errorf("%d open cases about nothing", n)
	}
	// So does what it wrote when the conflict stood on other changes for a while.
	c, err := syncproto.DecodeChange(old.Changes[0], syncproto.JournalID(old.Journal))
	if err != nil {
		t.Fatal(err)
	}
	j := syncproto.JournalID(old.Journal)
	before := syncproto.Place{Journal: j}.Next(old.Changes[0])
	moved := syncproto.Change{Union: "u1", Kind: KindCase, ID: c.ID, Edits: []syncproto.Edit{
		{Field: caseDots, Value: c.Edit(caseDots).Value, Overwrote: []syncproto.Dot{before.Dot()}}}}
	send(second, &entrypb.Segment{Journal: old.Journal, First: 2, Previous: before.Hash.Wire(), Changes: [][]byte{moved.Encode(j)}})
	if n := open(second); n != 0 {
		t.Errorf("%d open cases about nothing", n)
	}
	send(second, value(6, "b"))
	if n := open(second); n != 1 {
		t.Errorf("%d open cases about a conflict on the same changes as once, want 1", n)
	}
}

// TestLostCaseComesBack: a case about a lost change that comes in before the change itself
// asks nothing yet; when the change comes as lost it does, and not when it comes whole.
func TestLostCaseComesBack(t *testing.T) {
	change := syncproto.Change{Union: "u1", Kind: memberKind, ID: syncproto.RecordID{1}, Edits: []syncproto.Edit{{Field: memberField(t, "name"), Value: []byte("a")}}}
	whole := change.Encode(5)
	place := syncproto.Place{Journal: 5}.Next(whole)
	lost := &entrypb.Segment{Journal: 5, First: 1, Changes: [][]byte{nil}, Gaps: []*entrypb.Gap{{Hash: place.Hash[:]}}}
	send := func(n *node, s *entrypb.Segment) {
		t.Helper()
		if o := outcomes(n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}}))[0][0]; o.Refused != 0 {
			t.Fatalf("refused: %d", o.Refused)
		}
	}
	first := begun(t, Config{Memory: true})
	send(first, lost)
	var old *entrypb.Segment
	if _, err := first.l.Log(0, func(it *LogItem) error {
		if it.Place.Journal != 5 {
			old = &entrypb.Segment{Journal: uint64(it.Place.Journal), First: it.Place.Seq, Changes: [][]byte{bytes.Clone(it.Bytes)}}
		}
		return nil
	}); err != nil || old == nil {
		t.Fatalf("no case: %v", err)
	}
	for _, row := range []struct {
		why  string
		then *entrypb.Segment
		open int
	}{
		{"it comes as lost", lost, 1},
		{"another PC had it whole", &entrypb.Segment{Journal: 5, First: 1, Changes: [][]byte{whole}}, 0},
	} {
		n := begun(t, Config{Memory: true})
		n.apply(&entrypb.NewGeneration{Time: 1, Next: &entrypb.Generation{Number: 2, Random: 9}})
		for i, s := range []*entrypb.Segment{old, row.then} {
			send(n, s)
			all, err := n.l.Cases("u1", false)
			if want := row.open * i; err != nil || len(all) != want {
				t.Errorf("%s: %d open cases after step %d, want %d, %v", row.why, len(all), i, want, err)
			}
		}
	}
}

// TestLostCaseClosedElsewhere: in an earlier life the change came whole from another PC, so the
// centre closed the case. That closing comes in here, where the change is lost: the question
// stays open, though a closed case does not name the change any more.
func TestLostCaseClosedElsewhere(t *testing.T) {
	n := begun(t, Config{Memory: true})
	send := func(s *entrypb.Segment) {
		t.Helper()
		if o := outcomes(n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}}))[0][0]; o.Refused != 0 {
			t.Fatalf("refused: %d", o.Refused)
		}
	}
	send(&entrypb.Segment{Journal: 5, First: 1, Changes: [][]byte{nil}, Gaps: []*entrypb.Gap{{Hash: bytes.Repeat([]byte{7}, 32)}}})
	var opened syncproto.Place
	var id syncproto.RecordID
	if _, err := n.l.Log(0, func(it *LogItem) error {
		if it.Place.Journal == 5 {
			return nil
		}
		c, err := syncproto.DecodeChange(it.Bytes, it.Place.Journal)
		if err == nil {
			opened, id = it.Place, c.ID
		}
		return err
	}); err != nil || opened.Seq == 0 {
		t.Fatalf("no case: %v", err)
	}
	closing := syncproto.Change{Union: "u1", Kind: KindCase, ID: id, Edits: []syncproto.Edit{
		{Field: FieldCaseState, Value: []byte(CaseClosed), Overwrote: []syncproto.Dot{opened.Dot()}},
		{Field: caseDots, Cleared: true, Overwrote: []syncproto.Dot{opened.Dot()}}}}
	send(&entrypb.Segment{Journal: 6, First: 1, Changes: [][]byte{closing.Encode(6)}})
	if all, err := n.l.Cases("u1", false); err != nil || len(all) != 1 {
		t.Errorf("%d open cases, want the one about the lost change; %v", len(all), err)
	}
}
