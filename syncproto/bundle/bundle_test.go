package bundle

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"unionsync/syncproto"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/*.golden anew")

// sample has every part that a bundle can have.
func sample(k Kind) *Bundle {
	b := &Bundle{
		Kind: k, ID: ID{1, 2, 3, 4, 5, 6, 7, 8}, City: City{9, 8, 7, 6, 5, 4, 3, 2}, Union: "330702001", Device: Device{0xaa, 15: 0xbb},
		Generation: syncproto.Generation{Number: 3, Random: 42}, MadeAt: 1790000000,
		Messages: [][]byte{[]byte("first"), {}, []byte("third")}, Certificate: []byte("certificate"), Signature: []byte("signature"),
	}
	if k == KindAnswer {
		b.Node = "n1"
	} else {
		b.ReplyTo = "age1xyz"
	}
	return b
}

func file(t testing.TB, k Kind, sealed string) []byte {
	t.Helper()
	f, err := EncodeFile(sample(k).Head(), []byte(sealed))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestGolden states the bytes of both parts; what stands in the file is never edited.
func TestGolden(t *testing.T) {
	var out strings.Builder
	for _, k := range []Kind{KindRequest, KindAnswer} {
		out.WriteString(string(file(t, k, "sealed")) + "\n")
		out.WriteString(hex.EncodeToString(sample(k).Encode()) + "\n")
	}
	const name = "testdata/bundle.golden"
	if *rewrite {
		if err := os.WriteFile(name, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), out.String()); d != "" {
		t.Errorf("layout changed (-want +got):\n%s", d)
	}
}

func TestPayloadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := sample(rapid.SampledFrom([]Kind{KindRequest, KindAnswer}).Draw(t, "kind"))
		b.MadeAt = rapid.Int64().Draw(t, "made")
		b.Generation.Random = rapid.Uint64().Draw(t, "random")
		b.Messages = rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 40), 0, 5).Draw(t, "messages")
		got, err := Decode(b.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(b, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
		if !bytes.HasPrefix(b.Encode(), b.Signed()) {
			t.Fatal("the signature covers what does not stand before it")
		}
	})
}

// TestDecodeRefuses: only what would be written like this is read.
func TestDecodeRefuses(t *testing.T) {
	good := sample(KindRequest).Encode()
	change := func(do func(*Bundle)) []byte {
		b := sample(KindRequest)
		do(b)
		return b.Encode()
	}
	for _, row := range []struct {
		why     string
		payload []byte
	}{
		{"nothing", nil},
		{"a field that is not known: it would be signed and not understood", append(bytes.Clone(good), 0x78, 1)},
		{"a field twice", append(bytes.Clone(good), good[:2]...)},
		{"fields in another order", append(bytes.Clone(good[2:]), good[:2]...)},
		{"a kind of a later release", change(func(b *Bundle) { b.Kind = 3 })},
		{"nobody's", change(func(b *Bundle) { b.Signature = nil })},
		{"no union", change(func(b *Bundle) { b.Union = "" })},
		{"a union's code that is too long", change(func(b *Bundle) { b.Union = strings.Repeat("1", 33) })},
		{"a request that a node signs", change(func(b *Bundle) { b.Node = "n1" })},
		{"a message over the limit", change(func(b *Bundle) { b.Messages[0] = make([]byte, syncproto.MaxRequestBytes+1) })},
		{"too many messages", change(func(b *Bundle) { b.Messages = make([][]byte, MaxMessages+1) })},
	} {
		if b, err := Decode(row.payload); syncproto.CodeOf(err) != syncproto.CodeBundleDamaged {
			t.Errorf("%s: %v, %v", row.why, b, err)
		}
	}
	for n := range good {
		if _, err := Decode(good[:n]); err == nil {
			t.Errorf("%d bytes of %d were read", n, len(good))
		}
	}
}

// TestEveryByteOfAFile: a file that is cut anywhere, or changed in any byte, is refused, and
// by a name that says what a carrier can do about it.
func TestEveryByteOfAFile(t *testing.T) {
	for _, k := range []Kind{KindRequest, KindAnswer} {
		good := file(t, k, "sealed bytes")
		for n := range good {
			want := syncproto.CodeBundleTruncated
			if _, _, err := DecodeFile(good[:n]); syncproto.CodeOf(err) != want {
				t.Errorf("cut to %d bytes: %v", n, err)
			}
			bad := bytes.Clone(good)
			bad[n] ^= 4
			_, _, err := DecodeFile(bad)
			switch syncproto.CodeOf(err) {
			case syncproto.CodeBundleForm, syncproto.CodeBundleVersion, syncproto.CodeBundleTruncated, syncproto.CodeBundleDamaged:
			default:
				t.Errorf("byte %d changed: %v", n, err)
			}
		}
	}
}

func TestDecodeFileNames(t *testing.T) {
	good := file(t, KindRequest, "sealed")
	for _, row := range []struct {
		why  string
		file []byte
		want syncproto.Code
	}{
		{"another file", []byte("PK\x03\x04 a spreadsheet"), syncproto.CodeBundleForm},
		{"an empty file, as a pulled stick leaves", nil, syncproto.CodeBundleTruncated},
		{"a later version", bytes.Replace(good, []byte("bundle 1"), []byte("bundle 2"), 1), syncproto.CodeBundleVersion},
		{"a later version of two digits", bytes.Replace(good, []byte("bundle 1"), []byte("bundle 12"), 1), syncproto.CodeBundleVersion},
		{"line ends changed by a copy as text", bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), syncproto.CodeBundleVersion},
		{"a byte too many", append(bytes.Clone(good), 0), syncproto.CodeBundleDamaged},
		{"sent elsewhere", bytes.Replace(good, []byte("0908070605040302"), []byte("0908070605040303"), 1), syncproto.CodeBundleDamaged},
		{"too large", append(bytes.Clone(good), make([]byte, MaxFileBytes)...), syncproto.CodeBundleTooLarge},
	} {
		if _, _, err := DecodeFile(row.file); syncproto.CodeOf(err) != row.want {
			t.Errorf("%s: %v", row.why, err)
		}
	}
	if _, err := EncodeFile(Head{}, make([]byte, MaxFileBytes)); syncproto.CodeOf(err) != syncproto.CodeBundleTooLarge {
		t.Errorf("written: %v", err)
	}
}

// TestHeadFits: a head with a right checksum of its own cannot pass a payload for another.
func TestHeadFits(t *testing.T) {
	b := sample(KindAnswer)
	if !b.Fits(b.Head()) {
		t.Fatal("its own head does not fit")
	}
	for why, change := range map[string]func(*Head){
		"kind": func(h *Head) { h.Kind = KindRequest }, "id": func(h *Head) { h.ID[0]++ },
		"city": func(h *Head) { h.City[0]++ }, "device": func(h *Head) { h.Device[0]++ },
	} {
		h := b.Head()
		if change(&h); b.Fits(h) {
			t.Errorf("another %s fits", why)
		}
	}
}

// FuzzDecodeFile: no file ends the program, and what is read is written the same.
func FuzzDecodeFile(f *testing.F) {
	for _, k := range []Kind{KindRequest, KindAnswer} {
		f.Add(file(f, k, "sealed"))
		f.Add(file(f, k, ""))
	}
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, sealed, err := DecodeFile(b)
		if err != nil {
			return
		}
		again, err := EncodeFile(h, sealed)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("read %q, written %q, %v", b, again, err)
		}
	})
}

// FuzzDecode is the same for what stands inside the seal.
func FuzzDecode(f *testing.F) {
	f.Add(sample(KindRequest).Encode())
	f.Add(sample(KindAnswer).Encode())
	f.Fuzz(func(t *testing.T, payload []byte) {
		b, err := Decode(payload)
		if err == nil && !bytes.Equal(b.Encode(), payload) {
			t.Fatalf("read %x, written %x", payload, b.Encode())
		}
	})
}
