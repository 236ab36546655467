package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the length of every symmetric key here.
const KeySize = chacha20poly1305.KeySize

// Overhead is how many bytes a sealed blob is longer than its plaintext.
const Overhead = 1 + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// suiteXChaCha is the first byte of a blob sealed with XChaCha20-Poly1305. Permanent.
const suiteXChaCha = 1

// Errors of opening.
var (
	// ErrOpen says that a blob is damaged, or was sealed with another key or for another
	// purpose (associated data). Which of these it is cannot be told.
	ErrOpen = errors.New("wrong key or damaged data")
	// ErrSuite says that the first byte names a layout or algorithm unknown here.
	ErrSuite = errors.New("unknown sealing suite")
)

// Seal encrypts plaintext and binds it to aad, which is not stored. The nonce is 24 random
// bytes from rand, so that one key may seal any number of blobs. The layout is
//
//	suite (1) | nonce (24) | ciphertext (len(plaintext)) | tag (16)
func Seal(key *[32]byte, rand io.Reader, plaintext, aad []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	head := 1 + aead.NonceSize()
	box := make([]byte, head, len(plaintext)+Overhead)
	box[0] = suiteXChaCha
	if _, err := io.ReadFull(rand, box[1:head]); err != nil {
		return nil, fmt.Errorf("seal: draw nonce: %w", err)
	}
	return aead.Seal(box, box[1:head], plaintext, suiteAAD(suiteXChaCha, aad)), nil
}

// Open decrypts what [Seal] made with the same key and aad. It fails with [ErrSuite] or
// [ErrOpen]; no part of an unauthenticated plaintext is ever returned.
func Open(key *[32]byte, box, aad []byte) ([]byte, error) {
	if len(box) == 0 {
		return nil, fmt.Errorf("open: empty: %w", ErrOpen)
	}
	if box[0] != suiteXChaCha {
		return nil, fmt.Errorf("open: suite %d: %w", box[0], ErrSuite)
	}
	if len(box) < Overhead {
		return nil, fmt.Errorf("open: %d bytes are too few: %w", len(box), ErrOpen)
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	head := 1 + aead.NonceSize()
	plaintext, err := aead.Open(nil, box[1:head], box[head:], suiteAAD(suiteXChaCha, aad))
	if err != nil {
		return nil, fmt.Errorf("open: %w", ErrOpen)
	}
	return plaintext, nil
}

// suiteAAD binds the suite byte too: it cannot be swapped for another one unnoticed.
func suiteAAD(suite byte, aad []byte) []byte {
	return append([]byte{suite}, aad...)
}

// Derive makes a key for one purpose from a secret of full strength (HKDF-SHA256 without
// salt, purpose as info). It is not for passwords or PINs.
func Derive(secret []byte, purpose string) *[32]byte {
	raw, err := hkdf.Key(sha256.New, secret, nil, purpose, KeySize)
	if err != nil {
		panic(fmt.Sprintf("derive key for %q: %v", purpose, err)) // only for lengths above 255 hashes
	}
	return (*[32]byte)(raw)
}
