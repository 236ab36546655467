package syncproto

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// fieldValue is one protobuf field's content: a number or bytes, by its wire type.
type fieldValue struct {
	num   uint64
	bytes []byte
}

// eachField calls do for every field of the message b, in order.
func eachField(b []byte, do func(protowire.Number, fieldValue) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errTruncated
		}
		b = b[n:]
		v, n := consumeValue(b, num, typ)
		if n < 0 {
			return errTruncated
		}
		b = b[n:]
		if err := do(num, v); err != nil {
			return err
		}
	}
	return nil
}

func consumeValue(b []byte, num protowire.Number, typ protowire.Type) (v fieldValue, n int) {
	switch typ {
	case protowire.VarintType:
		v.num, n = protowire.ConsumeVarint(b)
	case protowire.Fixed64Type:
		v.num, n = protowire.ConsumeFixed64(b)
	case protowire.Fixed32Type:
		var x uint32
		x, n = protowire.ConsumeFixed32(b)
		v.num = uint64(x)
	case protowire.BytesType:
		v.bytes, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(num, typ, b)
	}
	return v, n
}

// narrow fits a number into a smaller type or refuses it.
func narrow[T ~uint8 | ~uint16 | ~uint32](n uint64) (T, error) {
	t := T(n)
	if uint64(t) != n {
		return 0, fmt.Errorf("number %d is out of range", n)
	}
	return t, nil
}

func appendVarint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func appendFixed64(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, num, protowire.Fixed64Type), v)
}

func appendBytes(b []byte, num protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}

func appendString(b []byte, num protowire.Number, v string) []byte {
	if v == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), v)
}
