package gate

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// signer is who may have signed a segment.
type signer struct {
	key  ed25519.PublicKey
	node bool
}

// signerKeys gives the public keys by which a segment's signer may have signed: of a device
// of the union the one that the state knows; of a node those that nodes of its name have or
// had, and those that a certificate of the city handed back with the request names, since a
// restore may have forgotten some. None: it is not known. More
// tells that a certificate could add to them.
func (p *preparing) signerKeys(id []byte) (keys []signer, more bool, err error) {
	d, err := p.g.cfg.Ledger.Device(id)
	if err != nil {
		return nil, false, err
	}
	if d.HasUnion(p.union) {
		return []signer{{key: d.GetPublicKey()}}, false, nil
	}
	certs, err := p.g.cfg.Ledger.NodeCertificates(string(id))
	if err != nil {
		return nil, false, err
	}
	for _, der := range certs {
		who, err := p.g.certificateOf(der, tlsid.RoleNode)
		if err != nil {
			return nil, false, fmt.Errorf("read a node's certificate: %w", err)
		}
		keys = append(keys, signer{key: who.Key, node: true})
	}
	more = true
	for _, who := range p.certified[string(id)] {
		if maySign(who, p.union) {
			keys, more = append(keys, signer{key: who.Key, node: who.Role == tlsid.RoleNode}), false
		}
	}
	return keys, more, nil
}

// maySign reports whether a certificate by itself lets its holder sign for a union.
func maySign(who tlsid.Identity, _ string) bool { return who.Role == tlsid.RoleNode }

// certificateOf reads a certificate that the city's CA signed.
func (g *Gate) certificateOf(der []byte, roles ...tlsid.Role) (tlsid.Identity, error) {
	v, err := g.vouching.of(der, roles...)
	if err != nil {
		return tlsid.Identity{}, err
	}
	return v.id, nil
}

// returnedCertificates gives whom the certificates name that a request hands back, by signer.
// Those that are not of this city count for nothing.
func (g *Gate) returnedCertificates(q *syncpb.Request) map[string][]tlsid.Identity {
	out := map[string][]tlsid.Identity{}
	for _, m := range q.GetReturned() {
		if len(m.GetCertificate()) == 0 {
			continue
		}
		who, err := g.certificateOf(m.GetCertificate(), tlsid.RoleDevice, tlsid.RoleNode)
		if err != nil {
			continue
		}
		id := []byte(who.ID)
		if who.Role == tlsid.RoleDevice {
			if id, err = hex.DecodeString(who.ID); err != nil {
				continue
			}
		}
		out[string(id)] = append(out[string(id)], who)
	}
	return out
}

// signer signs for changes that nobody signed: those made at the centre, and where a page
// ends inside a run.
func (g *Gate) signer() session.Signer {
	return session.Signer{ID: []byte(g.id), Sign: func(domain string, msg []byte) []byte {
		return seal.Sign(g.cfg.Node.Live().Key, domain, msg)
	}}
}

// addCertificates adds the certificate of everybody who signed what stands in a page's log,
// each once.
func (g *Gate) addCertificates(p *syncpb.Page) error {
	seen := map[string]bool{}
	for _, m := range p.GetLog() {
		id := string(m.GetSigner())
		if id == "" || seen[id] {
			continue
		}
		seen[id] = true
		certs, err := g.certificates(id)
		if err != nil {
			return fmt.Errorf("add certificates: %w", err)
		}
		p.Certificates = append(p.Certificates, certs...)
	}
	return nil
}

// certificates gives those of a signer; of a node also those that nodes of its name had
// before, since either may have signed.
func (g *Gate) certificates(id string) (out [][]byte, err error) {
	d, err := g.cfg.Ledger.Device([]byte(id))
	if err != nil {
		return nil, err
	}
	if der := d.GetCertificate(); len(der) > 0 {
		return [][]byte{der}, nil
	}
	own := g.cfg.Node.Live().Cert.Raw
	if id == g.id {
		out = append(out, own)
	}
	of, err := g.cfg.Ledger.NodeCertificates(id)
	for _, der := range of {
		if id != g.id || !bytes.Equal(der, own) {
			out = append(out, der)
		}
	}
	return out, err
}
