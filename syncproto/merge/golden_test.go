package merge

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"testing"

	"unionsync/syncproto"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/record.golden anew")

// golden is a record with every part that its bytes can have.
func golden() *Record {
	d := dot(1, 1)
	return &Record{
		Pos: syncproto.MakePosition(1, 7), By: 2,
		Fields: []Field{
			{Number: syncproto.FieldVoid, Entries: []Entry{{Value: []byte("录入错误"), Dots: []syncproto.Dot{dot(2, 9)}}}},
			{Number: name, Entries: []Entry{{Value: []byte("张三"), Dots: []syncproto.Dot{d}}, {Cleared: true, Dots: []syncproto.Dot{d, dot(2, 3)}}}},
			{Number: tags, Elements: []Element{{Value: []byte("a"), Dots: []syncproto.Dot{d}}}},
		},
		Early:        []syncproto.FieldDot{{Field: name, Dot: dot(3, 1)}},
		EarlyRemoved: []RemovedElement{{Field: tags, Element: []byte("b"), Dot: dot(3, 2)}},
		VoidSaw:      []VoidSaw{{Void: dot(2, 9), Saw: syncproto.FieldDot{Field: name, Dot: dot(3, 4)}}},
		Doubts:       []syncproto.FieldDot{{Field: name, Dot: dot(2, 9)}},
	}
}

// TestGolden: the bytes of a record and its hash are a format on disk and on the wire.
func TestGolden(t *testing.T) {
	r := golden()
	h := Hash(syncproto.RecordKey{Kind: 2, ID: syncproto.RecordID{0: 1, 15: 2}}, r)
	got := fmt.Sprintf("record %s\nhash %s\n", hex.EncodeToString(r.Encode()), hex.EncodeToString(h[:]))
	const file = "testdata/record.golden"
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(golden().Encode())
	f.Add([]byte{})
	f.Add([]byte{0x22, 0x02, 0x12, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(r.Encode())
		if err != nil {
			t.Fatalf("what was decoded does not decode again: %v", err)
		}
		if string(again.Encode()) != string(r.Encode()) {
			t.Fatal("a second round trip differs")
		}
		c := change(put(name, "x"))
		Merge(class, r, c, dot(9, 9), 9)
	})
}
