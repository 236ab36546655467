package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// drawState fills a centre with all that names positions: changes, held ones, decisions
// about them, also before they come, forks, staff's changes, a revocation and a note up to
// where rules were worked out.
func drawState(rt *rapid.T, n *node) {
	name := memberField(n.t, "name")
	journals := []*author{newAuthor(5, "u1"), newAuthor(6, "u1"), newAuthor(7, "u2")}
	staff := newAuthor(8, "u1")
	staff.journal = StaffJournal("u1", 77)
	for _, d := range journals {
		n.register(d, d.union)
	}
	var held []syncproto.Dot
	for i := range rapid.IntRange(5, 25).Draw(rt, "steps") {
		d := rapid.SampledFrom(journals).Draw(rt, "journal")
		c := &syncproto.Change{Union: d.union, Kind: memberKind, ID: syncproto.RecordID{byte(rapid.IntRange(1, 4).Draw(rt, "record"))}}
		c.Edits = []syncproto.Edit{{Field: name, Value: fmt.Appendf(nil, "n%d", i)}}
		seg := func(hold bool) *entrypb.Segment {
			d.add(c)
			s := d.segment(len(d.changes), len(d.changes), d.id)
			if hold {
				s.Held = []byte{byte(syncproto.HeldValue)}
				held = append(held, d.places[len(d.places)-1].Dot())
			}
			return s
		}
		switch rapid.SampledFrom([]string{"save", "save", "hold", "garbage", "staff", "decide", "revoke", "fork"}).Draw(rt, "step") {
		case "save":
			n.bring(d.union, d.id, seg(false))
		case "hold":
			n.bring(d.union, d.id, seg(true))
		case "garbage":
			d.addBytes([]byte{0xff, byte(i)})
			n.bring(d.union, d.id, d.segment(len(d.changes), len(d.changes), d.id))
		case "staff":
			n.apply(&entrypb.Staff{Time: int64(i), Actor: "t", Found: uint64(n.l.Head()), Changes: []*entrypb.StaffChange{{Union: d.union, Kind: 9,
				Id: bytes.Repeat([]byte{byte(i % 3)}, 16), Fields: []*entrypb.FieldValue{{Field: 10, Value: fmt.Append(nil, i)}}}}})
		case "decide":
			about := append(slices.Clone(held), syncproto.Dot{Journal: 5, Seq: uint64(i), Tag: 1}) // one that has not come
			dot := rapid.SampledFrom(about).Draw(rt, "about")
			verb := rapid.SampledFrom([]syncproto.Verb{syncproto.VerbAccept, syncproto.VerbDrop}).Draw(rt, "verb")
			n.apply(&entrypb.Staff{Time: int64(i), Actor: "t", Changes: []*entrypb.StaffChange{{Union: d.union, Kind: uint32(memberKind), Id: c.ID[:],
				Verb: uint32(verb), Resolves: []*entrypb.FieldDot{{Journal: uint64(dot.Journal), Seq: dot.Seq, Tag: dot.Tag}}}}})
		case "revoke":
			if i%3 == 0 {
				n.apply(&entrypb.Revoke{Time: 7, Revocation: n.revocation(d, d.union)})
			}
		case "fork":
			if len(d.changes) > 1 {
				d.places, d.changes = d.places[:len(d.places)-1], d.changes[:len(d.changes)-1]
				n.bring(d.union, d.id, seg(false))
			}
		}
	}
}

// add appends a change of the author's own.
func (d *author) add(c *syncproto.Change) { d.addBytes(c.Encode(d.journal)) }

func (d *author) addBytes(b []byte) {
	at := syncproto.Place{Journal: d.journal}
	if len(d.places) > 0 {
		at = d.places[len(d.places)-1]
	}
	d.places, d.changes = append(d.places, at.Next(b)), append(d.changes, b)
}

// crashIn applies the beginning of a life as far as some moves, and stops there as a crash
// would.
func (n *node) crashIn(m *entrypb.NewGeneration, moves int) {
	n.t.Helper()
	a := n.l.newApplier(0)
	defer func() { a.txn.Discard() }()
	check := func(err error) {
		if err != nil {
			n.t.Fatal(err)
		}
	}
	a.raiseTime(m.GetTime())
	check(a.voidCodes())
	at := syncproto.Position(m.GetNext().GetBase())
	if !a.meta.GetMoving() {
		check(a.beginLife(m))
	}
	next, err := a.standingAbove(at)
	check(err)
	for _, s := range next[:min(moves, len(next))] {
		check(a.move(s))
	}
	check(a.flush())
	check(n.l.commit(a.txn, a.meta, a.touched))
	check(n.l.load(n.l.db)) // as it is read when the node starts again
}

// meaning is all that a state says, with positions counted from the base on so that two
// states can be compared before and after a move.
type meaning struct {
	Log, Feed, History, Held, Decided, Revoked []string
	Records                                    map[string]string
}

func meaningOf(t testing.TB, n *node) meaning {
	t.Helper()
	m := meaning{Records: map[string]string{}}
	order := map[syncproto.Position]string{} // by what stands there
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := n.l.Log(0, func(i *LogItem) error {
		order[i.Position] = i.Place.Dot().String()
		m.Log = append(m.Log, fmt.Sprint(i.Union, i.Place, i.Verdict.Kind, i.Verdict.Reason))
		return nil
	})
	check(err)
	r := n.l.read()
	defer r.done()
	for _, x := range []struct {
		prefix byte
		to     *[]string
	}{{prefixFeed, &m.Feed}, {prefixUnion, &m.Log}, {prefixRevocation, &m.Revoked}, {prefixHistory, &m.History}} {
		check(eachMessage(r.txn, []byte{x.prefix}, func(k, v []byte) error {
			p, err := decodePosition(k[len(k)-8:])
			what := order[p]
			if x.prefix == prefixRevocation {
				what = "-" // it stands at a position of its own
			}
			*x.to = append(*x.to, fmt.Sprintf("%x %s %x", k[:len(k)-8], what, v))
			return err
		}))
	}
	check(eachMessage(r.txn, []byte{prefixPlace}, func(k, v []byte) error {
		p, err := decodePosition(v)
		m.Log = append(m.Log, fmt.Sprintf("%x %s", k, order[p]))
		return err
	}))
	check(eachMessage(r.txn, []byte{prefixHeld}, func(k, v []byte) error {
		q := new(entrypb.HeldQueue)
		err := proto.Unmarshal(v, q)
		for _, p := range q.Positions {
			m.Held = append(m.Held, fmt.Sprintf("%x %s", k, order[syncproto.Position(p)]))
		}
		return err
	}))
	check(eachMessage(r.txn, []byte{prefixEnded}, func(k, v []byte) error {
		d := new(entrypb.Decision)
		err := proto.Unmarshal(v, d)
		m.Decided = append(m.Decided, fmt.Sprintf("%x %d %v %s", k, d.GetVerb(), d.GetDone(), order[syncproto.Position(d.GetPosition())]))
		return err
	}))
	_, err = n.l.AllRecords(nil, func(union string, key syncproto.RecordKey, rec *merge.Record) error {
		at := order[rec.Pos]
		bare := *rec
		bare.Pos = 0
		m.Records[fmt.Sprint(union, key)] = fmt.Sprintf("%s %x", at, bare.Encode())
		return nil
	})
	check(err)
	return m
}

// checkHeld fails unless every position that the state names is of its newest life's log.
func checkHeld(rt *rapid.T, n *node) {
	lives, err := n.l.Lineage()
	if err != nil {
		rt.Fatal(err)
	}
	held := func(what string, p syncproto.Position) {
		if !lives.Holds(p) {
			rt.Fatalf("%s stands at %s, which the lineage does not hold", what, p)
		}
	}
	r := n.l.read()
	defer r.done()
	for what, prefix := range map[string]byte{"log": prefixLog, "union": prefixUnion, "feed": prefixFeed, "history": prefixHistory, "revocation": prefixRevocation} {
		if err := eachMessage(r.txn, []byte{prefix}, func(k, _ []byte) error {
			p, err := decodePosition(k[len(k)-8:])
			held(what, p)
			return err
		}); err != nil {
			rt.Fatal(err)
		}
	}
	if p, err := n.l.Found(); err != nil || p != 0 && !lives.Holds(p) {
		rt.Fatalf("rules were worked out up to %s, %v", p, err)
	}
}

// TestMoving: a life that begins below the head moves all that stands above its base to its
// own positions: nothing else differs, every position is held by the lineage, the census
// hears of what moved, and a replica that crashed on the way, and again, comes to the same
// bytes. Seen to fail with queues, decisions or revocations left where they were, and with
// the entry refused when it comes again.
func TestMoving(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, crashed := begun(t, Config{Memory: true}), newNode(t, Config{Memory: true})
		drawState(rt, n)
		for _, b := range n.log {
			crashed.raw(b)
		}
		head := n.l.Head()
		base := syncproto.MakePosition(1, rapid.Uint64Range(0, head.Count()).Draw(rt, "base"))
		if rapid.Bool().Draw(rt, "two lives") { // what is moved may be of several
			n.apply(&entrypb.NewGeneration{Time: 8, Next: &entrypb.Generation{Number: 2, Random: 8, Base: uint64(head)}})
			crashed.raw(n.log[len(n.log)-1])
			more := newAuthor(9, "u1")
			more.save(3)
			n.bring("u1", more.id, more.segment(1, 3, more.id))
			crashed.raw(n.log[len(n.log)-1])
			head = n.l.Head()
		}
		before := meaningOf(t, n)
		m := &entrypb.NewGeneration{Time: 9, Learned: []*entrypb.Generation{{Number: 3, Random: 4, Base: uint64(base)}},
			Next: &entrypb.Generation{Number: 4, Random: 5, Base: uint64(base)}}
		if res := n.apply(m); res != nil {
			rt.Fatal(res)
		}
		if diff := cmp.Diff(before, meaningOf(t, n)); diff != "" {
			rt.Fatalf("the move changed what the state says (-before +after): %s", diff)
		}
		checkHeld(rt, n)
		for range rapid.IntRange(1, 2).Draw(rt, "crashes") {
			crashed.crashIn(m, rapid.IntRange(0, 12).Draw(rt, "moves"))
		}
		if res := crashed.raw(n.log[len(n.log)-1]); res != nil {
			rt.Fatalf("the entry that comes again: %v", res)
		}
		if !bytes.Equal(n.dump(), crashed.dump()) {
			rt.Fatal("the replica that crashed differs")
		}
		checkRecent(rt, n.l)
		told := map[string]bool{}
		if _, err := n.l.Since(head, nil, func(union string, key syncproto.RecordKey, _ *merge.Record) error {
			told[fmt.Sprint(union, key)] = true
			return nil
		}); err != nil {
			rt.Fatal(err)
		}
		_, err := n.l.AllRecords(nil, func(union string, key syncproto.RecordKey, r *merge.Record) error {
			if r.Pos > base && !told[fmt.Sprint(union, key)] {
				rt.Fatalf("who follows the log is not told of %v", key)
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// TestMovingHalf: a state that was put back from the middle of a move goes on with it
// before anything else.
func TestMovingHalf(t *testing.T) {
	n := begun(t, Config{Memory: true})
	d := newAuthor(5, "u1")
	d.save(10)
	n.bring("u1", d.id, d.segment(1, 10, d.id))
	n.crashIn(&entrypb.NewGeneration{Time: 9, Next: &entrypb.Generation{Number: 2, Random: 5, Base: uint64(syncproto.MakePosition(1, 3))}}, 4)
	l, err := OpenFrom(Config{Memory: true}, bytes.NewReader(n.dump()))
	if err != nil {
		t.Fatal(err)
	}
	back := &node{t: t, l: l, index: l.Applied()}
	defer func() { _ = l.Close() }()
	d.save(1)
	if got := back.bring("u1", d.id, d.segment(11, 11, d.id)); len(got) != 1 {
		t.Fatalf("the next change: %v", got)
	}
	var counts []uint64
	if _, err := l.Log(syncproto.MakePosition(1, 3), func(i *LogItem) error {
		if i.Position.Generation() != 2 || i.Place.Seq != 3+i.Position.Count() {
			t.Errorf("change %d stands at %s", i.Place.Seq, i.Position)
		}
		counts = append(counts, i.Position.Count())
		return nil
	}); err != nil || len(counts) != 8 {
		t.Errorf("moved: %v, %v", counts, err)
	}
}
