// Package agenttest has a centre that lives in memory, for tests of what stands on the
// agent's end of an exchange: it signs receipts as a node does, gives out enrolment codes
// and certificates, and can be served over HTTPS on loopback. It promises no speed. It
// imports the session's own test centre and never anything of server.
package agenttest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/url"
	"sync"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/enrolcode"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/wire"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// Centre is a city's centre for any number of unions. It is safe for concurrent use.
type Centre struct {
	CA   *x509.Certificate
	Own  tlsid.Own // of its only node
	Time int64     // what it says the time is; 0: nothing
	Slot *syncpb.Slot
	// Fault is asked before a request is looked at (answered false) and again before its
	// answer leaves (true); an error is what the agent gets.
	Fault func(q *syncpb.Request, answered bool) error
	// Twist may change an answer before it leaves.
	Twist func(r *syncpb.Response)

	Recipient string    // for bundles, as it is told; empty: it is not told
	BundleKey *[32]byte // opens them

	caKey ed25519.PrivateKey

	mu        sync.Mutex // guards the rest
	unions    map[string]*sessiontest.Centre
	codes     map[string]*grant
	devices   map[string]*device
	addresses []string
	requests  int
}

// grant is an open or used enrolment code.
type grant struct {
	union   string
	expired bool
	device  string
}

type device struct {
	key    ed25519.PublicKey
	unions map[string]bool
}

// New makes a centre whose keys are drawn from seed, so that tests repeat.
func New(seed byte) (*Centre, error) {
	c := &Centre{
		Slot:   &syncpb.Slot{Minute: 23 * 60, WindowStart: 22 * 60, WindowEnd: 5 * 60},
		unions: map[string]*sessiontest.Centre{}, codes: map[string]*grant{}, devices: map[string]*device{},
	}
	c.caKey = key(seed, 1)
	c.BundleKey = seal.Derive(c.caKey.Seed(), "test bundles")
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(seed) + 1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var err error
	if c.CA, err = certificate(template, template, c.caKey.Public(), c.caKey); err != nil {
		return nil, err
	}
	node := key(seed, 2)
	cert, err := c.sign(node.Public().(ed25519.PublicKey), tlsid.RoleNode, "n1")
	if err != nil {
		return nil, err
	}
	c.Own = tlsid.Own{Key: node, Cert: cert, CA: c.CA}
	c.Recipient, err = seal.Recipient(c.BundleKey)
	return c, err
}

func key(seed, part byte) ed25519.PrivateKey {
	b := make([]byte, ed25519.SeedSize)
	b[0], b[1] = seed, part
	return ed25519.NewKeyFromSeed(b)
}

func certificate(template, parent *x509.Certificate, pub any, signer ed25519.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, signer)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func (c *Centre) sign(pub ed25519.PublicKey, role tlsid.Role, id string, unions ...string) (*x509.Certificate, error) {
	u := tlsid.Identity{Role: role, ID: id, Unions: unions}.URI()
	return certificate(&x509.Certificate{SerialNumber: big.NewInt(7), URIs: []*url.URL{u}}, c.CA, pub, c.caKey)
}

// SignKind signs a kind file as the city does.
func (c *Centre) SignKind(name string, version uint32, yaml []byte) *syncpb.KindFile {
	return &syncpb.KindFile{Name: name, Version: version, Yaml: yaml,
		Signature: seal.Sign(c.caKey, syncproto.DomainKindFile, syncproto.KindFileMessage(name, version, yaml))}
}

// History names the centre in requests.
func (c *Centre) History() []byte {
	fp := tlsid.FingerprintOf(c.CA)
	return fp[:syncproto.HistorySize]
}

// Union gives the records of a union; it is made if need be.
func (c *Centre) Union(code string) *sessiontest.Centre {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.union(code)
}

func (c *Centre) union(code string) *sessiontest.Centre {
	u := c.unions[code]
	if u == nil {
		u = sessiontest.NewCentre(c.History())
		u.Lineage = syncproto.Lineage{c.life(syncproto.Generation{Number: 1, Random: Life})}
		u.Class = func(n syncproto.KindNumber) merge.Classes {
			if k, ok := kind.Embedded().ByNumber(n); ok {
				return k.Class
			}
			return sessiontest.Asks(n)
		}
		c.unions[code] = u
	}
	return u
}

// Life is the random bits of the first life of every centre here.
const Life = 42

// life signs a generation entry.
func (c *Centre) life(g syncproto.Generation) syncproto.Generation {
	g.Signature = seal.Sign(c.caKey, syncproto.DomainGeneration, g.Message())
	return g
}

// Backup copies what the centre has of a union, as a backup does.
func (c *Centre) Backup(union string) *sessiontest.Centre { return c.Union(union).Backup() }

// Restore puts a backup back; a life begins that is one above all others.
func (c *Centre) Restore(union string, b *sessiontest.Centre) {
	u := c.Union(union)
	c.mu.Lock()
	defer c.mu.Unlock()
	u.Restore(b, u.Lineage, uint64(u.Lineage.Newest().Number)+Life)
}

// Code opens an enrolment code for a union.
func (c *Centre) Code(union string, expired bool) (string, error) {
	code, err := enrolcode.NewCode(rand.Reader, tlsid.FingerprintOf(c.CA))
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.codes[code.String()] = &grant{union: union, expired: expired}
	return code.String(), nil
}

// Requests counts the exchanges asked for so far.
func (c *Centre) Requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

// Exchange answers as a node does. It is a transport as it stands: messages are copied as
// a line would.
func (c *Centre) Exchange(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	q = proto.CloneOf(q)
	if err := c.fault(q, false); err != nil {
		return nil, err
	}
	c.signedByNode(q)
	r, err := c.union(q.GetUnion()).Exchange(q)
	if err != nil {
		return nil, err
	}
	r = proto.CloneOf(r)
	c.signLives(r)
	c.signLog(q.GetUnion(), r.GetPage())
	r.Time, r.Slot, r.Addresses = c.Time, c.Slot, c.addresses
	if wire.RecipientHash(c.Recipient) != q.GetClient().GetRecipient() {
		r.Recipient = c.Recipient
	}
	if msg := session.ReceiptMessage(q, r); msg != nil {
		id := tlsid.KeyIDOf(c.Own.Key.Public().(ed25519.PublicKey))
		r.Receipt.Signature = seal.Sign(c.Own.Key, syncproto.DomainReceipt, msg)
		r.Receipt.Signer, r.Receipt.Certificate = id[:], c.Own.Cert.Raw
	}
	if c.Twist != nil {
		c.Twist(r)
	}
	if err := c.fault(q, true); err != nil {
		return nil, err
	}
	return r, nil
}

func (c *Centre) fault(q *syncpb.Request, answered bool) error {
	if c.Fault == nil {
		return nil
	}
	return c.Fault(q, answered)
}

// Digest is a union's digest, in hexadecimal digits.
func (c *Centre) Digest(union string) (string, error) {
	d, err := c.Union(union).Digest()
	return hex.EncodeToString(d[:]), err
}
