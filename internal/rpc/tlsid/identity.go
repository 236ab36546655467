package tlsid

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"unionsync/syncproto"
)

// Role is what a certificate lets its holder be.
type Role string

// The roles. They are part of certificates and permanent.
const (
	RoleNode     Role = "node"     // a node of the centre: may serve, and speak to other nodes
	RoleDevice   Role = "device"   // an enrolled PC
	RoleOperator Role = "operator" // a person or program that may use the admin calls
)

// Scheme is the scheme of the URI that carries role and id: unionsync://node/<id>, and of a
// device its unions too: unionsync://device/<id>?unions=<code>,<code>.
const Scheme = "unionsync"

// KeyID is the short name of a public key: the first 8 bytes of SHA-256 over its
// SubjectPublicKeyInfo.
type KeyID [8]byte

// String gives the id as 16 hexadecimal digits.
func (k KeyID) String() string { return hex.EncodeToString(k[:]) }

// KeyIDOf names an Ed25519 public key.
func KeyIDOf(pub ed25519.PublicKey) KeyID {
	sum := SPKIHash(pub)
	return KeyID(sum[:8])
}

// SPKIHash is SHA-256 over the SubjectPublicKeyInfo of pub.
func SPKIHash(pub ed25519.PublicKey) [sha256.Size]byte {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		panic(fmt.Sprintf("marshal Ed25519 public key: %v", err)) // no such error for this type
	}
	return sha256.Sum256(der)
}

// Identity is whom a certificate names. Only [Verify] and [PeerOf] vouch for one.
type Identity struct {
	Role  Role
	ID    string // of a device: 32 hexadecimal digits
	Key   ed25519.PublicKey
	KeyID KeyID
	// Unions are those that a device may act for, ascending, each once: a centre that lost
	// the device's enrolment takes it in again by them. None in certificates of old form.
	Unions []string
}

// String gives role and id, for logs.
func (i Identity) String() string { return string(i.Role) + "/" + i.ID }

// URI is the name that a certificate carries.
func (i Identity) URI() *url.URL {
	u := &url.URL{Scheme: Scheme, Host: string(i.Role), Path: "/" + i.ID}
	if len(i.Unions) > 0 {
		u.RawQuery = unionsKey + strings.Join(i.Unions, ",")
	}
	return u
}

// unionsKey is what stands before the unions in a device's name.
const unionsKey = "unions="

var (
	deviceID = regexp.MustCompile(`^[0-9a-f]{32}$`)
	plainID  = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$`)
	unionID  = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z-]{0,31}$`)
)

// MaxUnions bounds how many unions one device may act for: its certificate is shown at every
// connection.
const MaxUnions = 64

// CheckUnions says whether a device's unions have the one form that a certificate gives
// them: codes as the centre gives them, ascending, each once, at most [MaxUnions].
func CheckUnions(unions []string) error {
	if len(unions) > MaxUnions {
		return fmt.Errorf("%d unions are too many for one device", len(unions))
	}
	for i, u := range unions {
		if !unionID.MatchString(u) || u == syncproto.CityUnion {
			return fmt.Errorf("%q is no code of a union", u)
		}
		if i > 0 && unions[i-1] >= u {
			return fmt.Errorf("union %q stands out of order", u)
		}
	}
	return nil
}

// CheckID says whether id has the form that ids of this role have.
func CheckID(role Role, id string) error {
	ok := false
	switch role {
	case RoleDevice:
		ok = deviceID.MatchString(id)
	case RoleNode, RoleOperator:
		ok = plainID.MatchString(id)
	}
	if !ok {
		return fmt.Errorf("%q is no id of role %q", id, role)
	}
	return nil
}

// Parse reads whom a certificate names. It does not check who signed it: see [Verify].
func Parse(cert *x509.Certificate) (Identity, error) {
	pub, ok := cert.PublicKey.(ed25519.PublicKey)
	if !ok {
		return Identity{}, badCertificate("its key is not Ed25519", nil)
	}
	if cert.IsCA || len(cert.URIs) != 1 {
		return Identity{}, badCertificate("it names nobody", nil)
	}
	id, err := parseName(cert.URIs[0])
	id.Key, id.KeyID = pub, KeyIDOf(pub)
	if err != nil {
		return Identity{}, err
	}
	return id, nil
}

// parseName reads the name that a certificate carries. A name has one form only: what
// [Identity.URI] would write.
func parseName(u *url.URL) (Identity, error) {
	if u.Scheme != Scheme || len(u.Path) < 2 {
		return Identity{}, badCertificate("it names nobody here", nil)
	}
	id := Identity{Role: Role(u.Host), ID: u.Path[1:]}
	if err := CheckID(id.Role, id.ID); err != nil {
		return Identity{}, badCertificate("its name is malformed", err)
	}
	if list, ok := strings.CutPrefix(u.RawQuery, unionsKey); ok && id.Role == RoleDevice {
		id.Unions = strings.Split(list, ",")
		if err := CheckUnions(id.Unions); err != nil {
			return Identity{}, badCertificate("its unions are malformed", err)
		}
	}
	if id.URI().String() != u.String() {
		return Identity{}, badCertificate("its name has parts that no name has", nil)
	}
	return id, nil
}

func badCertificate(what string, err error) error {
	cause := fmt.Errorf("certificate: %s", what)
	if err != nil {
		cause = fmt.Errorf("certificate: %s: %w", what, err)
	}
	return syncproto.Fail(syncproto.CodeCertificate, "read certificate", cause)
}
