package bundlefile

import (
	"crypto/x509"
	"errors"
	"fmt"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
)

// Make signs a bundle, seals it for a recipient (age1…) and puts its head before it. sign is
// by the key of b.Certificate, for [syncproto.DomainBundle].
func Make(b *bundle.Bundle, recipient string, sign func(msg []byte) []byte) (file []byte, err error) {
	b.Signature = sign(b.Signed())
	sealed, err := seal.SealFor(recipient, b.Encode())
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeBundleRecipient, "make bundle", err)
	}
	return bundle.EncodeFile(b.Head(), sealed)
}

// Opener is who opens bundles.
type Opener struct {
	CA     *x509.Certificate // of the city
	Key    *[32]byte         // for whose recipient bundles are sealed
	Kind   bundle.Kind       // which ones are for the opener
	Device bundle.Device     // of a device: its id
}

// CityOf names the city of a CA.
func CityOf(ca *x509.Certificate) bundle.City {
	fp := tlsid.FingerprintOf(ca)
	return bundle.City(fp[:syncproto.HistorySize])
}

// Open checks a bundle as a whole and gives what it holds: form, checksum, city, addressee,
// seal, signer. Who signed stands in signer: the device that asks or the node that answers.
func (o Opener) Open(file []byte) (b *bundle.Bundle, signer tlsid.Identity, err error) {
	const op = "open bundle"
	h, sealed, err := bundle.DecodeFile(file)
	switch {
	case err != nil:
		return nil, signer, err
	case h.City != CityOf(o.CA):
		return nil, signer, syncproto.Fail(syncproto.CodeBundleCity, op, nil)
	case h.Kind != o.Kind || h.Device != o.Device:
		return nil, signer, syncproto.Fail(syncproto.CodeBundleAddressee, op, fmt.Errorf("%s for %s", h.Kind, h.Device))
	}
	payload, err := seal.OpenFor(o.Key, sealed)
	if err != nil {
		return nil, signer, syncproto.Fail(syncproto.CodeBundleSealed, op, err)
	}
	if b, err = bundle.Decode(payload); err != nil {
		return nil, signer, err
	}
	if !b.Fits(h) {
		return nil, signer, syncproto.Fail(syncproto.CodeBundleDamaged, op, errors.New("the head is another bundle's"))
	}
	if signer, err = o.verify(b); err != nil {
		return nil, signer, syncproto.Fail(syncproto.CodeBundleSigner, op, err)
	}
	return b, signer, nil
}

// verify checks that the city vouches for the signer, that the signer is whom the bundle
// names, and the signature.
func (o Opener) verify(b *bundle.Bundle) (tlsid.Identity, error) {
	role, name := tlsid.RoleDevice, b.Device.String()
	if b.Kind == bundle.KindAnswer {
		role, name = tlsid.RoleNode, b.Node
	}
	cert, err := x509.ParseCertificate(b.Certificate)
	if err != nil {
		return tlsid.Identity{}, fmt.Errorf("read signer's certificate: %w", err)
	}
	id, err := tlsid.Verify(cert, o.CA, role)
	if err != nil {
		return tlsid.Identity{}, err
	}
	if id.ID != name {
		return tlsid.Identity{}, errors.New("the certificate is another's")
	}
	return id, seal.Verify(id.Key, syncproto.DomainBundle, b.Signed(), b.Signature)
}
