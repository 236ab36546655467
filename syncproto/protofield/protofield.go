// Package protofield reads and writes the fields of protobuf's layout one by one, for the
// formats that are written by hand so that equal content gives equal bytes. It owns no
// format and imports nothing of this project.
package protofield

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed says that bytes are not a message in protobuf's layout.
var ErrMalformed = errors.New("bytes are cut short or malformed")

// Value is one field's content: a number or bytes, by its wire type.
type Value struct {
	Num   uint64
	Bytes []byte
}

// Each calls do for every field of the message b, in order.
func Each(b []byte, do func(protowire.Number, Value) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return ErrMalformed
		}
		b = b[n:]
		v, n := consumeValue(b, num, typ)
		if n < 0 {
			return ErrMalformed
		}
		b = b[n:]
		if err := do(num, v); err != nil {
			return err
		}
	}
	return nil
}

func consumeValue(b []byte, num protowire.Number, typ protowire.Type) (v Value, n int) {
	switch typ {
	case protowire.VarintType:
		v.Num, n = protowire.ConsumeVarint(b)
	case protowire.Fixed64Type:
		v.Num, n = protowire.ConsumeFixed64(b)
	case protowire.Fixed32Type:
		var x uint32
		x, n = protowire.ConsumeFixed32(b)
		v.Num = uint64(x)
	case protowire.BytesType:
		v.Bytes, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(num, typ, b)
	}
	return v, n
}

// Narrow fits a number into a smaller type or refuses it.
func Narrow[T ~uint8 | ~uint16 | ~uint32](n uint64) (T, error) {
	t := T(n)
	if uint64(t) != n {
		return 0, fmt.Errorf("number %d is out of range", n)
	}
	return t, nil
}

// AppendVarint adds a number, unless it is zero.
func AppendVarint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

// AppendFixed64 adds a number in eight bytes, unless it is zero.
func AppendFixed64(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, num, protowire.Fixed64Type), v)
}

// AppendBytes adds bytes, unless there are none.
func AppendBytes(b []byte, num protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}

// AppendString adds text, unless it is empty.
func AppendString(b []byte, num protowire.Number, v string) []byte {
	if v == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), v)
}

// AppendAlways adds bytes, also none.
func AppendAlways(b []byte, num protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}
