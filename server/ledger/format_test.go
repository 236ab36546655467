package ledger

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/*.golden anew")

func goldenItem() *LogItem {
	p := syncproto.MakePosition(1, 7)
	return &LogItem{
		Position: p, Union: "u1", Previous: 0x01020304, Place: syncproto.Place{Journal: 5, Seq: 2, Hash: syncproto.Hash{1, 2}},
		Verdict:   syncproto.Verdict{Position: p, Kind: syncproto.VerdictHeld, Reason: syncproto.HeldValue, Hash: syncproto.RecordHash{3}},
		Signature: []byte("sig"), Signer: []byte("dev"), Bytes: []byte("change"),
	}
}

// goldenItemV1 gives the item as the first version wrote it: without the tag of the place
// before.
func goldenItemV1() []byte {
	b := goldenItem().encode()
	b[0] = logItemVersion1
	return slices.Delete(b, logItemFixed, logItemFixed+4)
}

// TestGoldenFormats: keys, log items and entries are formats on disk that never change.
func TestGoldenFormats(t *testing.T) {
	k := syncproto.RecordKey{Kind: 2, ID: syncproto.RecordID{1, 15: 2}}
	p := syncproto.MakePosition(1, 7)
	entry := func(m proto.Message) []byte {
		b, err := Entry(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var out strings.Builder
	for _, row := range []struct {
		name  string
		bytes []byte
	}{
		{"log key", keyLog(p)}, {"record key", keyRecord("u1", k)}, {"history key", keyHistory("u1", k, p)},
		{"feed key", keyFeed("u1", p)}, {"place key", keyPlace(syncproto.Dot{Journal: 5, Seq: 2, Tag: 9})},
		{"tips key", keyTips("u1", 5)}, {"digest key", keyDigest("u1")}, {"held key", keyHeld("u1", 5, k)},
		{"contact key", keyContact("u1", []byte("dev"))}, {"generation key", keyGeneration(1)},
		{"named key", keyNamed(prefixNode, []byte("n1"))}, {"log item", goldenItemV1()},
		{"log item 2", goldenItem().encode()}, {"union log key", keyUnionLog("u1", p)},
		{"decision key", keyEnded(syncproto.Dot{Journal: 5, Seq: 2, Tag: 9})}, {"learned generation key", keyLearned(2, 3)},
		{"new generation", entry(&entrypb.NewGeneration{Time: 1, Next: &entrypb.Generation{Number: 2, Random: 3, Base: 4}})},
		{"watermark", entry(&entrypb.Watermark{Time: 1, Position: 2})},
		{"signed key", keySigned([]byte("dev"), "u1", 5)}, {"revoked journal key", keyRevokedJournal("u1", 5)},
		{"revocation key", keyRevocation("u1", p)},
		{"revoke", entry(&entrypb.Revoke{Time: 1, Revocation: &entrypb.Revocation{Device: []byte{2},
			Places: []*entrypb.RevokedPlace{{Union: "u1", Journal: 5, Seq: 2, Hash: []byte{3}}}, Time: 1, Operator: "o", Reason: "r", Signature: []byte{4}}})},
		{"registered", entry(&entrypb.Registered{Time: 1, Device: []byte{2}, PublicKey: []byte{3}, Unions: []string{"u1"}, Certificate: []byte{4}})},
		{"genesis", entry(&entrypb.Genesis{LogId: []byte{1}, Time: 2, Ca: []byte{3}, Generation: &entrypb.Generation{Number: 1, Random: 4}})},
		{"batch", entry(&entrypb.Batch{Time: 1, Items: []*entrypb.Item{{Union: "u", Device: []byte{2}, Segments: []*entrypb.Segment{
			{Journal: 5, First: 1, Changes: [][]byte{{1}}, Signature: []byte{9}, Held: []byte{3}}}, Contact: &entrypb.Contact{Complete: true}}}})},
		{"staff", entry(&entrypb.Staff{Time: 1, Actor: "a", Changes: []*entrypb.StaffChange{{Union: "city", Kind: 9, Id: k.ID[:]}}})},
		{"code", entry(&entrypb.Code{Time: 1, Hash: []byte{1}, Union: "u", Expires: 2})},
		{"enrolled", entry(&entrypb.Enrolled{Time: 1, Hash: []byte{1}, Device: []byte{2}, PublicKey: []byte{3}})},
		{"node", entry(&entrypb.Node{Time: 1, Id: "n1", RaftAddress: "r", ApiAddress: "a"})},
		{"publish", entry(&entrypb.Publish{Time: 1, Operator: "o", Kinds: []*entrypb.KindFile{{Name: "visit.yaml", Yaml: []byte("kind: visit"), Signature: []byte{9}, Version: 2}}})},
		{"older kind key", keyOlderKind("visit.yaml", 1)}, {"found key", []byte{keyFound}},
		{"node left", entry(&entrypb.NodeLeft{Time: 1, Id: "n1"})}, {"level", entry(&entrypb.Level{Time: 1, Level: 2})},
		{"check", entry(&entrypb.Check{Time: 1, From: []byte{2}, Keys: 3, Voters: []string{"n1"}})},
		{"digest", entry(&entrypb.Digest{Time: 1, Node: "n1", Index: 2, Sum: []byte{3}, Next: []byte{4}})},
		{"check key", keyCheck(7)}, {"layout key", []byte{keyLayoutByte}},
		{"union log value", unionLogValue(k, true)}, {"union log value of an older change", unionLogValue(k, false)},
	} {
		fmt.Fprintf(&out, "%s %s\n", row.name, hex.EncodeToString(row.bytes))
	}
	fmt.Fprintf(&out, "staff journal %s\n", StaffJournal("u1", 77))
	const file = "testdata/formats.golden"
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLogItemRoundTrip(t *testing.T) {
	want := goldenItem()
	got, err := decodeLogItem(want.Position, want.encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	want.Previous = 0
	if got, err = decodeLogItem(want.Position, goldenItemV1()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of version 1: %s", diff)
	}
}

func FuzzDecodeLogItem(f *testing.F) {
	f.Add(goldenItem().encode())
	f.Add(goldenItemV1())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := decodeLogItem(1, b)
		if err == nil && b[0] == logItemVersion && !bytes.Equal(l.encode(), b) {
			t.Fatal("encodes differently")
		}
	})
}

// FuzzApply: no entry, however made, panics a replica.
func FuzzApply(f *testing.F) {
	b, err := Entry(&entrypb.Batch{Time: 1, Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{{Journal: 5, First: 1, Changes: [][]byte{{1}}}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{typeStaff, 1})
	n := begun(f, Config{Memory: true})
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = n.l.Apply(n.l.Applied()+1, b) // an error stops a node; only a panic is a fault here
	})
}

// FuzzRestore: no bytes, however made, restore to a wrong state or panic.
func FuzzRestore(f *testing.F) {
	n := begun(f, Config{Memory: true})
	dump := n.dump()
	f.Add(dump)
	f.Add(dump[:40])
	db, err := openBadger(Config{Memory: true}, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := db.Close(); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := fillMemory(db, bytes.NewReader(b)); err == nil && !bytes.Equal(b, dump) && !bytes.HasPrefix(b, dump) {
			t.Fatal("accepted bytes that are no snapshot")
		}
	})
}
