package tlsid

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
)

// city is a CA made by hand: server/trust makes the real ones, and this package must also
// judge certificates that it would never make.
type city struct {
	key   ed25519.PrivateKey
	cert  *x509.Certificate
	until time.Time // of certificates to come
}

func testKey(fill byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(fill)), ed25519.SeedSize)))
}

func newCity(t testing.TB, fill byte) city {
	t.Helper()
	key := testKey(fill)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return city{key: key, cert: issue(t, tmpl, tmpl, key.Public(), key), until: time.Date(1999, 1, 2, 0, 0, 0, 0, time.UTC)}
}

func issue(t testing.TB, tmpl, parent *x509.Certificate, pub any, signer ed25519.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// leaf signs a certificate for the names given, usually dated in the past century: dates must
// not matter.
func (c city) leaf(t testing.TB, pub any, uris ...string) *x509.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		NotBefore:    time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     c.until,
	}
	for _, s := range uris {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		tmpl.URIs = append(tmpl.URIs, u)
	}
	return issue(t, tmpl, c.cert, pub, c.key)
}

func (c city) own(t testing.TB, fill byte, uri string) Own {
	t.Helper()
	key := testKey(fill)
	return Own{Key: key, Cert: c.leaf(t, key.Public(), uri), CA: c.cert}
}

const (
	nodeURI   = "unionsync://node/n1"
	deviceURI = "unionsync://device/000102030405060708090a0b0c0d0e0f"
)

func TestParse(t *testing.T) {
	c := newCity(t, 1)
	pub := testKey(2).Public().(ed25519.PublicKey)
	for _, row := range []struct {
		why, uri string
		want     Identity
	}{
		{"a device", deviceURI, Identity{Role: RoleDevice, ID: "000102030405060708090a0b0c0d0e0f"}},
		{"a node", nodeURI, Identity{Role: RoleNode, ID: "n1"}},
		{"an operator", "unionsync://operator/ops.zhang", Identity{Role: RoleOperator, ID: "ops.zhang"}},
		{"a device with its union", deviceURI + "?unions=330702-00001",
			Identity{Role: RoleDevice, ID: "000102030405060708090a0b0c0d0e0f", Unions: []string{"330702-00001"}}},
		{"a device of two unions", deviceURI + "?unions=330702-00001,330782-00001",
			Identity{Role: RoleDevice, ID: "000102030405060708090a0b0c0d0e0f", Unions: []string{"330702-00001", "330782-00001"}}},
	} {
		row.want.Key, row.want.KeyID = pub, KeyIDOf(pub)
		got, err := Parse(c.leaf(t, pub, row.uri))
		if err != nil {
			t.Errorf("%s: %v", row.why, err)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.why, diff)
		}
		if got.URI().String() != row.uri {
			t.Errorf("%s: URI %s, want %s", row.why, got.URI(), row.uri)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	c := newCity(t, 1)
	pub := testKey(2).Public()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		why  string
		cert *x509.Certificate
	}{
		{"the CA itself is nobody", c.cert},
		{"no name", c.leaf(t, pub)},
		{"two names: which one counts?", c.leaf(t, pub, nodeURI, deviceURI)},
		{"another scheme", c.leaf(t, pub, "https://node/n1")},
		{"an unknown role", c.leaf(t, pub, "unionsync://root/n1")},
		{"no id", c.leaf(t, pub, "unionsync://node/")},
		{"no path", c.leaf(t, pub, "unionsync://node")},
		{"a device id that is too short", c.leaf(t, pub, "unionsync://device/0001")},
		{"a device id in capitals: one device must not have two names", c.leaf(t, pub, strings.ToUpper(deviceURI[:19])+"0A0102030405060708090A0B0C0D0E0F")},
		{"a node id with a slash", c.leaf(t, pub, "unionsync://node/a/b")},
		{"a query behind the name", c.leaf(t, pub, nodeURI+"?x=1")},
		{"unions of a node", c.leaf(t, pub, nodeURI+"?unions=a")},
		{"no union where some should stand", c.leaf(t, pub, deviceURI+"?unions=")},
		{"an empty union", c.leaf(t, pub, deviceURI+"?unions=a,,b")},
		{"unions in another order: one set must not have two names", c.leaf(t, pub, deviceURI+"?unions=b,a")},
		{"a union twice", c.leaf(t, pub, deviceURI+"?unions=a,a")},
		{"a union with a blank", c.leaf(t, pub, deviceURI+"?unions=a%20b")},
		{"an escaped union: one code must not have two forms", c.leaf(t, pub, deviceURI+"?unions=%61")},
		{"a union code that is too long", c.leaf(t, pub, deviceURI+"?unions="+strings.Repeat("a", 33))},
		{"the city is no union of a device", c.leaf(t, pub, deviceURI+"?unions=city")},
		{"too many unions", c.leaf(t, pub, deviceURI+"?unions="+manyUnions(MaxUnions+1))},
		{"something behind the unions", c.leaf(t, pub, deviceURI+"?unions=a&role=node")},
		{"something before the unions", c.leaf(t, pub, deviceURI+"?x=1&unions=a")},
		{"a fragment", c.leaf(t, pub, deviceURI+"?unions=a#b")},
		{"a user before the role", c.leaf(t, pub, "unionsync://me@node/n1")},
		{"a key of another kind", c.leaf(t, other.Public(), nodeURI)},
	} {
		if id, err := Parse(row.cert); syncproto.CodeOf(err) != syncproto.CodeCertificate {
			t.Errorf("%s: %v, %v", row.why, id, err)
		}
	}
}

func manyUnions(n int) string {
	codes := make([]string, n)
	for i := range codes {
		codes[i] = fmt.Sprintf("u%03d", i)
	}
	return strings.Join(codes, ",")
}

func TestVerify(t *testing.T) {
	c, other := newCity(t, 1), newCity(t, 9)
	pub := testKey(2).Public()
	device := c.leaf(t, pub, deviceURI)
	for _, row := range []struct {
		why   string
		cert  *x509.Certificate
		roles []Role
		want  syncproto.Code
	}{
		{"any role, and long past its date", device, nil, 0},
		{"the right role", device, []Role{RoleNode, RoleDevice}, 0},
		{"the wrong role", device, []Role{RoleNode}, syncproto.CodeWrongRole},
		{"another city's device", other.leaf(t, pub, deviceURI), nil, syncproto.CodeWrongCentre},
		{"the CA's own certificate is no end's", c.cert, nil, syncproto.CodeCertificate},
	} {
		_, err := Verify(row.cert, c.cert, row.roles...)
		if err == nil && row.want != 0 || err != nil && syncproto.CodeOf(err) != row.want {
			t.Errorf("%s: %v, want E%d", row.why, err, row.want)
		}
	}
}

// TestLeafCannotSign: a device's key must not make further devices.
func TestLeafCannotSign(t *testing.T) {
	c := newCity(t, 1)
	key := testKey(2)
	device := c.leaf(t, key.Public(), deviceURI)
	forged := city{key: key, cert: device}.leaf(t, testKey(3).Public(), nodeURI)
	if id, err := Verify(forged, c.cert); err == nil {
		t.Errorf("accepted %v behind a device", id)
	}
	if id, err := Verify(forged, device); err == nil {
		t.Errorf("accepted %v with a device as CA", id)
	}
	if _, err := ParseCA(device.Raw); syncproto.CodeOf(err) != syncproto.CodeCertificate {
		t.Errorf("a device's certificate passed for a CA's: %v", err)
	}
}

func TestParseCA(t *testing.T) {
	c, other := newCity(t, 1), newCity(t, 9)
	if _, err := ParseCA(c.cert.Raw); err != nil {
		t.Error(err)
	}
	// An intermediate CA is not the root that was pinned.
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(3), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	middle := issue(t, tmpl, other.cert, testKey(4).Public(), other.key)
	for why, der := range map[string][]byte{"an intermediate": middle.Raw, "no certificate": []byte("x"), "nothing": nil} {
		if _, err := ParseCA(der); syncproto.CodeOf(err) != syncproto.CodeCertificate {
			t.Errorf("%s: %v", why, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	fp := FingerprintOf(newCity(t, 1).cert)
	if got, err := ParseFingerprint(fp.String()); err != nil || got != fp {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "00", fp.String() + "00", strings.Repeat("g", 64)} {
		if _, err := ParseFingerprint(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	c := newCity(f, 1)
	f.Add(c.cert.Raw)
	f.Add(c.leaf(f, testKey(2).Public(), nodeURI).Raw)
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		id, err := Parse(cert)
		if err == nil && CheckID(id.Role, id.ID) != nil {
			t.Fatalf("accepted %q", id)
		}
		if _, err := Verify(cert, c.cert); err == nil {
			if _, err := Parse(cert); err != nil {
				t.Fatalf("verified what cannot be read: %v", err)
			}
		}
	})
}

// FuzzName: a name that is taken has one form, and gives the same identity again.
func FuzzName(f *testing.F) {
	for _, s := range []string{nodeURI, deviceURI, deviceURI + "?unions=a,b", deviceURI + "?unions=", deviceURI + "?unions=b,a&x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.Parse(s)
		if err != nil {
			return
		}
		id, err := parseName(u)
		if err != nil {
			return
		}
		again, err := parseName(id.URI())
		if diff := cmp.Diff(id, again); err != nil || diff != "" || id.URI().String() != u.String() {
			t.Fatalf("%q gives %q: %v %s", s, id.URI(), err, diff)
		}
		if CheckID(id.Role, id.ID) != nil || CheckUnions(id.Unions) != nil {
			t.Fatalf("accepted %q", s)
		}
	})
}
