package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// City is a city's keys, opened: its CA and the root of its secrets.
type City struct {
	*Authority
	root   [32]byte
	sealed []byte
}

// sealedVersion is the first byte of a sealed city. Permanent.
const sealedVersion = 1

// Found makes the keys of a new city and the cluster key that opens them.
func Found(rand io.Reader, name string, now time.Time) (*City, ClusterKey, error) {
	authority, err := newAuthority(rand, name, now)
	if err != nil {
		return nil, ClusterKey{}, fmt.Errorf("found city: %w", err)
	}
	c := &City{Authority: authority}
	if _, err := io.ReadFull(rand, c.root[:]); err != nil {
		return nil, ClusterKey{}, fmt.Errorf("found city: draw secrets: %w", err)
	}
	key, err := newClusterKey(rand, c.Fingerprint())
	if err != nil {
		return nil, ClusterKey{}, fmt.Errorf("found city: %w", err)
	}
	if c.sealed, err = c.seal(key, rand); err != nil {
		return nil, ClusterKey{}, fmt.Errorf("found city: %w", err)
	}
	return c, key, nil
}

// Sealed gives the city's keys as they are stored and handed to new nodes: without the
// cluster key they tell nothing but the CA's certificate. The layout is
//
//	version (1) | length (2, big endian) | CA certificate (DER) | box of seed (32) ‖ root (32)
//
// where box is what [seal.Seal] gives; what stands before it is its associated data.
func (c *City) Sealed() []byte { return bytes.Clone(c.sealed) }

func (c *City) seal(key ClusterKey, rand io.Reader) ([]byte, error) {
	head := sealedHead(c.cert.Raw)
	box, err := seal.Seal(key.sealing(), rand, append(c.key.Seed(), c.root[:]...), head)
	if err != nil {
		return nil, err
	}
	return append(head, box...), nil
}

func sealedHead(ca []byte) []byte {
	head := binary.BigEndian.AppendUint16([]byte{sealedVersion}, uint16(len(ca)))
	return append(head, ca...)
}

// OpenCity opens what [City.Sealed] gave. The errors are [syncproto.CodeClusterKeyCity] for
// another city's key and [syncproto.CodeClusterKeyWrong] for a wrong one or damage. rand
// serves the certificates that the city will sign.
func OpenCity(sealed []byte, key ClusterKey, rand io.Reader) (*City, error) {
	head, ca, err := splitSealed(sealed)
	if err != nil {
		return nil, wrongKey(err)
	}
	cert, err := tlsid.ParseCA(ca)
	if err != nil {
		return nil, wrongKey(err)
	}
	if fp := tlsid.FingerprintOf(cert); fp != key.CA {
		return nil, syncproto.Fail(syncproto.CodeClusterKeyCity, "open city's secrets",
			fmt.Errorf("the secrets are of %s, the key is of %s", fp, key.CA))
	}
	plain, err := seal.Open(key.sealing(), sealed[len(head):], head)
	if err != nil {
		return nil, wrongKey(err)
	}
	if len(plain) != ed25519.SeedSize+32 {
		return nil, wrongKey(fmt.Errorf("secrets of %d bytes", len(plain)))
	}
	priv := ed25519.NewKeyFromSeed(plain[:ed25519.SeedSize])
	if !priv.Public().(ed25519.PublicKey).Equal(cert.PublicKey) {
		return nil, wrongKey(errors.New("the CA's key is not that of its certificate"))
	}
	return &City{
		Authority: &Authority{cert: cert, key: priv, rand: rand},
		root:      [32]byte(plain[ed25519.SeedSize:]),
		sealed:    bytes.Clone(sealed),
	}, nil
}

func wrongKey(err error) error {
	return syncproto.Fail(syncproto.CodeClusterKeyWrong, "open city's secrets", err)
}

// splitSealed gives the part before the box, and the CA's certificate in it.
func splitSealed(b []byte) (head, ca []byte, err error) {
	if len(b) == 0 || b[0] != sealedVersion {
		return nil, nil, errors.New("unknown version of sealed secrets")
	}
	if len(b) < 3 {
		return nil, nil, errors.New("sealed secrets are cut off")
	}
	end := 3 + int(binary.BigEndian.Uint16(b[1:3]))
	if len(b) < end {
		return nil, nil, errors.New("sealed secrets are cut off")
	}
	return b[:end], b[3:end], nil
}

// Purposes of the keys that come from the city's root secret. Permanent.
const (
	purposePerson = "unionsync person key v1"
	purposeData   = "unionsync cluster data v1"
	purposeEnrol  = "unionsync enrolment codes v1"
	purposeStore  = "unionsync ledger store v1 "
	purposeEscrow = "unionsync escrow identity v1"
	purposeBundle = "unionsync bundle identity v1"

	purposeArchive = "unionsync archive identity v1"
)

// PersonKey is the key of the HMAC by which the census knows a person.
func (c *City) PersonKey() *[32]byte { return seal.Derive(c.root[:], purposePerson) }

// DataKey is the key of raft entries and snapshots, the same on every node.
func (c *City) DataKey() *[32]byte { return seal.Derive(c.root[:], purposeData) }

// EnrolKey is the key under which enrolment codes are hashed (see enrolcode.Code.Hash).
func (c *City) EnrolKey() *[32]byte { return seal.Derive(c.root[:], purposeEnrol) }

// StoreKey is the key of one node's own database files.
func (c *City) StoreKey(nodeID string) *[32]byte { return seal.Derive(c.root[:], purposeStore+nodeID) }

// EscrowKey is the city's age key: seal.Recipient gives what devices wrap their data keys
// for, so that staff can open the disk of a dead PC with seal.OpenFor.
func (c *City) EscrowKey() *[32]byte { return seal.Derive(c.root[:], purposeEscrow) }

// BundleKey is the age key for which devices seal their bundles, the same on every node:
// seal.Recipient gives what devices are told at enrolment.
func (c *City) BundleKey() *[32]byte { return seal.Derive(c.root[:], purposeBundle) }

// ArchiveKey is the age key for which everything on the archive target is sealed.
func (c *City) ArchiveKey() *[32]byte { return seal.Derive(c.root[:], purposeArchive) }
