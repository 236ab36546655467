package trust

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"slices"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
)

// Lifetimes of certificates. No end of ours checks them (see tlsid); they are there for
// other programs, and as a last date by which a key should have been renewed.
const (
	caYears   = 30
	leafYears = 10
)

// Authority is the city's CA, opened: it signs certificates and the city's own statements.
// It is safe for concurrent use as long as its source of randomness is.
type Authority struct {
	cert *x509.Certificate
	key  ed25519.PrivateKey
	rand io.Reader
}

// newAuthority makes a CA, self-signed, for a new city.
func newAuthority(rand io.Reader, city string, now time.Time) (*Authority, error) {
	key, err := newKey(rand)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	serial, err := newSerial(rand)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	tmpl := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "unionsync " + city, Organization: []string{city}},
		NotBefore:             now.UTC().Truncate(time.Second),
		NotAfter:              now.UTC().Truncate(time.Second).AddDate(caYears, 0, 0),
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	cert, err := create(rand, tmpl, tmpl, key.Public().(ed25519.PublicKey), key)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	return &Authority{cert: cert, key: key, rand: rand}, nil
}

// Certificate is the CA's own certificate.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Fingerprint names the city: SHA-256 over the CA's certificate.
func (a *Authority) Fingerprint() tlsid.Fingerprint { return tlsid.FingerprintOf(a.cert) }

// Sign signs a statement of the city itself, as a generation entry, in its own domain.
// Check it with [seal.Verify] and the CA's public key.
func (a *Authority) Sign(domain string, msg []byte) []byte { return seal.Sign(a.key, domain, msg) }

// SignDevice certifies a device's key: role device, client authentication, and the unions
// that it may act for, ascending and each once.
func (a *Authority) SignDevice(pub ed25519.PublicKey, deviceID string, now time.Time, unions ...string) (*x509.Certificate, error) {
	if err := tlsid.CheckUnions(unions); err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return a.sign(tlsid.Identity{Role: tlsid.RoleDevice, ID: deviceID, Unions: unions}, pub, nil, now, x509.ExtKeyUsageClientAuth)
}

// SignOperator certifies a key for the admin calls: role operator, client authentication.
func (a *Authority) SignOperator(pub ed25519.PublicKey, id string, now time.Time) (*x509.Certificate, error) {
	return a.sign(tlsid.Identity{Role: tlsid.RoleOperator, ID: id}, pub, nil, now, x509.ExtKeyUsageClientAuth)
}

// everyNode are the names for which every node's certificate is good.
var everyNode = []string{"localhost", "127.0.0.1", "::1"}

// SignNode certifies a node's key: role node, server and client authentication, good for
// localhost and for the hosts given (names or addresses, without port).
func (a *Authority) SignNode(pub ed25519.PublicKey, nodeID string, hosts []string, now time.Time) (*x509.Certificate, error) {
	hosts = append(slices.Clone(everyNode), hosts...)
	return a.sign(tlsid.Identity{Role: tlsid.RoleNode, ID: nodeID}, pub, hosts, now,
		x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
}

func (a *Authority) sign(id tlsid.Identity, pub ed25519.PublicKey, hosts []string, now time.Time,
	usage ...x509.ExtKeyUsage) (*x509.Certificate, error) {
	if err := tlsid.CheckID(id.Role, id.ID); err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	if len(pub) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("sign certificate: a public key of %d bytes", len(pub))
	}
	serial, err := newSerial(a.rand)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	from := now.UTC().Truncate(time.Second)
	tmpl := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: id.String()},
		URIs:                  []*url.URL{id.URI()},
		NotBefore:             from.AddDate(0, 0, -1), // clocks of PCs are often some hours off
		NotAfter:              from.AddDate(leafYears, 0, 0),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           usage,
	}
	addHosts(tmpl, hosts)
	cert, err := create(a.rand, tmpl, a.cert, pub, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return cert, nil
}

func addHosts(tmpl *x509.Certificate, hosts []string) {
	seen := map[string]bool{"": true}
	for _, h := range hosts {
		if seen[h] {
			continue
		}
		seen[h] = true
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
}

func create(rand io.Reader, tmpl, parent *x509.Certificate, pub ed25519.PublicKey, signer ed25519.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand, tmpl, parent, pub, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// newKey draws an Ed25519 key.
func newKey(rand io.Reader) (ed25519.PrivateKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return nil, fmt.Errorf("draw key: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// newSerial draws 127 random bits: positive, and never zero for practical purposes.
func newSerial(rand io.Reader) (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(rand, b); err != nil {
		return nil, fmt.Errorf("draw serial number: %w", err)
	}
	b[0] &= 0x7f
	b[15] |= 1
	return new(big.Int).SetBytes(b), nil
}

// NewDeviceID draws a device's id: 16 random bytes in hexadecimal digits.
func NewDeviceID(rand io.Reader) (string, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(rand, b); err != nil {
		return "", fmt.Errorf("draw device id: %w", err)
	}
	return hex.EncodeToString(b), nil
}
