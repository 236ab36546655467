package trust

import (
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
)

func TestCertificates(t *testing.T) {
	city, _ := found(t, 1)
	pub := devicePub(t, 2)
	device, err := city.SignDevice(pub, deviceID, day)
	if err != nil {
		t.Fatal(err)
	}
	node, err := city.SignNode(pub, "n1", []string{"centre.example", "10.1.2.3", "centre.example", ""}, day)
	if err != nil {
		t.Fatal(err)
	}
	operator, err := city.SignOperator(pub, "ops", day)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		cert *x509.Certificate
		want string
		use  []x509.ExtKeyUsage
	}{
		{device, "device/" + deviceID, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}},
		{node, "node/n1", []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}},
		{operator, "operator/ops", []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}},
	} {
		id, err := tlsid.Verify(row.cert, city.Certificate())
		if err != nil || id.String() != row.want || !id.Key.Equal(pub) {
			t.Errorf("%s: %v, %v", row.want, id, err)
		}
		if !slices.Equal(row.cert.ExtKeyUsage, row.use) {
			t.Errorf("%s: usage %v", row.want, row.cert.ExtKeyUsage)
		}
		if row.cert.NotAfter.Sub(day).Hours() < 9*365*24 {
			t.Errorf("%s: ends %v", row.want, row.cert.NotAfter)
		}
	}
	if diff := cmp.Diff([]string{"localhost", "centre.example"}, node.DNSNames); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for _, ip := range []string{"127.0.0.1", "::1", "10.1.2.3"} {
		if !slices.ContainsFunc(node.IPAddresses, net.ParseIP(ip).Equal) {
			t.Errorf("%s is not among %v", ip, node.IPAddresses)
		}
	}
}

// TestStandardVerification: other programs (curl, openssl) take our certificates too.
func TestStandardVerification(t *testing.T) {
	city, _ := found(t, 1)
	node, err := city.SignNode(devicePub(t, 2), "n1", nil, day)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(city.Certificate())
	if _, err := node.Verify(x509.VerifyOptions{Roots: pool, DNSName: "localhost", CurrentTime: day}); err != nil {
		t.Error(err)
	}
	if years := city.Certificate().NotAfter.Year() - day.Year(); years != 30 {
		t.Errorf("the CA lives %d years", years)
	}
}

func TestSignRefuses(t *testing.T) {
	city, _ := found(t, 1)
	pub := devicePub(t, 2)
	for _, row := range []struct {
		why, id string
		pub     ed25519.PublicKey
	}{
		{"an id that is not 16 bytes", "0011", pub},
		{"capitals: one device must not have two names", strings.ToUpper(deviceID), pub},
		{"an id with a path", "../node/n1", pub},
		{"no id", "", pub},
		{"half a key", deviceID, pub[:16]},
		{"no key", deviceID, nil},
	} {
		if cert, err := city.SignDevice(row.pub, row.id, day); err == nil {
			t.Errorf("%s: signed %v", row.why, cert.URIs)
		}
	}
}

func TestSerialsDiffer(t *testing.T) {
	city, _ := found(t, 1)
	seen := map[string]bool{city.Certificate().SerialNumber.String(): true}
	for range 20 {
		cert, err := city.SignDevice(devicePub(t, 2), deviceID, day)
		if err != nil {
			t.Fatal(err)
		}
		if s := cert.SerialNumber.String(); seen[s] || cert.SerialNumber.Sign() <= 0 {
			t.Fatalf("serial %s", s)
		}
		seen[cert.SerialNumber.String()] = true
	}
}

func TestCitySignature(t *testing.T) {
	city, _ := found(t, 1)
	pub := city.Certificate().PublicKey.(ed25519.PublicKey)
	sig := city.Sign("unionsync generation v1", []byte("entry"))
	if err := seal.Verify(pub, "unionsync generation v1", []byte("entry"), sig); err != nil {
		t.Error(err)
	}
	if err := seal.Verify(pub, "unionsync receipt v1", []byte("entry"), sig); !errors.Is(err, seal.ErrSignature) {
		t.Errorf("a generation entry passed for a receipt: %v", err)
	}
}

func TestNewDeviceID(t *testing.T) {
	id, err := NewDeviceID(&stream{seed: 3})
	if err != nil || tlsid.CheckID(tlsid.RoleDevice, id) != nil {
		t.Errorf("%q, %v", id, err)
	}
	if _, err := NewDeviceID(&dry{n: 15, src: &stream{}}); !errors.Is(err, errDry) {
		t.Errorf("%v", err)
	}
}

// TestFoundNeedsAllItsRandomness: wherever randomness fails, there is an error and never a
// key of zeros.
func TestFoundNeedsAllItsRandomness(t *testing.T) {
	need := 0
	for n := range 400 {
		if _, _, err := Found(&dry{n: n, src: &stream{seed: 1}}, "x", day); err == nil {
			need = n
			break
		} else if !errors.Is(err, errDry) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if want := 32 + 16 + 32 + 32 + 24; need < want { // key, serial, root, cluster key, nonce
		t.Errorf("founded with %d random bytes, want at least %d", need, want)
	}
}

// TestDeviceUnions: a device's certificate names its unions, in the one form of such names.
func TestDeviceUnions(t *testing.T) {
	city, _ := found(t, 1)
	cert, err := city.SignDevice(devicePub(t, 2), deviceID, day, "330702-00001", "330782-00001")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := cert.URIs[0].String(), "unionsync://device/"+deviceID+"?unions=330702-00001,330782-00001"; got != want {
		t.Errorf("%s, want %s: the form is permanent", got, want)
	}
	for why, unions := range map[string][]string{
		"out of order": {"b", "a"}, "twice": {"a", "a"}, "the city": {"city"}, "no code": {"a,b"},
	} {
		if _, err := city.SignDevice(devicePub(t, 2), deviceID, day, unions...); err == nil {
			t.Errorf("signed unions %s", why)
		}
	}
}
