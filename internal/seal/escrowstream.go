package seal

import (
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// StreamFor seals what is written to it for several recipients (age1…): each of their keys
// opens it alone. Close ends it and does not close dst. A recipient that is none gives an
// error.
func StreamFor(recipients []string, dst io.Writer) (io.WriteCloser, error) {
	to := make([]age.Recipient, len(recipients))
	for i, text := range recipients {
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			return nil, fmt.Errorf("seal for recipient %d: %w", i+1, err)
		}
		to[i] = r
	}
	w, err := age.Encrypt(dst, to...)
	if err != nil {
		return nil, fmt.Errorf("seal for recipients: %w", err)
	}
	return w, nil
}

// OpenStreamFor opens what [StreamFor] made for the key's recipient. It, or reading what it
// gives, fails with [ErrOpen]; what was read before that is authentic.
func OpenStreamFor(key *[32]byte, src io.Reader) (io.Reader, error) {
	id, err := identity(key)
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(src, id)
	if err != nil {
		return nil, fmt.Errorf("open for recipient: %w: %w", ErrOpen, err)
	}
	return openReader{r}, nil
}

type openReader struct{ r io.Reader }

// Read implements io.Reader.
func (o openReader) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("open for recipient: %w: %w", ErrOpen, err)
	}
	return n, err
}
