package cluster

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/internal/seal"
)

// counting is a source of "random" bytes 0, 1, 2, … so that golden bytes can be stated.
type counting struct{ next byte }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.next
		c.next++
	}
	return len(p), nil
}

func testKey(fill byte) *[32]byte {
	var k [32]byte
	for i := range k {
		k[i] = fill
	}
	return &k
}

func codecWith(t testing.TB, key *[32]byte, rand io.Reader) *codec {
	t.Helper()
	c, err := newCodec(key, rand, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func testCodec(t testing.TB) *codec { return codecWith(t, testKey(1), &counting{}) }

func TestEntryRoundTrip(t *testing.T) {
	t.Parallel()
	c := testCodec(t)
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		body = bytes.Repeat(body, rapid.IntRange(1, 50).Draw(t, "times"))
		entry, err := c.encode(body)
		if err != nil {
			t.Fatal(err)
		}
		if len(entry) > len(body)+seal.Overhead+2 {
			t.Fatalf("%d bytes became %d", len(body), len(entry))
		}
		got, err := c.decode(entry)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("got %x, %v; want %x", got, err, body)
		}
	})
}

func TestEntryIsPackedWhenThatHelps(t *testing.T) {
	t.Parallel()
	c := testCodec(t)
	text := []byte(strings.Repeat("工会会员 union member ", 500))
	packed, err := c.encode(text)
	if err != nil || len(packed) > len(text)/10 {
		t.Errorf("%d bytes of text became %d, %v", len(text), len(packed), err)
	}
	noise := make([]byte, 10_000)
	if _, err := io.ReadFull(rapidNoise(), noise); err != nil {
		t.Fatal(err)
	}
	if raw, err := c.encode(noise); err != nil || len(raw) != len(noise)+seal.Overhead+2 {
		t.Errorf("%d bytes of noise became %d, %v", len(noise), len(raw), err)
	}
}

// rapidNoise gives bytes that cannot be packed.
func rapidNoise() io.Reader {
	key, _ := seal.Seal(testKey(9), &counting{}, make([]byte, 1<<14), nil)
	return bytes.NewReader(key)
}

func TestEntryRefuses(t *testing.T) {
	t.Parallel()
	c := testCodec(t)
	entry, err := c.encode([]byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	forge := func(plain []byte) []byte {
		box, err := seal.Seal(c.key, &counting{}, plain, []byte{entryVersion})
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte{entryVersion}, box...)
	}
	later := bytes.Clone(entry)
	later[0] = 2
	for _, row := range []struct {
		why   string
		c     *codec
		entry []byte
		want  error
	}{
		{"another key", codecWith(t, testKey(2), &counting{}), entry, seal.ErrOpen},
		{"nothing", c, nil, errEntry},
		{"a version alone", c, entry[:1], seal.ErrOpen},
		{"a later version", c, later, errEntry},
		{"cut off", c, entry[:len(entry)-1], seal.ErrOpen},
		{"no packing byte", c, forge(nil), errEntry},
		{"a packing of a later release", c, forge([]byte{7, 1, 2}), errEntry},
		{"packed data that is none", c, forge([]byte{packZstd, 1, 2, 3}), nil},
		{"a box sealed for another purpose", c, append([]byte{1}, sealFor(t, c.key, "other")...), seal.ErrOpen},
	} {
		if got, err := row.c.decode(row.entry); err == nil || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%s: %x, %v", row.why, got, err)
		}
	}
}

func sealFor(t *testing.T, key *[32]byte, aad string) []byte {
	t.Helper()
	box, err := seal.Seal(key, &counting{}, []byte{packNone, 1}, []byte(aad))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// TestUnpackingIsBounded: even who has the key cannot make a replica swell.
func TestUnpackingIsBounded(t *testing.T) {
	t.Parallel()
	c := testCodec(t)
	bomb := c.enc.EncodeAll(make([]byte, 64<<20), []byte{packZstd})
	box, err := seal.Seal(c.key, &counting{}, bomb, []byte{entryVersion})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.decode(append([]byte{entryVersion}, box...)); err == nil {
		t.Errorf("unpacked %d bytes", len(got))
	}
}

func snapshotOf(t testing.TB, applied uint64, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := newSnapshotWriter(&out, testKey(1), &counting{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(append(binary.BigEndian.AppendUint64(nil, applied), body...)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func openSnapshot(b []byte, key *[32]byte) (applied uint64, body []byte, err error) {
	r, err := newSnapshotReader(bytes.NewReader(b), key)
	if err != nil {
		return 0, nil, err
	}
	defer r.Close()
	if applied, err = readApplied(r); err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(r)
	return applied, body, err
}

func TestSnapshotFile(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("state"), 100_000)
	file := snapshotOf(t, 4711, body)
	if applied, got, err := openSnapshot(file, testKey(1)); err != nil || applied != 4711 || !bytes.Equal(got, body) {
		t.Errorf("%d, %d bytes, %v", applied, len(got), err)
	}
	later := bytes.Clone(file)
	later[0] = 2
	for _, row := range []struct {
		why  string
		file []byte
		key  *[32]byte
		want error
	}{
		{"another key", file, testKey(2), seal.ErrOpen},
		{"nothing", nil, testKey(1), errSnapshot},
		{"a version alone", file[:1], testKey(1), seal.ErrOpen},
		{"a later version", later, testKey(1), errSnapshot},
		{"cut off", file[:len(file)-1], testKey(1), seal.ErrOpen},
	} {
		if _, _, err := openSnapshot(row.file, row.key); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", row.why, err)
		}
	}
}

var rewrite = flag.Bool("rewrite", false, "write testdata/*.golden anew; only for a new version of a format")

// TestGolden: files of an earlier release can be read. (How zstd packs may change with its
// releases; what it makes of this text may not.)
func TestGolden(t *testing.T) {
	t.Parallel()
	const file = "testdata/v1.golden"
	text := strings.Repeat("工会 union ", 30)
	if *rewrite {
		c := testCodec(t)
		short, err := c.encode([]byte("short"))
		if err != nil {
			t.Fatal(err)
		}
		long, err := c.encode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out := fmt.Sprintf("entry %x\npacked %x\nsnapshot %x\n", short, long, snapshotOf(t, 42, []byte(text)))
		if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := testCodec(t)
	got := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		raw, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		if name == "snapshot" {
			applied, body, err := openSnapshot(raw, testKey(1))
			got[name] = fmt.Sprintf("%d %s %v", applied, body, err)
			continue
		}
		body, err := c.decode(raw)
		got[name] = fmt.Sprintf("%s %v", body, err)
		if again, err := testCodec(t).encode([]byte("short")); name == "entry" && (err != nil || !bytes.Equal(again, raw)) {
			t.Errorf("layout changed: %x, %v", again, err)
		}
	}
	want := map[string]string{"entry": "short <nil>", "packed": text + " <nil>", "snapshot": "42 " + text + " <nil>"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzEntry(f *testing.F) {
	c := testCodec(f)
	entry, err := c.encode([]byte("body"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(entry)
	f.Add(entry[:5])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := c.decode(b); (err == nil) != bytes.Equal(b, entry) {
			t.Fatalf("%x: %x, %v", b, got, err)
		}
	})
}

// FuzzEntryPlain is what the decoder does with bytes of somebody who has the key.
func FuzzEntryPlain(f *testing.F) {
	c := testCodec(f)
	f.Add([]byte{packNone, 1})
	f.Add(c.enc.EncodeAll([]byte("body"), []byte{packZstd}))
	f.Add([]byte{packZstd, 0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, plain []byte) {
		box, err := seal.Seal(c.key, &counting{}, plain, []byte{entryVersion})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.decode(append([]byte{entryVersion}, box...)); err == nil && len(got) > 1<<20 {
			t.Fatalf("%d bytes", len(got))
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	file := snapshotOf(f, 7, []byte("state"))
	f.Add(file)
	f.Add(file[:40])
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := openSnapshot(b, testKey(1)); (err == nil) != bytes.Equal(b, file) {
			t.Fatalf("%x: %v", b, err)
		}
	})
}
