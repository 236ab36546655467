package gate

import (
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"sync"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/syncproto"
)

// vouched is a certificate of the city's CA that was read and verified.
type vouched struct {
	id          tlsid.Identity
	from, until time.Time
}

// allows reports whether the certificate is of one of the roles; none named: of any.
func (v *vouched) allows(roles []tlsid.Role) error {
	if len(roles) > 0 && !slices.Contains(roles, v.id.Role) {
		return syncproto.Fail(syncproto.CodeWrongRole, "verify certificate", nil, "role", string(v.id.Role))
	}
	return nil
}

// maxVouched is how many certificates are remembered: those of a city, some 20 MB. When there
// are more it begins anew.
const maxVouched = 40_000

// vouching remembers certificates that were verified, by the hash of their bytes. What the one
// CA of this city has signed stays signed; whether its holder may still come is the device
// list's word, and is asked each time. An exchange looks at its device's certificate three
// times, and each look would cost the log's entry for it over again.
type vouching struct {
	ca *x509.Certificate

	mu    sync.Mutex
	known map[[sha256.Size]byte]*vouched
}

func newVouching(ca *x509.Certificate) *vouching {
	return &vouching{ca: ca, known: map[[sha256.Size]byte]*vouched{}}
}

// of reads a certificate (DER) and checks that the CA signed it and that it is of one of the
// roles. Errors as of [tlsid.Verify]; they are not remembered.
func (k *vouching) of(der []byte, roles ...tlsid.Role) (*vouched, error) {
	name := sha256.Sum256(der)
	k.mu.Lock()
	v := k.known[name]
	k.mu.Unlock()
	if v != nil {
		return v, v.allows(roles)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeCertificate, "read certificate", err)
	}
	id, err := tlsid.Verify(cert, k.ca)
	if err != nil {
		return nil, err
	}
	v = &vouched{id: id, from: cert.NotBefore, until: cert.NotAfter}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= maxVouched {
		clear(k.known)
	}
	k.known[name] = v
	return v, v.allows(roles)
}
