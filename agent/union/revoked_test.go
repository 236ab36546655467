package union

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// partyOf is an exchange of a new union, and the key of the city that it trusts.
func partyOf(t *testing.T) (*exchange, ed25519.PrivateKey) {
	t.Helper()
	u, err := Create(filepath.Join(t.TempDir(), "u"), "u1", Options{Key: &[32]byte{1}, Kinds: kind.Embedded(), Now: time.Now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &exchange{u: u, p: Party{CA: ca, Device: []byte("this PC")}}, key
}

func revocation(key ed25519.PrivateKey, device, union string) *syncpb.Revocation {
	r := &syncproto.Revocation{Device: []byte(device), Union: union, Time: 7, Operator: "o", Reason: "r"}
	return session.WireRevocation(r, seal.Sign(key, syncproto.DomainRevocation, r.Message()))
}

// TestRevocationsAreHandedBack: what was heard is kept, and goes back once in each further
// life of the centre, until an answer of that life says that it was taken.
func TestRevocationsAreHandedBack(t *testing.T) {
	x, key := partyOf(t)
	life := func(n uint32) *syncpb.GenerationRef { return &syncpb.GenerationRef{Number: n, Random: uint64(n)} }
	kept := revocation(key, "another", "u1")
	round := func(asked, answered uint32, told ...*syncpb.Revocation) int {
		t.Helper()
		q := &syncpb.Request{Generation: life(asked)}
		if err := x.handBack(q); err != nil {
			t.Fatal(err)
		}
		for _, r := range q.GetReturned() {
			if !proto.Equal(r.GetRevocation(), kept) {
				t.Errorf("handed back %v", r)
			}
		}
		facts, err := x.revocations(q.GetGeneration(), &syncpb.Response{Generation: life(answered), Revocations: told})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.u.PutFacts(facts...); err != nil {
			t.Fatal(err)
		}
		return len(q.GetReturned())
	}
	for _, row := range []struct {
		why             string
		asked, answered uint32
		told            []*syncpb.Revocation
		want            int
	}{
		{"nothing is known", 1, 1, []*syncpb.Revocation{kept}, 0},
		{"the centre told it in this life", 1, 1, nil, 0},
		{"a further life: handed back, but answered by one that did not take it", 2, 1, nil, 1},
		{"handed back again, and taken", 2, 2, nil, 1},
		{"once is enough", 2, 2, nil, 0},
		{"one more life", 3, 3, nil, 1},
	} {
		if got := round(row.asked, row.answered, row.told...); got != row.want {
			t.Errorf("%s: %d handed back, want %d", row.why, got, row.want)
		}
	}
	if x.revoked {
		t.Error("another's revocation was taken for one's own")
	}
}

// TestRevocationsAreChecked: what the city did not sign is not believed, and nothing of
// another union is kept.
func TestRevocationsAreChecked(t *testing.T) {
	for _, row := range []struct {
		why     string
		told    func(key ed25519.PrivateKey) *syncpb.Revocation
		want    syncproto.Code
		revoked bool
	}{
		{"one's own", func(k ed25519.PrivateKey) *syncpb.Revocation { return revocation(k, "this PC", "u1") }, 0, true},
		{"one's own in another of one's unions", func(k ed25519.PrivateKey) *syncpb.Revocation { return revocation(k, "this PC", "u2") }, 0, true},
		{"signed by somebody", func(ed25519.PrivateKey) *syncpb.Revocation {
			return revocation(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)), "this PC", "u1")
		}, syncproto.CodeAnswer, false},
		{"changed afterwards", func(k ed25519.PrivateKey) *syncpb.Revocation {
			r := revocation(k, "another", "u1")
			r.Device = []byte("this PC")
			return r
		}, syncproto.CodeAnswer, false},
		{"another's in another union", func(k ed25519.PrivateKey) *syncpb.Revocation { return revocation(k, "another", "u2") }, syncproto.CodeAnswer, false},
	} {
		x, key := partyOf(t)
		facts, err := x.revocations(&syncpb.GenerationRef{}, &syncpb.Response{Revocations: []*syncpb.Revocation{row.told(key)}})
		if x.revoked != row.revoked || (err != nil) != (row.want != 0) || err != nil && syncproto.CodeOf(err) != row.want {
			t.Errorf("%s: revoked %v, %v", row.why, x.revoked, err)
		}
		if len(facts) != 0 {
			t.Errorf("%s: keeps %d", row.why, len(facts))
		}
	}
}
