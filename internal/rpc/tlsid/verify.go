package tlsid

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"unionsync/syncproto"
)

// Fingerprint is SHA-256 over a CA's certificate (DER): the name of a city's centre.
type Fingerprint [sha256.Size]byte

// FingerprintOf gives the fingerprint of a CA's certificate.
func FingerprintOf(ca *x509.Certificate) Fingerprint { return sha256.Sum256(ca.Raw) }

// String gives the fingerprint as 64 hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// ParseFingerprint reads what [Fingerprint.String] gives.
func ParseFingerprint(s string) (Fingerprint, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha256.Size {
		return Fingerprint{}, errors.New("a fingerprint is 64 hexadecimal digits")
	}
	return Fingerprint(b), nil
}

// ParseCA reads a CA's certificate and checks that it is one: Ed25519, signed by itself.
func ParseCA(der []byte) (*x509.Certificate, error) {
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, badCertificate("the CA's cannot be read", err)
	}
	if _, ok := ca.PublicKey.(ed25519.PublicKey); !ok || !ca.IsCA {
		return nil, badCertificate("it is not a CA's", nil)
	}
	if err := ca.CheckSignatureFrom(ca); err != nil {
		return nil, badCertificate("the CA's is not signed by itself", err)
	}
	return ca, nil
}

// Verify checks that ca signed cert and that cert is of one of the roles (of any, when none
// is named), and gives whom it names. Dates are not looked at: see the package comment.
func Verify(cert, ca *x509.Certificate, roles ...Role) (Identity, error) {
	if err := cert.CheckSignatureFrom(ca); err != nil {
		return Identity{}, syncproto.Fail(syncproto.CodeWrongCentre, "verify certificate", err)
	}
	id, err := Parse(cert)
	if err != nil {
		return Identity{}, err
	}
	if len(roles) > 0 && !slices.Contains(roles, id.Role) {
		return Identity{}, syncproto.Fail(syncproto.CodeWrongRole, "verify certificate",
			fmt.Errorf("role %s", id.Role), "role", string(id.Role))
	}
	return id, nil
}

// FindCA looks in a chain that the other end showed for the CA whose fingerprint begins
// with prefix, as an enrolment code carries it (at least 10 bytes). Finding it proves
// nothing yet: the leaf must verify against it.
func FindCA(chain []*x509.Certificate, prefix []byte) (*x509.Certificate, error) {
	if len(prefix) < minPrefix {
		return nil, fmt.Errorf("find CA: %d bytes of fingerprint are too few", len(prefix))
	}
	for _, cert := range chain {
		if fp := FingerprintOf(cert); bytes.HasPrefix(fp[:], prefix) {
			return ParseCA(cert.Raw)
		}
	}
	return nil, syncproto.Fail(syncproto.CodeWrongCentre, "find the city's CA",
		errors.New("no certificate of the chain has the expected fingerprint"))
}

// minPrefix is how much of a fingerprint pins a CA: 80 bits cannot be met by trying.
const minPrefix = 10

// PeerOf gives whom the other end of a connection proved to be. The connection must come
// from a config of this package, which has verified the certificate. An end without a
// certificate gets [syncproto.CodeNoCertificate].
func PeerOf(state *tls.ConnectionState) (Identity, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return Identity{}, syncproto.Fail(syncproto.CodeNoCertificate, "identify the other end", nil)
	}
	return Parse(state.PeerCertificates[0])
}
