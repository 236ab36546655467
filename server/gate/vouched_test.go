package gate

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// TestVouching: what is remembered is judged as what is read, and a refusal is not remembered
// as anything else.
func TestVouching(t *testing.T) {
	b := newBench(t)
	other, err := trust.Init(t.TempDir(), trust.Founding{City: "o", NodeID: "n1", Rand: rand.Reader, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := hex.EncodeToString(b.id)
	device, err := b.g.cfg.Node.City.SignDevice(pub, id, time.Now(), "u1")
	if err != nil {
		t.Fatal(err)
	}
	forged, err := other.City.SignDevice(pub, id, time.Now(), "u1")
	if err != nil {
		t.Fatal(err)
	}
	altered := slices.Clone(device.Raw)
	altered[len(altered)-1] ^= 1 // the signature
	for range 2 {                // read, then remembered
		if v, err := b.g.vouching.of(device.Raw, tlsid.RoleDevice); err != nil || v.id.ID != id || !v.until.Equal(device.NotAfter) {
			t.Fatalf("%+v %v", v, err)
		}
		if _, err := b.g.vouching.of(device.Raw, tlsid.RoleNode); syncproto.CodeOf(err) != syncproto.CodeWrongRole {
			t.Errorf("a device as a node: %v", err)
		}
		if _, err := b.g.vouching.of(forged.Raw); syncproto.CodeOf(err) != syncproto.CodeWrongCentre {
			t.Errorf("another city's: %v", err)
		}
		if _, err := b.g.vouching.of(altered); syncproto.CodeOf(err) != syncproto.CodeWrongCentre {
			t.Errorf("an altered one: %v", err)
		}
	}
	if len(b.g.vouching.known) != 1 {
		t.Errorf("%d are remembered", len(b.g.vouching.known))
	}
}

// TestVouchingIsBounded: whoever shows many certificates fills no memory.
func TestVouchingIsBounded(t *testing.T) {
	b := newBench(t)
	for i := range maxVouched {
		b.g.vouching.known[[32]byte{byte(i), byte(i >> 8), byte(i >> 16)}] = &vouched{}
	}
	if _, err := b.g.vouching.of(b.g.cfg.Node.Own.Cert.Raw); err != nil || len(b.g.vouching.known) != 1 {
		t.Errorf("%d are remembered, %v", len(b.g.vouching.known), err)
	}
}
