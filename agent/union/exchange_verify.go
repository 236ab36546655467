package union

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// verifyReceipt checks a node's signature under a receipt: the node's certificate comes
// along, the pinned CA vouches for it.
func verifyReceipt(ca *x509.Certificate, r *syncpb.Receipt, msg []byte) error {
	cert, err := x509.ParseCertificate(r.GetCertificate())
	if err != nil {
		return fmt.Errorf("read signer's certificate: %w", err)
	}
	id, err := tlsid.Verify(cert, ca, tlsid.RoleNode)
	if err != nil {
		return err
	}
	if !bytes.Equal(r.GetSigner(), id.KeyID[:]) {
		return errors.New("the certificate is not the signer's")
	}
	return seal.Verify(id.Key, syncproto.DomainReceipt, msg, r.GetSignature())
}

// receiptBytes is how a receipt is kept; nil for none.
func receiptBytes(r *syncpb.Receipt) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("keep receipt: %w", err)
	}
	return b, nil
}

// verifyLife checks the CA's signature under a life of the centre.
func verifyLife(ca *x509.Certificate, g syncproto.Generation) error {
	pub, ok := ca.PublicKey.(ed25519.PublicKey)
	if !ok {
		return errors.New("the CA's key is of another kind")
	}
	return seal.Verify(pub, syncproto.DomainGeneration, g.Message(), g.Signature)
}

// certificateBucket holds certificates of those who signed what is kept: signer → DER.
const certificateBucket = "certificates"

// signers knows who may sign for changes: devices and nodes of the city.
type signers struct {
	u   *Union
	ca  *x509.Certificate
	met map[string]signer // by DER, so that a page with many runs reads each certificate once
}

type signer struct {
	name []byte // as runs name it: a device's id, a node's name
	key  ed25519.PublicKey
	node bool
	err  error
}

func (s *signers) read(der []byte) signer {
	if got, ok := s.met[string(der)]; ok {
		return got
	}
	got := readSigner(s.ca, der)
	s.met[string(der)] = got
	return got
}

func readSigner(ca *x509.Certificate, der []byte) signer {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return signer{err: fmt.Errorf("read certificate: %w", err)}
	}
	id, err := tlsid.Verify(cert, ca, tlsid.RoleDevice, tlsid.RoleNode)
	if err != nil {
		return signer{err: err}
	}
	name := []byte(id.ID)
	if id.Role == tlsid.RoleDevice {
		if name, err = hex.DecodeString(id.ID); err != nil {
			return signer{err: fmt.Errorf("read certificate: %w", err)}
		}
	}
	return signer{name: name, key: id.Key, node: id.Role == tlsid.RoleNode}
}

// verify checks a run's signature by whoever of those certified here or before has the
// signer's name. A node may have signed for it as what it holds.
func (s *signers) verify(name []byte, certificates [][]byte, msg, signature []byte) error {
	known, err := s.u.j.Get(certificateBucket, name)
	if err != nil {
		return err
	}
	err = errors.New("no certificate of the signer")
	for _, der := range append(slices.Clone(certificates), known) {
		if who := s.read(der); der != nil && who.err == nil && bytes.Equal(who.name, name) {
			if err = seal.Verify(who.key, syncproto.DomainSegment, msg, signature); err == nil {
				return nil
			}
			if who.node && seal.Verify(who.key, syncproto.DomainHeldSegment, msg, signature) == nil {
				return nil
			}
		}
	}
	return err
}

// facts are the certificates to be kept with what a page brought.
func (s *signers) facts(certificates [][]byte) ([]Fact, error) {
	var out []Fact
	for _, der := range certificates {
		who := s.read(der)
		if who.err != nil {
			continue // nobody needed it: every run was verified
		}
		have, err := s.u.j.Get(certificateBucket, who.name)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(have, der) {
			out = append(out, Fact{Bucket: certificateBucket, Key: who.name, Value: der})
		}
	}
	return out, nil
}
