package seal

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Recipient gives the public half of an escrow key, as age writes it (age1…): what is
// sealed for it can be opened with the key only.
func Recipient(key *[32]byte) (string, error) {
	id, err := identity(key)
	if err != nil {
		return "", err
	}
	return id.Recipient().String(), nil
}

// SealFor seals plaintext, in memory as a whole, for a recipient. age draws its own randomness from the
// system. A recipient that is none gives an error.
func SealFor(recipient string, plaintext []byte) ([]byte, error) {
	r, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		return nil, fmt.Errorf("seal for recipient: %w", err)
	}
	var box bytes.Buffer
	w, err := age.Encrypt(&box, r)
	if err != nil {
		return nil, fmt.Errorf("seal for recipient: %w", err)
	}
	if _, err := w.Write(plaintext); err != nil {
		return nil, fmt.Errorf("seal for recipient: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal for recipient: %w", err)
	}
	return box.Bytes(), nil
}

// IsRecipient reports whether text is a recipient for which [SealFor] can seal.
func IsRecipient(text string) bool {
	_, err := age.ParseX25519Recipient(text)
	return err == nil
}

// OpenFor opens what [SealFor] made for the key's recipient; it fails with [ErrOpen].
func OpenFor(key *[32]byte, box []byte) ([]byte, error) {
	id, err := identity(key)
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(box), id)
	if err != nil {
		return nil, fmt.Errorf("open for recipient: %w: %w", ErrOpen, err)
	}
	plaintext, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("open for recipient: %w: %w", ErrOpen, err)
	}
	return plaintext, nil
}

// identity is key as an age identity. age reads identities from text only.
func identity(key *[32]byte) (*age.X25519Identity, error) {
	id, err := age.ParseX25519Identity(strings.ToUpper(bech32("age-secret-key-", key[:])))
	if err != nil {
		return nil, fmt.Errorf("make escrow identity: %w", err)
	}
	return id, nil
}
