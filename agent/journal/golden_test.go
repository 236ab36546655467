package journal

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden: what is on the disk of a PC must be read by every later program.
func TestGolden(t *testing.T) {
	j := &Journal{key: &testKey, rand: seeded(7), id: 0x0102030405060708}
	p := syncproto.Place{Journal: j.id, Seq: 4, Hash: syncproto.Hash{9}}.Next([]byte("a change"))
	frame, err := j.encodeFrame(p, syncproto.Hash{9}, []byte("a change"))
	must(t, err)
	verdict := encodeVerdict(syncproto.Verdict{Position: syncproto.MakePosition(2, 77), Kind: syncproto.VerdictHeld,
		Reason: syncproto.HeldValue, Hash: syncproto.RecordHash{1, 2, 3, 4, 5, 6, 7, 8}})
	var b strings.Builder
	for _, row := range []struct {
		name string
		data []byte
	}{{"frame", frame}, {"verdict", verdict}, {"head", encodeHead(p)}, {"fact aad", j.factAAD("nonce", []byte("key"))}} {
		fmt.Fprintf(&b, "%s %s\n", row.name, hex.EncodeToString(row.data))
	}
	golden(t, "testdata/v1.golden", b.String())
	if f := j.decodeFrame(5, frame); f.Damaged || f.Place != p || string(f.Bytes) != "a change" {
		t.Errorf("golden frame reads as %+v", f)
	}
	if f := j.decodeFrame(6, frame); !f.Damaged {
		t.Error("a frame moved to another number was read")
	}
}

// TestGoldenKept: likewise for what is kept beside the frames.
func TestGoldenKept(t *testing.T) {
	k := keptAt(syncproto.Place{Journal: 9, Seq: 3, Hash: syncproto.Hash{9}}, syncproto.MakePosition(2, 77), "a change")
	k.Verdict.Kind, k.Verdict.Reason = syncproto.VerdictHeld, syncproto.HeldBehind
	k.Signer, k.Signature = []byte("device"), []byte("signature")
	kept, err := encodeKept(&k)
	must(t, err)
	ended := encodeEnded(session.Ended{Seq: 4, Verb: syncproto.VerbDrop, By: k.Place.Dot()})
	var b strings.Builder
	for _, row := range []struct {
		name string
		data []byte
	}{{"kept", kept}, {"kept key", dotKey(k.Place.Dot())}, {"kept at", keptAtKey(k.Verdict.Position, k.Place.Dot())}, {"ended", ended}} {
		fmt.Fprintf(&b, "%s %s\n", row.name, hex.EncodeToString(row.data))
	}
	golden(t, "testdata/kept.v1.golden", b.String())
	got, err := decodeKept(k.Place.Dot(), kept)
	if d := cmp.Diff(k, got); d != "" || err != nil {
		t.Error(d, err)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *rewrite {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(name, []byte(got), 0o644))
	}
	want, err := os.ReadFile(name)
	must(t, err)
	if d := cmp.Diff(string(want), got); d != "" {
		t.Error(d)
	}
}

func FuzzDecode(f *testing.F) {
	j := &Journal{key: &testKey, rand: seeded(7), id: 8}
	p := syncproto.Place{Journal: 8}.Next([]byte("x"))
	frame, err := j.encodeFrame(p, syncproto.Hash{}, []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame)
	f.Add(encodeHead(p))
	f.Add(encodeVerdict(syncproto.Verdict{Position: 3, Kind: syncproto.VerdictApplied}))
	k := keptAt(syncproto.Place{Journal: 8}, 5, "x")
	k.Signer, k.Signature = []byte("d"), []byte("s")
	kept, err := encodeKept(&k)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(kept)
	f.Add(encodeEnded(session.Ended{Verb: syncproto.VerbDrop, By: k.Place.Dot()}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := decodeKept(k.Place.Dot(), b); err == nil {
			if again, err := encodeKept(&got); err != nil || string(again) != string(b) {
				t.Error("kept change has two encodings")
			}
		}
		if e, err := decodeEnded(1, b); err == nil && string(encodeEnded(e)) != string(b) {
			t.Error("outcome has two encodings")
		}
		if got := j.decodeFrame(1, b); !got.Damaged && syncproto.NextHash(got.Previous, got.Bytes) != got.Place.Hash {
			t.Errorf("frame %+v does not fit its hash", got)
		}
		if h, err := decodeHead(b); err == nil && string(encodeHead(h)) != string(b) {
			t.Error("head has two encodings")
		}
		if v, err := decodeVerdict(b); err == nil && string(encodeVerdict(v)) != string(b) {
			t.Error("verdict has two encodings")
		}
	})
}
