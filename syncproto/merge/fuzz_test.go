package merge

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
)

// FuzzMerge: whatever change meets whatever record, merging ends, twice with the same result;
// it leaves what it was given as it was; and what comes of it does not depend on whether the
// record was kept in memory or written and read, nor does its digest.
func FuzzMerge(f *testing.F) {
	id := syncproto.RecordID{1}
	full := &syncproto.Change{
		Union: "u1", Kind: 2, ID: id, Edits: []syncproto.Edit{
			put(name, "x", dot(1, 1)), {Field: phone, Cleared: true},
			{Field: tags, Add: [][]byte{[]byte("a")}, Remove: []syncproto.ElementDots{{Element: []byte("b"), Dots: []syncproto.Dot{dot(2, 1)}}}},
			put(syncproto.FieldVoid, "never was"),
		},
		Resolves: []syncproto.FieldDot{{Field: name, Dot: dot(3, 3)}}, Saw: []syncproto.FieldDot{{Field: phone, Dot: dot(1, 2)}},
	}
	plain := &syncproto.Change{Union: "u1", Kind: 2, ID: id, Edits: []syncproto.Edit{put(name, "y", dot(9, 4))}}
	for _, c := range []*syncproto.Change{full, plain} {
		if err := c.Check(); err != nil {
			f.Fatal(err) // it would go no further
		}
	}
	for _, r := range [][]byte{nil, golden().Encode()} {
		f.Add(r, full.Encode(1), plain.Encode(2), uint64(9))
		f.Add(r, plain.Encode(1), full.Encode(2), uint64(3))
	}
	f.Fuzz(func(t *testing.T, record, first, second []byte, pos uint64) {
		var before *Record
		if len(record) > 0 {
			var err error
			if before, err = Decode(record); err != nil {
				return
			}
		}
		for i, b := range [][]byte{first, second} {
			own := syncproto.JournalID(i + 1)
			c, err := syncproto.DecodeChange(b, own)
			if err != nil || c.Check() != nil {
				return
			}
			before = mergeBothWays(t, before, c, syncproto.Dot{Journal: own, Seq: 1 + pos%7, Tag: 5}, syncproto.Position(pos))
		}
	})
}

// mergeBothWays merges into a record as it is in memory and as it is read from bytes.
func mergeBothWays(t *testing.T, before *Record, c *syncproto.Change, d syncproto.Dot, pos syncproto.Position) *Record {
	t.Helper()
	var read *Record
	var was []byte
	if before != nil {
		was = before.Encode()
		var err error
		if read, err = Decode(was); err != nil {
			t.Fatalf("what was encoded does not decode: %v", err)
		}
	}
	got, result := Merge(class, before, c, d, pos)
	again, same := Merge(class, read, c, d, pos)
	if before != nil && !bytes.Equal(before.Encode(), was) {
		t.Fatal("merging changed the record that it was given")
	}
	if diff := cmp.Diff(result, same); diff != "" {
		t.Fatalf("two results: %s", diff)
	}
	one, other := got.Encode(), again.Encode()
	if !bytes.Equal(one, other) {
		t.Fatalf("two records: %x and %x", one, other)
	}
	back, err := Decode(one)
	if err != nil {
		t.Fatalf("what was merged does not decode: %v", err)
	}
	key := syncproto.RecordKey{Kind: 2}
	if Hash(key, back) != Hash(key, got) || ShortHash(key, again) != ShortHash(key, got) {
		t.Fatal("the digest depends on the encoding")
	}
	return got
}
