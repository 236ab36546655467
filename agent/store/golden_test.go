package store

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/seal"
	"unionsync/syncproto"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func goldenState() State {
	return State{
		Meta: Meta{
			Settled: syncproto.Place{Journal: 7, Seq: 3, Hash: syncproto.Hash{3}}, Cursor: syncproto.MakePosition(1, 9),
			Whole: syncproto.MakePosition(1, 8), Fetched: true, Centre: -1,
			Proved: Proof{At: syncproto.MakePosition(1, 7), Digest: syncproto.Hash{5}, Done: true}, Refetch: true,
		},
		Journal: 7, Head: syncproto.Place{Journal: 7, Seq: 4, Hash: syncproto.Hash{4}}, Digest: syncproto.Hash{6}, stamp: stamp{1},
	}
}

// TestGolden: what is on the disk of a PC must be read by every later program.
func TestGolden(t *testing.T) {
	st := goldenState()
	later := st
	later.life = lifeName{number: 2, random: 42}
	var items bytes.Buffer
	w := baseWriter{dst: &items}
	w.item(itemState, st.encode())
	w.item(itemWant, recordKey(0, syncproto.RecordKey{Kind: 2, ID: syncproto.RecordID{1}})[1:])
	w.item(itemEnd, []byte{2})
	must(t, w.err)
	var b strings.Builder
	for _, row := range []struct {
		name string
		data []byte
	}{
		{"state", st.encode()},
		{"items", items.Bytes()},
		{"pending", encodePending(Own{Place: st.Head, Bytes: []byte("change"), Verdict: syncproto.Verdict{Position: 258}})},
		{"pending key", pendingKey(syncproto.RecordKey{Kind: 2, ID: syncproto.RecordID{1}}, 4)},
		{"earlier positions", encodePositions([]syncproto.Position{258, 1})},
		{"state in a later life", later.encode()},
	} {
		fmt.Fprintf(&b, "%s %s\n", row.name, hex.EncodeToString(row.data))
	}
	golden(t, "v1.golden", []byte(b.String()))
	for _, st := range []State{st, later} {
		if got, err := decodeState(st.encode()); got != st || err != nil {
			t.Errorf("state reads as %+v, %v", got, err)
		}
	}
	o, err := decodePending(7, pendingKey(syncproto.RecordKey{}, 4), encodePending(Own{Place: st.Head, Bytes: []byte("c"), Verdict: syncproto.Verdict{Position: 258}}))
	if d := cmp.Diff(Own{Place: st.Head, Bytes: []byte("c"), Verdict: syncproto.Verdict{Position: 258}}, o); d != "" || err != nil {
		t.Error(d, err)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Error(d)
	}
}

// TestGoldenBase: a base file of the first release is read by this one.
func TestGoldenBase(t *testing.T) {
	const name = "base.v1"
	dir := t.TempDir()
	if *rewrite {
		j := newJournal()
		s, _ := open(t, dir, j)
		must(t, s.Add([]Own{j.append(s, 1, "name", "no")}))
		must(t, s.Settle(j.answer(1, nil)))
		must(t, s.WriteBase())
		b, err := os.ReadFile(filepath.Join(dir, BaseName))
		must(t, err)
		must(t, os.WriteFile(filepath.Join("testdata", name), b, 0o644))
	}
	var kinds []byte
	var records int
	must(t, readBase(filepath.Join("testdata", name), &testKey, func(kind byte, body []byte) error {
		kinds = append(kinds, kind)
		if kind == itemRecord {
			_, rec, err := decodeItem(body)
			if rec.Text(fieldName) != "name" || err != nil {
				t.Errorf("record %v %v", rec, err)
			}
			records++
		}
		return nil
	}))
	if d := cmp.Diff([]byte{itemState, itemRecord}, kinds); d != "" || records != 1 {
		t.Error(d)
	}
	other := [32]byte{1}
	if err := readBase(filepath.Join("testdata", name), &other, nil); err == nil {
		t.Error("another key opened the base")
	}
}

// TestBadItems: the stream is authentic, and yet what is in it is checked.
func TestBadItems(t *testing.T) {
	end := func(n byte) []byte { return []byte{itemEnd, 1, n} }
	state := []byte{itemState, 0}
	for name, b := range map[string][]byte{
		"nothing":                 {},
		"an end alone":            end(0),
		"no state first":          bytes.Join([][]byte{{itemWant, 0}, end(1)}, nil),
		"two states":              bytes.Join([][]byte{state, state, end(2)}, nil),
		"a wrong number":          bytes.Join([][]byte{state, end(7)}, nil),
		"no end":                  state,
		"something behind":        bytes.Join([][]byte{state, end(1), {1}}, nil),
		"an item beyond all size": {itemState, 0xff, 0xff, 0xff, 0x7f},
		"an item cut short":       {itemState, 9, 1},
	} {
		if err := readItems(bufio.NewReader(bytes.NewReader(b)), func(byte, []byte) error { return nil }); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	good := bytes.Join([][]byte{state, end(1)}, nil)
	must(t, readItems(bufio.NewReader(bytes.NewReader(good)), func(byte, []byte) error { return nil }))
}

func FuzzDecode(f *testing.F) {
	st := goldenState()
	f.Add(st.encode())
	f.Add(append(st.encode(), 0x98, 0x06, 1)) // a field of a later program
	f.Add([]byte{itemState, 0, itemEnd, 1, 1})
	box, err := seal.Seal(&testKey, testRand, []byte(`{"state":"","files":[]}`), aadClean)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte{cleanVersion}, box...))
	s := newStore("", testOptions())
	f.Fuzz(func(t *testing.T, b []byte) {
		if st, err := decodeState(b); err == nil {
			if again, err := decodeState(st.encode()); again != st || err != nil {
				t.Errorf("state does not survive: %+v %+v %v", st, again, err)
			}
		}
		_ = readItems(bufio.NewReader(bytes.NewReader(b)), func(_ byte, body []byte) error {
			_, _, _ = decodeItem(body)
			return nil
		})
		_, _ = decodePending(1, b, b)
		_, _, _ = s.openClean(b)
	})
}
