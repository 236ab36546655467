package gate

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"fmt"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// signer is who signed a segment, with a nil key if that is not known.
type signer struct {
	key  ed25519.PublicKey
	node bool
}

// signerKey gives the public key of a device of the union or of a node: as the state knows
// it or, after a restore that forgot it, as a certificate of the city says that was handed
// back with the request.
func (p *preparing) signerKey(id []byte) (signer, error) {
	d, err := p.g.cfg.Ledger.Device(id)
	if err != nil {
		return signer{}, err
	}
	if d.HasUnion(p.union) {
		return signer{key: d.GetPublicKey()}, nil
	}
	n, err := p.g.cfg.Ledger.Node(string(id))
	if err != nil {
		return signer{}, err
	}
	if n != nil {
		who, err := p.g.certificateOf(n.GetCertificate(), tlsid.RoleNode)
		if err != nil {
			return signer{}, fmt.Errorf("read a node's certificate: %w", err)
		}
		return signer{key: who.Key, node: true}, nil
	}
	if who, ok := p.certified[string(id)]; ok && maySign(who, p.union) {
		return signer{key: who.Key, node: who.Role == tlsid.RoleNode}, nil
	}
	return signer{}, nil
}

// maySign reports whether a certificate by itself lets its holder sign for a union.
func maySign(who tlsid.Identity, _ string) bool { return who.Role == tlsid.RoleNode }

// certificateOf reads a certificate that the city's CA signed.
func (g *Gate) certificateOf(der []byte, roles ...tlsid.Role) (tlsid.Identity, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return tlsid.Identity{}, syncproto.Fail(syncproto.CodeCertificate, "read certificate", err)
	}
	return tlsid.Verify(cert, g.cfg.Node.Own.CA, roles...)
}

// returnedCertificates gives whom the certificates name that a request hands back, by signer.
// Those that are not of this city count for nothing.
func (g *Gate) returnedCertificates(q *syncpb.Request) map[string]tlsid.Identity {
	out := map[string]tlsid.Identity{}
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
		out[string(id)] = who
	}
	return out
}

// signer signs for changes that nobody signed: those made at the centre, and where a page
// ends inside a run.
func (g *Gate) signer() session.Signer {
	return session.Signer{ID: []byte(g.cfg.Node.ID()), Sign: func(msg []byte) []byte {
		return seal.Sign(g.cfg.Node.Own.Key, syncproto.DomainSegment, msg)
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
		der, err := g.certificate(id)
		if err != nil {
			return fmt.Errorf("add certificates: %w", err)
		}
		if len(der) > 0 {
			p.Certificates = append(p.Certificates, der)
		}
	}
	return nil
}

func (g *Gate) certificate(id string) ([]byte, error) {
	if id == g.cfg.Node.ID() {
		return g.cfg.Node.Own.Cert.Raw, nil
	}
	d, err := g.cfg.Ledger.Device([]byte(id))
	if err != nil || d != nil {
		return d.GetCertificate(), err
	}
	n, err := g.cfg.Ledger.Node(id)
	return n.GetCertificate(), err
}
