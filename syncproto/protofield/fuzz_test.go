package protofield

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// FuzzEach: no bytes make the reader fail otherwise than with its error, and what it reads is
// what was there: numbers above zero, and no byte twice.
func FuzzEach(f *testing.F) {
	f.Add([]byte{0x08, 0x96, 0x01, 0x12, 0x02, 0xaa, 0xbb})
	f.Add([]byte{0x0b, 0x0c})
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add(AppendFixed64(AppendVarint(nil, 3, 7), 4, 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		read := 0
		err := Each(b, func(n protowire.Number, v Value) error {
			if n < 1 {
				t.Fatalf("field %d", n)
			}
			if len(v.Bytes) > 0 && !bytes.Contains(b, v.Bytes) {
				t.Fatal("bytes that were not there")
			}
			read += len(v.Bytes) + 1
			return nil
		})
		if read > len(b) || err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("%d bytes read of %d, %v", read, len(b), err)
		}
	})
}
