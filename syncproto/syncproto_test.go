package syncproto

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/*.golden anew")

const own JournalID = 0x1122334455667788

// goldenChange has every part that a change can have.
func goldenChange() *Change {
	mine := Dot{Journal: own, Seq: 3, Tag: 0xdeadbeef}
	other := Dot{Journal: 9, Seq: 1, Tag: 7}
	return &Change{
		Union: "330702001", Kind: 2, ID: RecordID{0: 1, 15: 2}, KindVersion: 1, Actor: "王芳", Time: 1790000000,
		Group: 42, Base: MakePosition(1, 300),
		Edits: []Edit{
			{Field: 10, Value: []byte("张三"), Overwrote: []Dot{mine, other}},
			{Field: 11, Cleared: true},
			{Field: 12, Add: [][]byte{[]byte("a")}, Remove: []ElementDots{{Element: []byte("b"), Dots: []Dot{mine}}}},
		},
		Resolves: []FieldDot{{Field: 10, Dot: other}, {Dot: mine}},
		Saw:      []FieldDot{{Field: 11, Dot: mine}},
		Verb:     VerbAccept,
		Note:     "更正",
	}
}

func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestGoldenChange: a change's bytes, its chain of hashes and what signatures cover are
// formats that never change.
func TestGoldenChange(t *testing.T) {
	c := goldenChange()
	b := c.Encode(own)
	p := Place{Journal: own, Seq: 6, Hash: NextHash(Hash{}, []byte("before"))}
	next := p.Next(b)
	v := []Verdict{{Position: MakePosition(1, 7), Kind: VerdictApplied, Hash: RecordHash{1}}, {Position: MakePosition(1, 8), Kind: VerdictHeld, Reason: HeldValue}}
	verdicts := VerdictsHash(v)
	gen := Generation{Number: 2, Random: 5, Base: MakePosition(1, 6), Operator: "ops", Reason: "restore"}
	var out strings.Builder
	for _, row := range []struct {
		name  string
		bytes []byte
	}{
		{"change", b}, {"hash", next.Hash[:]}, {"segment message", SegmentMessage("u1", next)},
		{"verdicts", verdicts[:]}, {"receipt message", ReceiptMessage("u1", 1, next, MakePosition(1, 8), verdicts)},
		{"generation message", gen.Message()}, {"kind file message", KindFileMessage("member.yaml", 3, []byte("x"))},
	} {
		fmt.Fprintf(&out, "%s %s\n", row.name, hex.EncodeToString(row.bytes))
	}
	fmt.Fprintf(&out, "dot %s\nposition %s\nid %s\n", next.Dot(), MakePosition(2, 5), HashedID("org-unit", "330702"))
	checkGolden(t, "testdata/change.golden", out.String())
	got, err := DecodeChange(b, own)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
}

// TestOwnDotsAreShort: a change is the same bytes whichever journal's name the dots had,
// and another reader resolves its own references to its own journal.
func TestOwnDotsAreShort(t *testing.T) {
	c := &Change{Union: "u", Kind: 2, ID: RecordID{1}, Edits: []Edit{{Field: 10, Value: []byte("x"), Overwrote: []Dot{{Journal: own, Seq: 1, Tag: 2}}}}}
	b := c.Encode(own)
	if strings.Contains(string(b), string([]byte{0x88, 0x77, 0x66})) {
		t.Error("the own journal's name is in the bytes")
	}
	got, err := DecodeChange(b, 5)
	if err != nil || got.Edits[0].Overwrote[0].Journal != 5 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestUnknownFieldsSurvive: what a newer program writes is skipped in reading and kept in
// the bytes, which are never encoded again.
func TestUnknownFieldsSurvive(t *testing.T) {
	b := append(goldenChange().Encode(own), 0xfa, 0x06, 0x03, 'n', 'e', 'w')
	got, err := DecodeChange(b, own)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenChange(), got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestCheck(t *testing.T) {
	for _, row := range []struct {
		why  string
		harm func(*Change)
	}{
		{"no union", func(c *Change) { c.Union = "" }},
		{"a union code that is too long", func(c *Change) { c.Union = strings.Repeat("x", MaxUnionCode+1) }},
		{"no kind", func(c *Change) { c.Kind = 0 }},
		{"no record", func(c *Change) { c.ID = RecordID{} }},
		{"an actor that is too long", func(c *Change) { c.Actor = strings.Repeat("x", MaxActorBytes+1) }},
		{"a note that is no text", func(c *Change) { c.Note = "\xff" }},
		{"a verb of the future", func(c *Change) { c.Verb = 9 }},
		{"nothing done", func(c *Change) { c.Edits, c.Resolves = nil, nil }},
		{"a field edited twice", func(c *Change) { c.Edits[1].Field = 10 }},
		{"no field", func(c *Change) { c.Edits[0].Field = 0 }},
		{"an edit that is value and cleared", func(c *Change) { c.Edits[0].Cleared = true }},
		{"an edit that is nothing", func(c *Change) { c.Edits[1].Cleared = false }},
		{"an edit of a set that overwrites", func(c *Change) { c.Edits[2].Overwrote = []Dot{{}} }},
		{"an empty element", func(c *Change) { c.Edits[2].Add = [][]byte{nil} }},
		{"a removal that saw nothing", func(c *Change) { c.Edits[2].Remove[0].Dots = nil }},
	} {
		c := goldenChange()
		row.harm(c)
		if c.Check() == nil {
			t.Errorf("%s: accepted", row.why)
		}
	}
}

func TestRecordID(t *testing.T) {
	id := HashedID("case", "a", "b")
	if got, err := ParseRecordID(id.String()); err != nil || got != id {
		t.Errorf("%s: %v, %v", id, got, err)
	}
	if HashedID("ab", "c") == HashedID("a", "bc") {
		t.Error("parts run into each other")
	}
	for _, bad := range []string{"", "x", strings.Repeat("g", 32), id.String() + "0"} {
		if _, err := ParseRecordID(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestChainCommitsToAll: a change anywhere before changes every hash behind it.
func TestChainCommitsToAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 8), 1, 6).Draw(t, "changes")
		chain := func() (p Place) {
			for _, b := range all {
				p = p.Next(b)
			}
			return p
		}
		before := chain()
		i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
		all[i][0] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if chain().Hash == before.Hash {
			t.Fatal("hash stayed")
		}
	})
}

func TestPosition(t *testing.T) {
	p := MakePosition(3, 9)
	if p.Generation() != 3 || p.Count() != 9 || p <= MakePosition(2, MaxPositionCount) {
		t.Errorf("position %s", p)
	}
}

// TestParseDot: a dot is read back from its words, and nothing that only looks like one is.
func TestParseDot(t *testing.T) {
	d := Dot{Journal: 0x1234, Seq: 7, Tag: 0xabc}
	if got, ok := ParseDot(d.String()); !ok || got != d {
		t.Errorf("%s is read as %s, %v", d, got, ok)
	}
	for _, bad := range []string{"", "x", d.String() + " ", d.String() + "0", "1234/7/abc", " " + d.String(), "0000000000001234/-7/00000abc"} {
		if got, ok := ParseDot(bad); ok {
			t.Errorf("%q is read as %s", bad, got)
		}
	}
}

func FuzzDecodeChange(f *testing.F) {
	f.Add(goldenChange().Encode(own))
	f.Add([]byte{})
	f.Add([]byte{0x4a, 0x02, 0x08, 0x0a})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeChange(b, own)
		if err != nil {
			return
		}
		enc := c.Encode(own)
		if len(enc) > MaxChangeBytes {
			return
		}
		again, err := DecodeChange(enc, own)
		if err != nil {
			t.Fatalf("what was decoded does not decode again: %v", err)
		}
		if string(again.Encode(own)) != string(enc) {
			t.Fatal("a second round trip differs")
		}
		_ = c.Check()
	})
}
