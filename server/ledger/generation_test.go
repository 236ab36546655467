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
		moved   uint64 // what stood above the base
	}{
		{"the number that is", 1, old, nil, true, 0},
		{"no number", 0, old, nil, true, 0},
		{"more than a position has room for", 1 << 16, old, nil, true, 0},
		{"a base that is not here", 2, old + 1, nil, true, 0},
		{"not above one that is learned", 3, old, []*entrypb.Generation{{Number: 3, Random: 5}}, true, 0},
		{"one above", 2, old, nil, false, 0},
		{"above a twin of the own number", 4, old, []*entrypb.Generation{{Number: 2, Random: 9}, {Number: 3, Random: 5}}, false, 1},
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
		moved := n.l.Head().Count()
		staff(byte(row.number))
		if want := syncproto.MakePosition(uint16(row.number), moved+1); n.l.Head() != want || moved != row.moved {
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

// TestWatermark: it is a position of this log, up to where every backup offered has it too.
// Where the backups are all of another branch it is where that one parts from this one:
// positions are compared by number, and what is said to be archived is forgotten by agents.
func TestWatermark(t *testing.T) {
	n := begun(t, Config{Memory: true})
	staff := func(id byte) {
		n.apply(&entrypb.Staff{Actor: "a", Node: "n1", Changes: []*entrypb.StaffChange{{
			Union: syncproto.CityUnion, Kind: 9, Id: bytes.Repeat([]byte{id}, 16), Fields: []*entrypb.FieldValue{{Field: 10, Value: []byte{'0' + id}}},
		}}})
	}
	for id := range byte(3) {
		staff(id + 1)
	}
	at := syncproto.MakePosition
	n.apply(&entrypb.NewGeneration{Time: 5, Learned: []*entrypb.Generation{{Number: 2, Random: 9, Base: uint64(at(1, 1))}},
		Next: &entrypb.Generation{Number: 3, Random: 4, Base: uint64(at(1, 3))}})
	staff(4)
	for _, row := range []struct {
		why       string
		say, want syncproto.Position
	}{
		{"a backup of this life", at(3, 1), at(3, 1)},
		{"one of the life before", at(1, 2), at(1, 2)},
		{"newer than this state", at(3, 9), n.l.Head()},
		{"of a life that this one does not go back to: its numbers are above 1/3, and it has no more than 1/1 of this log", at(2, 7), at(1, 1)},
		{"of a life that nobody here knows", at(7, 1), 0},
	} {
		n.apply(&entrypb.Watermark{Time: 6, Position: uint64(row.say)})
		if got := n.l.Watermark(); got != row.want {
			t.Errorf("%s: %s becomes %s, want %s", row.why, row.say, got, row.want)
		}
	}
}

// TestOpenFrom: a state that was put back from a snapshot is the same to the last byte and
// goes on, in memory and on disk; damage is refused.
func TestOpenFrom(t *testing.T) {
	n := begun(t, Config{Memory: true})
	n.apply(&entrypb.Staff{Actor: "a", Node: "n1", Changes: []*entrypb.StaffChange{{
		Union: syncproto.CityUnion, Kind: 9, Id: bytes.Repeat([]byte{1}, 16), Fields: []*entrypb.FieldValue{{Field: 10, Value: []byte("1")}}}}})
	archived := n.l.Head()
	n.apply(&entrypb.Watermark{Time: 1, Position: uint64(archived)})
	dump := n.dump()
	for _, cfg := range []Config{{Memory: true}, {Dir: t.TempDir(), Key: testKey}} {
		l, err := OpenFrom(cfg, bytes.NewReader(dump))
		if err != nil {
			t.Fatal(err)
		}
		back := &node{t: t, l: l, index: l.Applied()}
		if !bytes.Equal(back.dump(), dump) || l.Watermark() != archived {
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
