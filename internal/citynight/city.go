package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/wire"
	"unionsync/internal/seal"
	"unionsync/server/trust"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session/sessiontest"
	"unionsync/syncproto/syncpb"
)

// city is what all PCs know of the centre.
type city struct {
	node    *trust.Node // with the city's keys: it certifies the PCs
	urls    []string
	history []byte
	classes func(syncproto.KindNumber) merge.Classes

	mu    sync.Mutex
	nodes map[string]tlsid.Identity // by certificate: of those who sign receipts
}

// openCity opens the keys in a node's folder.
func openCity(dir string, urls []string) (*city, error) {
	node, err := trust.Open(dir, rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := node.City.Fingerprint()
	return &city{node: node, urls: urls, history: ca[:syncproto.HistorySize], classes: classesOf(kind.Embedded()), nodes: map[string]tlsid.Identity{}}, nil
}

// classesOf gives the merge classes of the kind files.
func classesOf(set *kind.Set) func(syncproto.KindNumber) merge.Classes {
	return func(n syncproto.KindNumber) merge.Classes {
		for _, k := range set.All() {
			if k.Number == n {
				return k.Class
			}
		}
		return sessiontest.Asks(n)
	}
}

// newPC makes a PC with its key and certificate, as an enrolment would, and saves its first
// members. The centre takes it in by its certificate when it is first heard.
func (c *city) newPC(i int) (*pc, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make PC: %w", err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // it never fails
	cert, err := c.node.City.SignDevice(pub, hex.EncodeToString(id), time.Now(), unionCode(i))
	if err != nil {
		return nil, fmt.Errorf("make PC: %w", err)
	}
	w, err := roster(i)
	if err != nil {
		return nil, err
	}
	p := &pc{
		Agent: sessiontest.NewAgent(unionCode(i), syncproto.JournalID(i+1)<<20|0x5eed, c.history),
		city:  c, id: id, own: tlsid.Own{Key: key, Cert: cert, CA: c.node.Own.CA}, people: w,
		first: i % len(c.urls), client: client(c.urls),
	}
	p.Key, p.Class, p.Verify, p.VerifyRun = key, c.classes, c.verifyReceipt, p.verifyRun
	for _, change := range w.out {
		p.Save(change)
	}
	return p, nil
}

// client is what a PC says of itself when it knows the centre well.
func client(urls []string) *syncpb.Client {
	return &syncpb.Client{
		Version: "citynight", System: "linux/amd64", Addresses: wire.AddressesHash(urls), Kinds: kind.Embedded().Fingerprint(),
	}
}

// verifyReceipt checks a node's signature under a receipt. The certificate of each of the
// three nodes is read once.
func (c *city) verifyReceipt(_ string, r *syncpb.Receipt, msg []byte) error {
	id, err := c.nodeOf(r.GetCertificate())
	if err != nil {
		return err
	}
	if !slices.Equal(id.KeyID[:], r.GetSigner()) {
		return errors.New("the certificate is not the signer's")
	}
	return seal.Verify(id.Key, syncproto.DomainReceipt, msg, r.GetSignature())
}

func (c *city) nodeOf(der []byte) (tlsid.Identity, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id, ok := c.nodes[string(der)]; ok {
		return id, nil
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return tlsid.Identity{}, fmt.Errorf("read signer's certificate: %w", err)
	}
	id, err := tlsid.Verify(cert, c.node.Own.CA, tlsid.RoleNode)
	if err == nil {
		c.nodes[string(der)] = id
	}
	return id, err
}
