package union

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"

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

// checkGenerations refuses an answer of a life of the centre that is newer than the one
// known here: what the centre then lacks must be sent again before anything else is done,
// and nothing may be discarded meanwhile.
func (o *ownState) checkGenerations(r *syncpb.Response, ca *x509.Certificate) error {
	for _, g := range r.GetGenerations() {
		entry := syncproto.Generation{
			Number: uint16(g.GetNumber()), Random: g.GetRandom(), Base: syncproto.Position(g.GetBase()),
			Operator: g.GetOperator(), Reason: g.GetReason(),
		}
		pub, ok := ca.PublicKey.(ed25519.PublicKey)
		if !ok || g.GetNumber() > 0xffff {
			return syncproto.Fail(syncproto.CodeAnswer, "read generation", fmt.Errorf("number %d", g.GetNumber()))
		}
		if err := seal.Verify(pub, syncproto.DomainGeneration, entry.Message(), g.GetSignature()); err != nil {
			return syncproto.Fail(syncproto.CodeAnswer, "read generation", err)
		}
		if entry.Number > o.generation.Number {
			return syncproto.Fail(syncproto.CodeGeneration, "follow the centre", fmt.Errorf("generation %d, known %d", entry.Number, o.generation.Number))
		}
	}
	return nil
}
