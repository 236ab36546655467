package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// plainLog is the rules of holding without queues and stored decisions: it looks through all
// that came, each time.
type plainLog struct {
	class   func(syncproto.KindNumber) merge.Classes
	staff   syncproto.JournalID
	all     []*plainChange
	records map[syncproto.RecordKey]*merge.Record
	opposed int
}

type plainChange struct {
	place  syncproto.Place
	change *syncproto.Change
	state  syncproto.VerdictKind // as it is now; held until somebody decides
	behind bool
	pos    syncproto.Position
	// decided is what the first decision about it said; of a change that has not come yet
	// the decision's own entry is looked up.
	decided bool
}

func (p *plainLog) find(d syncproto.Dot) *plainChange {
	for _, x := range p.all {
		if x.place.Dot() == d {
			return x
		}
	}
	return nil
}

// said is the first valid decision about a dot before position end. One that was held itself,
// because its author may not decide, decides nothing when somebody accepts it later.
func (p *plainLog) said(d syncproto.Dot, end int) syncproto.Verb {
	for _, x := range p.all[:end] {
		if x.change.Verb != syncproto.VerbNone && x.state == syncproto.VerdictApplied && !x.decided && slices.Contains(x.change.Resolves, syncproto.FieldDot{Dot: d}) {
			if y := p.find(d); y == nil || y.pos > x.pos || y.decided {
				return x.change.Verb
			}
		}
	}
	return syncproto.VerbNone
}

func (p *plainLog) merge(x *plainChange, pos syncproto.Position) {
	k := x.change.Key()
	p.records[k], _ = merge.Merge(p.class(k.Kind), p.records[k], x.change, x.place.Dot(), pos)
	x.state = syncproto.VerdictApplied
}

func (p *plainLog) queue(j syncproto.JournalID, k syncproto.RecordKey) (out []*plainChange) {
	for _, x := range p.all {
		if x.place.Journal == j && x.change.Key() == k && x.state == syncproto.VerdictHeld {
			out = append(out, x)
		}
	}
	return out
}

// arrive gives the kind and the reason that the ledger must come to, leaving aside how a
// merge was settled.
func (p *plainLog) arrive(place syncproto.Place, c *syncproto.Change, held bool, pos syncproto.Position) (syncproto.VerdictKind, syncproto.HeldReason) {
	x := &plainChange{place: place, change: c, pos: pos, state: syncproto.VerdictHeld}
	queue := p.queue(place.Journal, c.Key())
	early := p.said(place.Dot(), len(p.all))
	p.all = append(p.all, x)
	own := func(r syncproto.FieldDot) bool { return r.Dot.Journal == place.Journal }
	switch {
	case c.Verb != syncproto.VerbNone && !held:
		if place.Journal != p.staff && (c.Verb == syncproto.VerbAccept || !all(c.Resolves, own)) {
			if early == syncproto.VerbAccept {
				p.merge(x, pos)
				x.decided = true
				return syncproto.VerdictApplied, 0
			}
			if early == syncproto.VerbDrop {
				x.state, x.decided = syncproto.VerdictDropped, true
				return syncproto.VerdictDropped, 0
			}
			return syncproto.VerdictHeld, syncproto.HeldNotAllowed
		}
		x.state = syncproto.VerdictApplied
		p.decide(x, pos)
		return syncproto.VerdictApplied, 0
	case early == syncproto.VerbDrop:
		x.state, x.decided = syncproto.VerdictDropped, true
		return syncproto.VerdictDropped, 0
	case early == syncproto.VerbAccept:
		x.decided = true
	case held:
		return syncproto.VerdictHeld, syncproto.HeldValue
	case len(queue) > 0:
		x.behind = true
		return syncproto.VerdictHeld, syncproto.HeldBehind
	}
	p.merge(x, pos)
	return syncproto.VerdictApplied, 0
}

func all(r []syncproto.FieldDot, ok func(syncproto.FieldDot) bool) bool {
	return !slices.ContainsFunc(r, func(x syncproto.FieldDot) bool { return !ok(x) })
}

func (p *plainLog) decide(by *plainChange, pos syncproto.Position) {
	var journals []syncproto.JournalID
	var hits []*plainChange
	for _, r := range by.change.Resolves {
		if verb := p.said(r.Dot, len(p.all)-1); verb != syncproto.VerbNone {
			if verb != by.change.Verb {
				p.opposed++
			}
			continue
		}
		x := p.find(r.Dot)
		if x != nil && x.state == syncproto.VerdictHeld && x.change.Key() == by.change.Key() {
			hits = append(hits, x)
		}
	}
	slices.SortFunc(hits, func(a, b *plainChange) int { return int(a.pos) - int(b.pos) })
	for _, x := range slices.Compact(hits) {
		x.decided, x.state = true, syncproto.VerdictDropped
		if by.change.Verb == syncproto.VerbAccept {
			p.merge(x, pos)
		}
		if !slices.Contains(journals, x.place.Journal) {
			journals = append(journals, x.place.Journal)
		}
	}
	for _, j := range journals {
		for _, x := range p.queue(j, by.change.Key()) {
			if !x.behind {
				break
			}
			p.merge(x, pos)
		}
	}
}

// TestHeldLikePlain: whatever is held, decided early, twice or against each other, by those
// who may and those who may not, in whatever order it comes: the ledger does what the plain
// rules do, its digest is that of its records, and the union's log is whole. Seen to fail with
// the release of what was held behind left out, and with early decisions forgotten.
func TestHeldLikePlain(t *testing.T) {
	name := memberField(t, "name")
	n, unions := begun(t, Config{Memory: true}), 0
	// The centre writes in the journal of its own life: staff speak here from the one before.
	n.apply(&entrypb.NewGeneration{Time: 1, Next: &entrypb.Generation{Number: 2, Random: 78}})
	rapid.Check(t, func(rt *rapid.T) {
		unions++ // each time a union and journals of its own, since to open a ledger takes long
		union := fmt.Sprintf("u%d", unions)
		staff := StaffJournal(union, 77)
		p := &plainLog{class: Classes(n.l.Kinds()), staff: staff, records: map[syncproto.RecordKey]*merge.Record{}}
		made := map[syncproto.JournalID][]sent{}
		delivered := map[syncproto.JournalID]int{}
		journals := []syncproto.JournalID{syncproto.JournalID(2 * unions), syncproto.JournalID(2*unions + 1), staff}
		var dots []syncproto.Dot
		save := func(i int) {
			j := rapid.SampledFrom(journals).Draw(rt, "journal")
			c := &syncproto.Change{Union: union, Kind: memberKind, ID: syncproto.RecordID{byte(rapid.IntRange(1, 2).Draw(rt, "record"))}}
			if len(dots) > 0 && rapid.IntRange(0, 2).Draw(rt, "decides") == 0 {
				c.Verb = rapid.SampledFrom([]syncproto.Verb{syncproto.VerbAccept, syncproto.VerbDrop}).Draw(rt, "verb")
				for _, d := range rapid.SliceOfNDistinct(rapid.SampledFrom(dots), 1, 3, func(d syncproto.Dot) syncproto.Dot { return d }).Draw(rt, "about") {
					c.Resolves = append(c.Resolves, syncproto.FieldDot{Dot: d})
				}
			} else {
				c.Edits = []syncproto.Edit{{Field: name, Value: fmt.Appendf(nil, "n%d", i)}}
			}
			at := syncproto.Place{Journal: j}
			if k := len(made[j]); k > 0 {
				at = made[j][k-1].place
			}
			s := sent{prev: at, bytes: c.Encode(j), held: c.Verb == syncproto.VerbNone && j != staff && rapid.IntRange(0, 2).Draw(rt, "held") == 0}
			s.place, s.change = at.Next(s.bytes), c
			made[j] = append(made[j], s)
			dots = append(dots, s.place.Dot())
		}
		deliver := func(j syncproto.JournalID) {
			s := made[j][delivered[j]]
			delivered[j]++
			seg := &entrypb.Segment{Journal: uint64(j), First: s.place.Seq, Changes: [][]byte{s.bytes}}
			if s.held {
				seg.Held = []byte{byte(syncproto.HeldValue)}
			}
			if s.prev.Seq > 0 {
				seg.Previous = s.prev.Hash.Wire()
			}
			v := outcomes(n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: union, Segments: []*entrypb.Segment{seg}}}}))[0][0].Verdicts[0]
			kind, reason := p.arrive(s.place, s.change, s.held, v.Position)
			got := v.Kind
			if got == syncproto.VerdictParallel || got == syncproto.VerdictConflict {
				got = syncproto.VerdictApplied
			}
			if got != kind || v.Reason != reason {
				rt.Fatalf("change %s is %s %s, want %s %s", s.place.Dot(), v.Kind, v.Reason, kind, reason)
			}
		}
		for i := range rapid.IntRange(2, 25).Draw(rt, "steps") {
			save(i)
			for _, j := range journals {
				if delivered[j] < len(made[j]) && rapid.Bool().Draw(rt, "deliver") {
					deliver(j)
				}
			}
		}
		for _, j := range journals {
			for delivered[j] < len(made[j]) {
				deliver(j)
			}
		}
		v := n.l.View(union)
		defer v.Done()
		digest := checkCases(rt, n.l, v, p)
		for k, want := range p.records {
			r, err := v.Read(k)
			if err != nil {
				rt.Fatal(err)
			}
			if diff := cmp.Diff(want.Fields, r.Fields); diff != "" {
				rt.Fatalf("record %v (-want +got): %s", k, diff)
			}
			digest = merge.Xor(digest, merge.Hash(k, r))
		}
		if d, err := v.Digest(); err != nil || d != digest {
			rt.Fatalf("the digest is not that of the records: %v", err)
		}
		checkUnionLog(rt, v, made)
	})
	checkRecent(t, n.l)
}

// checkCases compares the open cases about conflicts and holds with what is in doubt, and
// gives the XOR of all cases' hashes.
func checkCases(rt *rapid.T, l *Ledger, v *View, p *plainLog) (digest syncproto.Hash) {
	open := map[string]string{}
	_, err := l.AllRecords([]syncproto.KindNumber{KindCase}, func(union string, key syncproto.RecordKey, r *merge.Record) error {
		if c := caseOf(union, key, r); union == v.union {
			digest = merge.Xor(digest, merge.Hash(key, r))
			if !c.Closed && (c.Type == CaseConflict || c.Type == CaseHeld) {
				open[fmt.Sprint(c.Type, c.Record, c.Field, c.Journal)] = c.Dots
			}
		}
		return nil
	})
	if err != nil {
		rt.Fatal(err)
	}
	want := map[string]string{}
	for k, r := range p.records {
		for _, x := range conflictDots(r, p.class(k.Kind)) {
			want[fmt.Sprint(CaseConflict, k, x.field, syncproto.JournalID(0))] = string((&doubt{dots: x.dots}).dotsText())
		}
	}
	for _, x := range p.all {
		if q := p.queue(x.place.Journal, x.change.Key()); len(q) > 0 {
			want[fmt.Sprint(CaseHeld, x.change.Key(), syncproto.FieldNumber(0), x.place.Journal)] = q[0].place.Dot().String()
		}
	}
	if diff := cmp.Diff(want, open); diff != "" {
		rt.Fatalf("open cases (-want +got): %s", diff)
	}
	return digest
}

type sent struct {
	prev, place syncproto.Place
	change      *syncproto.Change
	bytes       []byte
	held        bool
}

// checkUnionLog compares the union's log with what was delivered.
func checkUnionLog(rt *rapid.T, v *View, made map[syncproto.JournalID][]sent) {
	want := map[syncproto.Dot]sent{}
	for _, all := range made {
		for _, s := range all {
			want[s.place.Dot()] = s
		}
	}
	var last syncproto.Position
	for l, err := range v.Log(0, nil) {
		if err != nil {
			rt.Fatal(err)
		}
		if l.Verdict.Position <= last {
			rt.Fatalf("%s comes after %s", l.Verdict.Position, last)
		}
		last = l.Verdict.Position
		s, ok := want[l.Place.Dot()]
		if !ok {
			if l.Change == nil || l.Change.Kind != KindCase {
				rt.Fatalf("%s was not sent", l.Place.Dot())
			}
			continue // which the ledger wrote itself
		}
		if l.Place != s.place || l.Previous != s.prev.Hash || !bytes.Equal(l.Bytes, s.bytes) {
			rt.Fatalf("%s is not as it was sent", l.Place.Dot())
		}
		delete(want, l.Place.Dot())
	}
	if len(want) > 0 {
		rt.Fatalf("%d changes are missing in the log", len(want))
	}
}
