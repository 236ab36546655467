package ledger

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// FuzzApplyAlike: two replicas that are given the same entries, however these are made, come
// to the same results, the same errors and, byte for byte, the same state. An entry is given
// as its bytes, or as two changes of a batch, which then get as far as the merge.
func FuzzApplyAlike(f *testing.F) {
	edit := func(v string) []syncproto.Edit {
		return []syncproto.Edit{{Field: memberField(f, "name"), Value: []byte(v)}}
	}
	one := (&syncproto.Change{Union: "u1", Kind: 2, ID: syncproto.RecordID{1}, KindVersion: 1, Edits: edit("a")}).Encode(5)
	two := (&syncproto.Change{Union: "u1", Kind: 2, ID: syncproto.RecordID{1}, KindVersion: 1, Edits: edit("b")}).Encode(5)
	accept := (&syncproto.Change{Union: "u1", Kind: 2, ID: syncproto.RecordID{1}, Verb: syncproto.VerbAccept,
		Resolves: []syncproto.FieldDot{{Dot: syncproto.Dot{Journal: 5, Seq: 1, Tag: 1}}}}).Encode(5)
	raw, err := Entry(&entrypb.Staff{Time: 1, Actor: "a", Changes: []*entrypb.StaffChange{{Union: "city", Kind: 9, Id: bytes.Repeat([]byte{1}, 16)}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, one, two, byte(5), byte(syncproto.HeldNot))
	f.Add([]byte{}, one, accept, byte(5), byte(syncproto.HeldValue))
	f.Add(raw, []byte{}, []byte{}, byte(0), byte(0))
	f.Add([]byte{typeStaff, 1}, one, two, byte(6), byte(0))
	nodes := []*node{begun(f, Config{Memory: true}), begun(f, Config{Memory: true})}
	turn := 0
	f.Fuzz(func(t *testing.T, entry, first, second []byte, journal, held byte) {
		if len(entry) == 0 {
			entry = batchOf(t, nodes[0].l, syncproto.JournalID(journal), held, first, second)
		}
		var said [2]string
		for i, n := range nodes {
			n.t = t // it fails for whoever runs now
			res, err := n.l.Apply(n.l.Applied()+1, entry)
			said[i] = fmt.Sprintf("%+v %v", res, err)
		}
		if said[0] != said[1] {
			t.Fatalf("two replicas say\n%s\n%s", said[0], said[1])
		}
		if turn++; turn%compareEvery == 0 && !bytes.Equal(nodes[0].dump(), nodes[1].dump()) {
			t.Fatal("two replicas have different states")
		}
	})
}

// compareEvery is how often the whole states are compared: they grow.
const compareEvery = 256

// batchOf is a batch of two changes behind a journal's newest place.
func batchOf(t *testing.T, l *Ledger, j syncproto.JournalID, held byte, changes ...[]byte) []byte {
	t.Helper()
	v := l.View("u1")
	defer v.Done()
	tips, err := v.Tips(j)
	if err != nil {
		t.Fatal(err)
	}
	s := &entrypb.Segment{Journal: uint64(j), First: 1, Changes: changes, Held: []byte{held, 0}}
	if len(tips) > 0 {
		s.First, s.Previous = tips[0].Seq+1, tips[0].Hash.Wire()
	}
	var m proto.Message = &entrypb.Batch{Time: 1, Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}}
	b, err := Entry(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
