package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// tale tells a history second by second.
type tale struct {
	*history
	second time.Duration
}

const taleJournal = 7

func newTale() *tale {
	t := &tale{history: newHistory()}
	t.now = func() time.Duration { return t.second * time.Second }
	return t
}

// sends is a request of the journal's own device with changes first to last; 0: none. It
// names the receipt for a place.
func (t *tale) sends(at time.Duration, first, last, receipt uint64) asked {
	t.second = at
	q := &syncpb.Request{Union: "U1", Journal: taleJournal}
	if receipt > 0 {
		q.Receipt = &syncpb.Place{Seq: receipt, Hash: hashOf(receipt)}
	}
	if first > 0 {
		q.Batch = []*syncpb.Segment{{First: first, Changes: make([][]byte, last-first+1)}}
	}
	return t.sending(q)
}

// gets is its answer: the tip, and a receipt for a place, 0: none.
func (t *tale) gets(at time.Duration, a asked, tip, receipt uint64) {
	t.second = at
	r := &syncpb.Response{}
	if tip > 0 {
		r.Tips = []*syncpb.Place{{Seq: tip, Hash: hashOf(tip)}}
	}
	if receipt > 0 {
		r.Receipt = &syncpb.Receipt{Place: &syncpb.Place{Seq: receipt, Hash: hashOf(receipt)}, Position: receipt * 10}
	}
	t.answered(a, r)
}

func hashOf(seq uint64) []byte { return []byte{byte(seq), 1} }

// begin is what all tales begin with: places 1 and 2 are delivered.
func begin() *tale {
	t := newTale()
	t.gets(2, t.sends(1, 1, 1, 0), 1, 1)
	t.gets(4, t.sends(3, 2, 2, 1), 2, 2)
	return t
}

// TestViolations: forged histories, and what makes them so.
func TestViolations(t *testing.T) {
	for _, row := range []struct {
		why  string
		tell func(*tale)
		want string // in the one violation; "": there is none
	}{
		{"places come and are seen", func(t *tale) { t.gets(6, t.sends(5, 0, 0, 2), 2, 0) }, ""},
		{"an answer was lost, the next request gets it", func(t *tale) {
			t.sends(5, 3, 3, 2)
			t.gets(8, t.sends(7, 3, 3, 2), 3, 3)
		}, ""},
		{"an answer was lost, somebody sees what became of it before there is a receipt", func(t *tale) {
			t.sends(5, 3, 3, 2)
			t.gets(7, t.sends(6, 0, 0, 2), 3, 0)
			t.gets(9, t.sends(8, 3, 3, 2), 3, 3)
		}, ""},
		{"a leader that was replaced is behind others, not behind the receipt named", func(t *tale) {
			old := t.sends(5, 0, 0, 2)
			t.gets(6, t.sends(5, 3, 3, 2), 3, 3)
			t.gets(7, old, 2, 0)
		}, ""},
		{"the same, begun after the receipt that it does not name", func(t *tale) {
			t.gets(6, t.sends(5, 3, 3, 2), 3, 3)
			t.gets(8, t.sends(7, 0, 0, 2), 2, 0)
		}, ""},
		{"the answer is behind the receipt named", func(t *tale) { t.gets(6, t.sends(5, 0, 0, 2), 1, 0) }, "not linearizable"},
		{"the journal is gone", func(t *tale) { t.gets(6, t.sends(5, 0, 0, 2), 0, 0) }, "not linearizable"},
		{"a tip that was never sent", func(t *tale) { t.gets(6, t.sends(5, 0, 0, 2), 3, 0) }, "not linearizable"},
		{"a leader commits and does not see what was delivered before", func(t *tale) {
			t.gets(6, t.sends(5, 3, 3, 2), 1, 3)
		}, "not linearizable"},
		{"a place is delivered, then nobody has it, then it is there again", func(t *tale) {
			t.gets(6, t.sends(5, 3, 3, 2), 3, 3)
			t.gets(8, t.sends(7, 0, 0, 3), 2, 0)
			t.gets(10, t.sends(9, 0, 0, 3), 3, 0)
		}, "not linearizable"},
		{"a receipt for what was never sent", func(t *tale) { t.gets(6, t.sends(5, 3, 3, 2), 3, 4) }, "of which 3 were sent"},
		{"two positions for one place", func(t *tale) {
			t.gets(6, t.sends(5, 3, 3, 2), 3, 3)
			t.answered(t.sends(7, 3, 3, 2), &syncpb.Response{
				Tips: []*syncpb.Place{{Seq: 3, Hash: hashOf(3)}}, Receipt: &syncpb.Receipt{Place: &syncpb.Place{Seq: 3, Hash: hashOf(3)}, Position: 31}})
		}, "two receipts"},
		{"another change at the place", func(t *tale) {
			t.answered(t.sends(5, 0, 0, 2), &syncpb.Response{Tips: []*syncpb.Place{{Seq: 2, Hash: hashOf(9)}}})
		}, "has hash"},
		{"two tips", func(t *tale) {
			t.answered(t.sends(5, 0, 0, 2), &syncpb.Response{Tips: []*syncpb.Place{{Seq: 2, Hash: hashOf(2)}, {Seq: 2, Hash: hashOf(9)}}})
		}, "2 tips"},
	} {
		told := begin()
		row.tell(told)
		got := told.violations(time.Minute)
		if row.want == "" && len(got) > 0 || row.want != "" && (len(got) != 1 || !strings.Contains(got[0], row.want)) {
			t.Errorf("%s: %q, want %q", row.why, got, row.want)
		}
	}
}

// TestAcceptedSince: only what was begun after a fault was healed tells that it is over.
func TestAcceptedSince(t *testing.T) {
	told := begin()
	told.gets(9, told.sends(5, 3, 3, 2), 3, 3)
	told.gets(12, told.sends(10, 4, 4, 3), 4, 4)
	for since, want := range map[time.Duration]time.Duration{0: 2, 2: 4, 4: 9, 6: 12, 10: 12, 11: 0} {
		got, ok := told.acceptedSince(since * time.Second)
		if got != want*time.Second || ok != (want > 0) {
			t.Errorf("since %d: %v %v, want %d", since, got, ok, want)
		}
	}
	if n := told.acceptedIn(3*time.Second, 9*time.Second); n != 2 {
		t.Errorf("%d accepted between 3 and 9, want 2", n)
	}
}

// shelf is a state in memory.
type shelf []uint64 // places of the tale's journal in order; each at ten times its number

// Find implements state.
func (s shelf) Find(_ string, j syncproto.JournalID, seq uint64, hash []byte) (syncproto.Position, bool, error) {
	return syncproto.Position(seq * 10), j == taleJournal && slices.Contains(s, seq) && slices.Equal(hash, hashOf(seq)), nil
}

// Each implements state.
func (s shelf) Each(do func(j syncproto.JournalID, seq uint64) error) error {
	for _, seq := range s {
		if err := do(taleJournal, seq); err != nil {
			return err
		}
	}
	return nil
}

// moved has everything ten positions later.
type moved struct{ shelf }

// Find implements state.
func (s moved) Find(u string, j syncproto.JournalID, seq uint64, hash []byte) (syncproto.Position, bool, error) {
	at, ok, err := s.shelf.Find(u, j, seq, hash)
	return at + 10, ok, err
}

// TestHonoured: states that break receipts, or have what nobody sent, or twice.
func TestHonoured(t *testing.T) {
	for _, row := range []struct {
		why    string
		state  state
		broken int
		words  int
	}{
		{"all is there", shelf{1, 2}, 0, 0},
		{"and one that was sent and has no receipt", shelf{1, 2, 3}, 0, 0},
		{"one was forgotten", shelf{1}, 1, 2},
		{"all were", shelf{}, 2, 3},
		{"one in the middle", shelf{2}, 1, 2},
		{"one stands twice", shelf{1, 2, 2}, 0, 1},
		{"one was never sent", shelf{1, 2, 3, 4}, 0, 1},
		{"other positions", moved{shelf{1, 2}}, 2, 2},
	} {
		told := begin()
		told.sends(5, 3, 3, 2)
		broken, words, err := told.honoured("n1", row.state)
		if err != nil || broken != row.broken || len(words) != row.words {
			t.Errorf("%s: %d broken, %q, %v; want %d and %d words", row.why, broken, words, err, row.broken, row.words)
		}
	}
}
