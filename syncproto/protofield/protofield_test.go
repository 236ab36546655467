package protofield

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// TestRoundTrip: what is written is read in the same order, nothing that is zero is
// written, and a group of another program is skipped over.
func TestRoundTrip(t *testing.T) {
	b := AppendVarint(nil, 1, 300)
	b = AppendVarint(b, 2, 0)
	b = AppendFixed64(b, 3, 7)
	b = AppendString(AppendBytes(b, 4, nil), 5, "x")
	b = AppendAlways(b, 6, nil)
	b = protowire.AppendTag(protowire.AppendTag(b, 7, protowire.StartGroupType), 7, protowire.EndGroupType)
	var got []protowire.Number
	err := Each(b, func(n protowire.Number, v Value) error {
		got = append(got, n)
		if n == 1 && v.Num != 300 || n == 3 && v.Num != 7 || n == 5 && !bytes.Equal(v.Bytes, []byte("x")) {
			t.Errorf("field %d is %d, %q", n, v.Num, v.Bytes)
		}
		return nil
	})
	want := []protowire.Number{1, 3, 5, 6, 7}
	if err != nil || len(got) != len(want) {
		t.Fatalf("fields %v, %v; want %v", got, err, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("fields %v, want %v", got, want)
		}
	}
	stop := errors.New("enough")
	if err := Each(b, func(protowire.Number, Value) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the caller's error came as %v", err)
	}
}

func TestMalformed(t *testing.T) {
	for _, b := range [][]byte{{0x08}, {0x0a, 0x05, 'x'}, {0x80}, {0x09, 1, 2}, {0x0d, 1}, {0x00}} {
		if err := Each(b, func(protowire.Number, Value) error { return nil }); !errors.Is(err, ErrMalformed) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

func TestNarrow(t *testing.T) {
	if n, err := Narrow[uint8](255); n != 255 || err != nil {
		t.Errorf("255: %d, %v", n, err)
	}
	if _, err := Narrow[uint8](256); err == nil {
		t.Error("256 fits into a byte")
	}
}
