package archive

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/internal/rpc/tlsid"
	"unionsync/server/ledger"
	"unionsync/syncproto"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/*.golden anew; only for a new version of a format")

var goldenManifest = Manifest{
	Name: "20260102T030405Z-2-4711-0a0b0c0d", City: strings.Repeat("ab", 32), Sealed: []byte("sealed"), Node: "n1", Version: "1.0", Made: 1767323045,
	LogID: "00112233445566778899aabbccddeeff", Index: 99, Position: syncproto.MakePosition(2, 4711), Time: 1767323000,
	Watermark: syncproto.MakePosition(1, 4000), Lives: []Life{{Number: 1, Random: "000000000000004d"}, {Number: 2, Random: "00000000000000ff", Base: syncproto.MakePosition(1, 4500)}},
	Bytes: 1234, Digest: strings.Repeat("cd", 32), Tally: ledger.Tally{Changes: 5, Records: 4, Unions: 3, Devices: 2, Lives: 2},
	Parts: []Part{{Name: "part-00001.age", Size: 321, SHA256: strings.Repeat("ef", 32)}},
}

var goldenSegment = Segment{
	LogID: goldenManifest.LogID, From: 99, To: 120, Previous: strings.Repeat("12", 32), Hash: strings.Repeat("34", 32),
	Position: syncproto.MakePosition(2, 4720), Time: 1767323100, Entries: 2, Size: 77, SHA256: strings.Repeat("56", 32),
}

var goldenEntries = []entry{{100, []byte("first")}, {300, bytes.Repeat([]byte("x"), 200)}}

// goldenNotes are those that TestGolden keeps, by the names of their lines.
func goldenNotes() map[string]any {
	return map[string]any{
		noteBackup: &goldenManifest, noteSegment: &goldenSegment,
		noteTip:       &tip{LogID: goldenManifest.LogID, To: 120, Hash: goldenSegment.Hash, Position: goldenSegment.Position, Time: 5},
		noteWatermark: &marks{Positions: []syncproto.Position{goldenManifest.Watermark, goldenManifest.Position}},
	}
}

// TestGolden: what an earlier release has kept can be read, and what is written today looks
// like it. The file is only ever added to.
func TestGolden(t *testing.T) {
	const file = "testdata/v1.golden"
	if *rewrite {
		writeGolden(t, file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string][]byte{}
	for line := range strings.Lines(string(b)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if lines[name], err = hex.DecodeString(digits); err != nil {
			t.Fatal(err)
		}
	}
	ca, err := tlsid.ParseCA(lines["ca"])
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range goldenNotes() {
		got := map[string]any{noteBackup: new(Manifest), noteSegment: new(Segment), noteTip: new(tip), noteWatermark: new(marks)}[kind]
		if err := openNote(ca, kind, lines[kind], got); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
		body, err := json.Marshal(want)
		if text := fmt.Sprintf("unionsync %s 1\n%s\n", kind, body); err != nil || !strings.HasPrefix(string(lines[kind]), text) {
			t.Errorf("%s is written otherwise now: %s", kind, text)
		}
	}
	if got := encodeEntries(goldenEntries); !bytes.Equal(got, lines["entries"]) {
		t.Errorf("entries are written otherwise now: %x", got)
	}
	c := beginChain(goldenManifest.LogID, 99).with(100, []byte("first"))
	if !bytes.Equal(c[:], lines["chain"]) {
		t.Errorf("the chain is %s now", c)
	}
}

func writeGolden(t *testing.T, file string) {
	c := newCentre(t)
	out := fmt.Sprintf("ca: %x\n", c.own.CA.Raw)
	for _, kind := range []string{noteBackup, noteSegment, noteTip, noteWatermark} {
		note, err := signNote(c.own, kind, goldenNotes()[kind])
		if err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintf("%s: %x\n", kind, note)
	}
	chain := beginChain(goldenManifest.LogID, 99).with(100, []byte("first"))
	out += fmt.Sprintf("entries: %x\nchain: %x\n", encodeEntries(goldenEntries), chain[:])
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestObjectNames: these are names that stand on targets for years.
func TestObjectNames(t *testing.T) {
	got := []string{
		nameOf(time.Unix(1767323045, 0), goldenManifest.Position, []byte{10, 11, 12, 13}), partName(0),
		segmentName("00ff", 99, 120), tipName("00ff"),
	}
	want := []string{
		"20260102T030405Z-2-4711-0a0b0c0d", "part-00001.age",
		"log/00ff/00000000000000000099-00000000000000000120.seg", "log/00ff/tip",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, want := range map[string]bool{want[2]: true, "log/00ff/tip": false, "log/00ff/99-120.seg": false, "log/" + want[2]: false} {
		if _, ok := spanOf(name); ok != want {
			t.Errorf("%s: a segment %v", name, ok)
		}
	}
}

func TestEntriesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []entry
		index := uint64(0)
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			index += rapid.Uint64Range(1, 1<<40).Draw(t, "step")
			want = append(want, entry{index, rapid.SliceOf(rapid.Byte()).Draw(t, "data")})
		}
		got, err := decodeEntries(encodeEntries(want))
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d of %d, %v", len(got), len(want), err)
		}
		for i := range want {
			if got[i].index != want[i].index || !bytes.Equal(got[i].data, want[i].data) {
				t.Fatalf("entry %d differs", i)
			}
		}
	})
}

// FuzzEntries: whatever the bytes, what is read is what would be written.
func FuzzEntries(f *testing.F) {
	f.Add(encodeEntries(goldenEntries))
	f.Add([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := decodeEntries(b)
		if err != nil {
			return
		}
		again, err := decodeEntries(encodeEntries(all))
		if err != nil || len(again) != len(all) {
			t.Fatalf("%d entries became %d, %v", len(all), len(again), err)
		}
	})
}

// FuzzNote: only what a node of the city has signed is taken, to the last byte.
func FuzzNote(f *testing.F) {
	c := newCentre(f)
	note, err := signNote(c.own, noteTip, tip{LogID: "00", To: 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(note)
	f.Add(note[:len(note)-1])
	f.Add([]byte("unionsync log tip 1\n{}\ncertificate \nsignature \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := openNote(c.own.CA, noteTip, b, new(tip)); (err == nil) != bytes.Equal(b, note) {
			t.Fatalf("%q: %v", b, err)
		}
	})
}

// FuzzSegment: a segment is what its name and its note say, or it is refused.
func FuzzSegment(f *testing.F) {
	f.Add(joinSegment([]byte("note"), []byte("box")))
	f.Add([]byte{255, 255, 255, 255, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		note, box, err := splitSegment(b)
		if err == nil && !bytes.Equal(joinSegment(note, box), b) {
			t.Fatal("split otherwise than joined")
		}
	})
}
