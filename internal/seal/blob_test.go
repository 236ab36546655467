package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
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

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

func testKey(fill byte) *[32]byte {
	var k [32]byte
	for i := range k {
		k[i] = fill
	}
	return &k
}

func TestSealOpenRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := testKey(rapid.Byte().Draw(t, "key"))
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		aad := rapid.SliceOf(rapid.Byte()).Draw(t, "aad")
		box, err := Seal(key, &counting{}, plain, aad)
		if err != nil {
			t.Fatal(err)
		}
		if len(box) != len(plain)+Overhead {
			t.Fatalf("box of %d bytes for %d", len(box), len(plain))
		}
		got, err := Open(key, box, aad)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %x, %v; want %x", got, err, plain)
		}
	})
}

// TestOpenRefusesEveryFlippedBit: nothing of a blob can be changed unnoticed, the suite
// byte and the associated data included.
func TestOpenRefusesEveryFlippedBit(t *testing.T) {
	key, aad := testKey(1), []byte("purpose")
	box, err := Seal(key, &counting{}, []byte("ledger"), aad)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(box) * 8 {
		bad := bytes.Clone(box)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := Open(key, bad, aad); !errors.Is(err, ErrOpen) && !errors.Is(err, ErrSuite) {
			t.Errorf("bit %d flipped: %v", i, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	key, aad := testKey(1), []byte("purpose")
	box, err := Seal(key, &counting{}, []byte("ledger"), aad)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		why  string
		key  *[32]byte
		box  []byte
		aad  []byte
		want error
	}{
		{"another key", testKey(2), box, aad, ErrOpen},
		{"another purpose: a blob is not valid where another belongs", key, box, []byte("other"), ErrOpen},
		{"no purpose", key, box, nil, ErrOpen},
		{"nothing at all", key, nil, aad, ErrOpen},
		{"only the suite byte", key, box[:1], aad, ErrOpen},
		{"one byte short of the smallest blob", key, box[:Overhead-1], aad, ErrOpen},
		{"cut at the end", key, box[:len(box)-1], aad, ErrOpen},
		{"a byte too many", key, append(bytes.Clone(box), 0), aad, ErrOpen},
		{"a suite of a later release", key, append([]byte{9}, box[1:]...), aad, ErrSuite},
	} {
		if got, err := Open(row.key, row.box, row.aad); !errors.Is(err, row.want) || got != nil {
			t.Errorf("%s: got %x, %v; want %v", row.why, got, err, row.want)
		}
	}
}

func TestSealWithoutRandomness(t *testing.T) {
	if box, err := Seal(testKey(1), broken{}, []byte("x"), nil); err == nil {
		t.Errorf("sealed %x without a nonce", box)
	}
}

func TestDeriveKeepsPurposesApart(t *testing.T) {
	secret := []byte("a secret of full strength........")
	a, b := Derive(secret, "a v1"), Derive(secret, "b v1")
	if *a == *b {
		t.Error("two purposes gave one key")
	}
	if *a != *Derive(secret, "a v1") {
		t.Error("one purpose gave two keys")
	}
}

// TestGolden states the bytes of every layout; the file is never edited, only added to.
func TestGolden(t *testing.T) {
	box, err := Seal(testKey(7), &counting{}, []byte("工会 union"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	w, err := NewStreamWriter(&stream, testKey(7), &counting{}, "golden")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("工会 union")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, line := range []struct {
		name string
		b    []byte
	}{
		{"blob", box},
		{"stream", stream.Bytes()},
		{"signature", Sign(signingKey(7), "unionsync golden v1", []byte("工会 union"))},
		{"derived", Derive([]byte("secret"), "golden v1")[:]},
	} {
		got.WriteString(line.name + " " + hex.EncodeToString(line.b) + "\n")
	}
	want, err := os.ReadFile("testdata/v1.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("layout changed (-want +got):\n%s", diff)
	}
}

func FuzzOpen(f *testing.F) {
	box, _ := Seal(testKey(1), &counting{}, []byte("ledger"), []byte("aad"))
	f.Add(box)
	f.Add(box[:Overhead])
	f.Add([]byte{})
	f.Add([]byte{2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Open(testKey(1), b, []byte("aad"))
		if (err == nil) != bytes.Equal(b, box) {
			t.Fatalf("opened %x: %x, %v", b, got, err)
		}
	})
}
