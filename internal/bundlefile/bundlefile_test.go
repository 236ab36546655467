package bundlefile

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
)

// city is a CA with a device and a node, and the key that its centre opens bundles with.
type city struct {
	t          testing.TB
	ca         *x509.Certificate
	caKey      ed25519.PrivateKey
	centre     [32]byte
	id         bundle.Device
	deviceKey  ed25519.PrivateKey
	deviceCert *x509.Certificate
}

func newCity(t testing.TB, seed byte) *city {
	t.Helper()
	c := &city{t: t, caKey: key(seed, 1), deviceKey: key(seed, 2), id: bundle.Device{seed, 15: 1}}
	c.centre[1] = seed
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	c.ca = c.certify(template, template, c.caKey.Public())
	c.deviceCert = c.issue(tlsid.RoleDevice, c.id.String(), c.deviceKey)
	return c
}

func key(seed, part byte) ed25519.PrivateKey {
	b := make([]byte, ed25519.SeedSize)
	b[0], b[1] = seed, part
	return ed25519.NewKeyFromSeed(b)
}

func (c *city) certify(template, parent *x509.Certificate, pub any) *x509.Certificate {
	c.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, c.caKey)
	if err != nil {
		c.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		c.t.Fatal(err)
	}
	return cert
}

func (c *city) issue(role tlsid.Role, id string, k ed25519.PrivateKey) *x509.Certificate {
	u := tlsid.Identity{Role: role, ID: id}.URI()
	return c.certify(&x509.Certificate{SerialNumber: big.NewInt(2), URIs: []*url.URL{u}}, c.ca, k.Public())
}

func (c *city) request() *bundle.Bundle {
	return &bundle.Bundle{
		Kind: bundle.KindRequest, ID: bundle.ID{1}, City: CityOf(c.ca), Union: "u1", Device: c.id,
		Messages: [][]byte{[]byte("hello")}, Certificate: c.deviceCert.Raw,
	}
}

func sign(k ed25519.PrivateKey) func([]byte) []byte {
	return func(msg []byte) []byte { return seal.Sign(k, syncproto.DomainBundle, msg) }
}

func (c *city) make(b *bundle.Bundle, k ed25519.PrivateKey) []byte {
	c.t.Helper()
	to, err := seal.Recipient(&c.centre)
	if err != nil {
		c.t.Fatal(err)
	}
	f, err := Make(b, to, sign(k))
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

func (c *city) opener() Opener { return Opener{CA: c.ca, Key: &c.centre, Kind: bundle.KindRequest} }

func TestOpen(t *testing.T) {
	c, other := newCity(t, 1), newCity(t, 2)
	good := c.make(c.request(), c.deviceKey)
	b, signer, err := c.opener().Open(good)
	if err != nil || string(b.Messages[0]) != "hello" || signer.ID != c.id.String() {
		t.Fatalf("%+v, %v, %v", b, signer, err)
	}
	with := func(do func(*bundle.Bundle)) []byte {
		b := c.request()
		do(b)
		return c.make(b, c.deviceKey)
	}
	answer := &bundle.Bundle{Kind: bundle.KindAnswer, City: CityOf(c.ca), Union: "u1", Device: c.id, Node: "n1", Certificate: c.deviceCert.Raw}
	wrongKey := c.opener()
	wrongKey.Key = &other.centre
	device := Opener{CA: c.ca, Key: &c.centre, Kind: bundle.KindAnswer, Device: bundle.Device{9}}
	for _, row := range []struct {
		why  string
		o    Opener
		file []byte
		want syncproto.Code
	}{
		{"another city's centre", other.opener(), good, syncproto.CodeBundleCity},
		{"a bundle that names this city and is sealed for it, made by another city's device",
			c.opener(), with(func(b *bundle.Bundle) { b.Certificate = other.deviceCert.Raw }), syncproto.CodeBundleSigner},
		{"a certificate of another device of the city", c.opener(), with(func(b *bundle.Bundle) { b.Device[3]++ }), syncproto.CodeBundleSigner},
		{"a node that plays device", c.opener(),
			with(func(b *bundle.Bundle) { b.Certificate = c.issue(tlsid.RoleNode, "n1", c.deviceKey).Raw }), syncproto.CodeBundleSigner},
		{"signed by another key", c.opener(), c.make(c.request(), key(7, 7)), syncproto.CodeBundleSigner},
		{"sealed for another key", wrongKey, good, syncproto.CodeBundleSealed},
		{"a request at a device", device, good, syncproto.CodeBundleAddressee},
		{"an answer at the centre", c.opener(), c.make(answer, c.deviceKey), syncproto.CodeBundleAddressee},
		{"an answer for another device", device, c.make(answer, c.deviceKey), syncproto.CodeBundleAddressee},
		{"a device that plays node", Opener{CA: c.ca, Key: &c.centre, Kind: bundle.KindAnswer, Device: c.id},
			c.make(answer, c.deviceKey), syncproto.CodeBundleSigner},
		{"a right head before another bundle's payload", c.opener(), c.swapped(), syncproto.CodeBundleDamaged},
	} {
		if b, _, err := row.o.Open(row.file); syncproto.CodeOf(err) != row.want || b != nil && err == nil {
			t.Errorf("%s: %v", row.why, err)
		}
	}
}

// swapped is what somebody makes who changes the head and the checksum with it.
func (c *city) swapped() []byte {
	_, sealed, err := bundle.DecodeFile(c.make(c.request(), c.deviceKey))
	if err != nil {
		c.t.Fatal(err)
	}
	h := c.request().Head()
	h.ID[0]++
	f, err := bundle.EncodeFile(h, sealed)
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// TestEveryByte: a bundle that was changed in any byte, or cut anywhere, is refused by name.
// The checksum is repaired, so that the seal and the signature are what refuses it.
func TestEveryByte(t *testing.T) {
	c := newCity(t, 1)
	good := c.make(c.request(), c.deviceKey)
	h, sealed, err := bundle.DecodeFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		f, err := bundle.EncodeFile(h, bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.opener().Open(f); syncproto.CodeOf(err) != syncproto.CodeBundleSealed {
			t.Errorf("sealed byte %d: %v", i, err)
		}
		if f, err = bundle.EncodeFile(h, sealed[:i]); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.opener().Open(f); syncproto.CodeOf(err) != syncproto.CodeBundleSealed {
			t.Errorf("cut to %d: %v", i, err)
		}
	}
	payload, err := seal.OpenFor(&c.centre, sealed)
	if err != nil {
		t.Fatal(err)
	}
	to, err := seal.Recipient(&c.centre)
	if err != nil {
		t.Fatal(err)
	}
	for i := range payload {
		bad := bytes.Clone(payload)
		bad[i] ^= 1
		box, err := seal.SealFor(to, bad)
		if err != nil {
			t.Fatal(err)
		}
		f, err := bundle.EncodeFile(h, box)
		if err != nil {
			t.Fatal(err)
		}
		switch _, _, err := c.opener().Open(f); syncproto.CodeOf(err) {
		case syncproto.CodeBundleDamaged, syncproto.CodeBundleSigner:
		default:
			t.Errorf("payload byte %d, sealed again by somebody who knows the recipient: %v", i, err)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(dir, "a.bundle")
	if there, err := Write(path, []byte("one")); err != nil || there {
		t.Fatal(there, err)
	}
	if there, err := Write(path, []byte("one")); err != nil || !there {
		t.Errorf("the same again: %v, %v", there, err)
	}
	if _, err := Write(path, []byte("two")); syncproto.CodeOf(err) != syncproto.CodeBundleExists {
		t.Errorf("another content: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "one" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := Write(filepath.Join(path, "b.bundle"), nil); syncproto.CodeOf(err) != syncproto.CodeStickWrite {
		t.Errorf("into a file: %v", err)
	}
	if os.Geteuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		if _, err := Write(filepath.Join(dir, "b.bundle"), nil); syncproto.CodeOf(err) != syncproto.CodeStickWrite {
			t.Errorf("read-only: %v", err)
		}
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	if err := ReadBack(path, bytes.NewReader([]byte("ones"))); syncproto.CodeOf(err) != syncproto.CodeStickReadBack {
		t.Errorf("a stick that lies: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that cannot be relied on is still there: %v", err)
	}
}

// TestCarry: everything whole is carried once, whoever it is for; the rest is named.
func TestCarry(t *testing.T) {
	c, other := newCity(t, 1), newCity(t, 2)
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "stick")
	one, two := c.make(c.request(), c.deviceKey), other.make(other.request(), other.deviceKey)
	for name, b := range map[string][]byte{
		"a.bundle": one, "b.bundle": two, "c.bundle": one[:99], "d.bundle": []byte("no bundle"), "e.txt": one, ".f.bundle": one,
	} {
		if err := os.WriteFile(filepath.Join(from, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, there := range []bool{false, true} {
		got, err := Carry(t.Context(), from, to, func(int, int) {})
		if err != nil {
			t.Fatal(err)
		}
		var codes []syncproto.Code
		for _, g := range got {
			if g.Err != nil {
				codes = append(codes, syncproto.CodeOf(g.Err))
			} else if g.There != there {
				t.Errorf("%s: there %v", g.File, g.There)
			}
		}
		if d := cmp.Diff([]syncproto.Code{syncproto.CodeBundleTruncated, syncproto.CodeBundleForm}, codes); d != "" {
			t.Error(d)
		}
	}
	paths, err := Find(to)
	if err != nil || len(paths) != 2 {
		t.Fatalf("%v, %v", paths, err)
	}
	for _, p := range paths {
		b, err := Read(p)
		if err != nil || !slices.ContainsFunc([][]byte{one, two}, func(x []byte) bool { return bytes.Equal(x, b) }) {
			t.Errorf("%s is not what was carried: %v", p, err)
		}
	}
	if err := os.WriteFile(paths[0], []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Carry(t.Context(), from, to, func(int, int) {})
	if err != nil || !slices.ContainsFunc(got, func(g Carried) bool { return syncproto.CodeOf(g.Err) == syncproto.CodeBundleExists }) {
		t.Errorf("a file in the way: %v, %v", got, err)
	}
	if _, err := Carry(t.Context(), t.TempDir(), to, func(int, int) {}); syncproto.CodeOf(err) != syncproto.CodeBundleNone {
		t.Errorf("nothing to carry: %v", err)
	}
	if _, err := Carry(t.Context(), filepath.Join(from, "gone"), to, func(int, int) {}); syncproto.CodeOf(err) != syncproto.CodeStickRead {
		t.Errorf("a pulled stick: %v", err)
	}
}
