package ledger

import (
	"bytes"
	"testing"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// TestNewGeneration: another life begins above every number known, learned ones included;
// positions start anew in it, and twins of one number are both kept.
func TestNewGeneration(t *testing.T) {
	n := begun(t, Config{Memory: true})
	staff := func(id byte) {
		n.apply(&entrypb.Staff{Actor: "a", Node: "n1", Changes: []*entrypb.StaffChange{{
			Union: syncproto.CityUnion, Kind: 9, Id: bytes.Repeat([]byte{id}, 16), Fields: []*entrypb.FieldValue{{Field: 10, Value: []byte{'0' + id}}},
		}}})
	}
	staff(1)
	old := syncproto.MakePosition(1, 1)
	for _, row := range []struct {
		why     string
		number  uint32
		base    syncproto.Position
		learned []*entrypb.Generation
		refused bool
	}{
		{"the number that is", 1, old, nil, true},
		{"no number", 0, old, nil, true},
		{"more than a position has room for", 1 << 16, old, nil, true},
		{"a base that is not here", 2, old + 1, nil, true},
		{"not above one that is learned", 3, old, []*entrypb.Generation{{Number: 3, Random: 5}}, true},
		{"one above", 2, old, nil, false},
		{"above a twin of the own number", 4, old, []*entrypb.Generation{{Number: 2, Random: 9}, {Number: 3, Random: 5}}, false},
	} {
		before := n.l.Head()
		res := n.apply(&entrypb.NewGeneration{Time: 5, Learned: row.learned,
			Next: &entrypb.Generation{Number: row.number, Random: 1000 + uint64(row.number), Base: uint64(row.base)}})
		if _, refused := res.(error); refused != row.refused {
			t.Fatalf("%s: %v", row.why, res)
		}
		if row.refused {
			if n.l.Head() != before {
				t.Fatalf("%s: the head moved to %s", row.why, n.l.Head())
			}
			continue
		}
		staff(byte(row.number))
		want := syncproto.MakePosition(uint16(row.number), 1)
		if row.learned != nil {
			want++ // what the life before gave above the base was given anew
		}
		if n.l.Head() != want {
			t.Fatalf("%s: head %s, want %s", row.why, n.l.Head(), want)
		}
	}
	lives, err := n.l.Lineage()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		number uint16
		random uint64
	}{{1, 77}, {2, 1002}, {2, 9}, {3, 5}, {4, 1004}} {
		if _, ok := lives.Find(want.number, want.random); !ok {
			t.Errorf("life %d of %d is not known", want.number, want.random)
		}
	}
	if own, err := n.l.Generation(); err != nil || own.GetRandom() != 1004 || len(lives) != 5 {
		t.Errorf("the own life is %v of %d, %v", own, len(lives), err)
	}
	v := n.l.View(syncproto.CityUnion)
	defer v.Done()
	for _, random := range []uint64{77, 1002, 1004} { // staff have a journal in each life
		if tips, err := v.Tips(StaffJournal(syncproto.CityUnion, random)); err != nil || len(tips) != 1 {
			t.Errorf("tips of the staff journal of %d: %v, %v", random, tips, err)
		}
	}
}

// TestOpenFrom: a state that was put back from a snapshot is the same to the last byte and
// goes on, in memory and on disk; damage is refused.
func TestOpenFrom(t *testing.T) {
	n := begun(t, Config{Memory: true})
	n.apply(&entrypb.Watermark{Time: 1, Position: 5})
	dump := n.dump()
	for _, cfg := range []Config{{Memory: true}, {Dir: t.TempDir(), Key: testKey}} {
		l, err := OpenFrom(cfg, bytes.NewReader(dump))
		if err != nil {
			t.Fatal(err)
		}
		back := &node{t: t, l: l, index: l.Applied()}
		if !bytes.Equal(back.dump(), dump) || l.Watermark() != 5 {
			t.Error("the state differs")
		}
		back.apply(&entrypb.NewGeneration{Time: 5, Next: &entrypb.Generation{Number: 2, Random: 3}})
		if l.Head().Generation() != 2 {
			t.Errorf("head %s", l.Head())
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := OpenFrom(Config{Memory: true}, bytes.NewReader(dump[:len(dump)-1])); err == nil {
		t.Error("a snapshot that is cut off is taken")
	}
}

// TestPositionsAreGivenAnew: a life whose base lies below the head gives what stands above it
// new positions, in the same order: log, places, feed, history, records and held changes.
func TestPositionsAreGivenAnew(t *testing.T) {
	n := begun(t, Config{Memory: true})
	name := memberField(t, "name")
	send := func(j syncproto.JournalID, id byte, held bool) syncproto.Place {
		t.Helper()
		c := syncproto.Change{Union: "u1", Kind: memberKind, ID: syncproto.RecordID{id}, Edits: []syncproto.Edit{{Field: name, Value: []byte{'a' + id}}}}
		b := c.Encode(j)
		s := &entrypb.Segment{Journal: uint64(j), First: 1, Changes: [][]byte{b}}
		if held {
			s.Held = []byte{byte(syncproto.HeldValue)}
		}
		n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}})
		return syncproto.Place{Journal: j}.Next(b)
	}
	send(1, 1, false)
	base := n.l.Head()
	places := []syncproto.Place{send(2, 2, false), send(3, 3, true), send(4, 4, false)}
	digest := func() syncproto.Hash {
		v := n.l.View("u1")
		defer v.Done()
		d, err := v.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	before := digest()
	n.apply(&entrypb.NewGeneration{Time: 5, Next: &entrypb.Generation{Number: 2, Random: 8, Base: uint64(base)}})
	if digest() != before {
		t.Error("the records differ")
	}
	v := n.l.View("u1")
	defer v.Done()
	last := base
	for i, p := range places {
		_, verdict, ok, err := v.Find(p.Journal, p.Seq, p.Hash.Wire())
		if err != nil || !ok || verdict.Position.Generation() != 2 || verdict.Position <= last {
			t.Fatalf("change %d stands at %s after %s, %v %v", i, verdict.Position, last, ok, err)
		}
		last = verdict.Position
	}
	lives, err := n.l.Lineage()
	if err != nil {
		t.Fatal(err)
	}
	logged, fed := 0, 0
	for l, err := range v.Log(0) {
		if logged++; err != nil || !lives.Holds(l.Verdict.Position) {
			t.Errorf("position %s: %v", l.Verdict.Position, err)
		}
	}
	err = v.Feed(0, func(p syncproto.Position, key syncproto.RecordKey, _ []byte) (bool, error) {
		if rec, err := v.Read(key); err != nil || rec.Pos != p || !lives.Holds(p) {
			t.Errorf("record %s at %s is fed at %s, %v", key.ID, rec.Pos, p, err)
		}
		fed++
		return true, nil
	})
	if err != nil || fed == 0 {
		t.Errorf("%d fed, %v", fed, err)
	}
	q, err := readQueue(v.r.txn, "u1", 3, syncproto.RecordKey{Kind: memberKind, ID: syncproto.RecordID{3}})
	if err != nil || len(q.GetPositions()) != 1 || syncproto.Position(q.GetPositions()[0]).Generation() != 2 {
		t.Errorf("held: %v %v", q, err)
	}
}
