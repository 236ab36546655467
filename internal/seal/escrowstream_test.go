package seal

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func streamFor(t *testing.T, plain []byte, keys ...*[32]byte) []byte {
	t.Helper()
	var to []string
	for _, k := range keys {
		r, err := Recipient(k)
		if err != nil {
			t.Fatal(err)
		}
		to = append(to, r)
	}
	var box bytes.Buffer
	w, err := StreamFor(to, &box)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return box.Bytes()
}

func openedFor(key *[32]byte, box []byte) ([]byte, error) {
	r, err := OpenStreamFor(key, bytes.NewReader(box))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// TestStreamFor: each of several keys opens it, no other does, and nothing of it can be
// changed or cut off unnoticed.
func TestStreamFor(t *testing.T) {
	plain := bytes.Repeat([]byte("backup "), 30_000)
	box := streamFor(t, plain, testKey(1), testKey(2))
	for _, k := range []*[32]byte{testKey(1), testKey(2)} {
		if got, err := openedFor(k, box); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	flipped := bytes.Clone(box)
	flipped[len(flipped)/2] ^= 1
	for _, row := range []struct {
		why string
		key *[32]byte
		box []byte
	}{
		{"a key that is not among them", testKey(3), box},
		{"a bit in the middle", testKey(1), flipped},
		{"cut off", testKey(1), box[:len(box)-1]},
		{"nothing", testKey(1), nil},
	} {
		if _, err := openedFor(row.key, row.box); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", row.why, err)
		}
	}
	if _, err := StreamFor([]string{"age1none"}, io.Discard); err == nil {
		t.Error("sealed for what is no recipient")
	}
}
