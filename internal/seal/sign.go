package seal

import (
	"crypto/ed25519"
	"errors"
	"fmt"
)

// SignatureSize is the length of what [Sign] returns.
const SignatureSize = 1 + ed25519.SignatureSize

// suiteEd25519 is the first byte of an Ed25519 signature. Permanent.
const suiteEd25519 = 1

// maxDomain is the longest domain: its length is one byte of the signed message.
const maxDomain = 255

// ErrSignature says that a signature is not one of this key over this message in this
// domain.
var ErrSignature = errors.New("signature does not verify")

// Sign signs msg for one domain, as in "unionsync segment v1": a signature given in one
// domain is none in any other. The result is the suite byte and the 64 bytes of an Ed25519
// signature over
//
//	suite (1) | length of domain (1) | domain | msg
//
// A domain is a constant of the program; an empty one or one above 255 bytes panics.
func Sign(priv ed25519.PrivateKey, domain string, msg []byte) []byte {
	return append([]byte{suiteEd25519}, ed25519.Sign(priv, signed(domain, msg))...)
}

// Verify checks a signature made by [Sign]; it fails with [ErrSignature] or [ErrSuite]. A
// public key of a wrong length is a signature that does not verify.
func Verify(pub ed25519.PublicKey, domain string, msg, sig []byte) error {
	if len(sig) == 0 {
		return fmt.Errorf("verify %s: no signature: %w", domain, ErrSignature)
	}
	if sig[0] != suiteEd25519 {
		return fmt.Errorf("verify %s: suite %d: %w", domain, sig[0], ErrSuite)
	}
	if len(pub) != ed25519.PublicKeySize || len(sig) != SignatureSize ||
		!ed25519.Verify(pub, signed(domain, msg), sig[1:]) {
		return fmt.Errorf("verify %s: %w", domain, ErrSignature)
	}
	return nil
}

func signed(domain string, msg []byte) []byte {
	if domain == "" || len(domain) > maxDomain {
		panic(fmt.Sprintf("signature domain of %d bytes", len(domain)))
	}
	b := make([]byte, 0, 2+len(domain)+len(msg))
	b = append(b, suiteEd25519, byte(len(domain)))
	b = append(b, domain...)
	return append(b, msg...)
}
