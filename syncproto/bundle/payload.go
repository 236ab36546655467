package bundle

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"unionsync/syncproto"
	"unionsync/syncproto/protofield"
)

// Bundle is what stands inside the seal.
type Bundle struct {
	Kind       Kind
	ID         ID
	City       City
	Union      string
	Device     Device               // who asks and is answered
	Node       string               // of an answer: the node that signed it
	Generation syncproto.Generation // the newest life of the centre known; number and random bits only
	MadeAt     int64                // Unix seconds, a note for people
	ReplyTo    string               // of a request: the age recipient that the answer is sealed for
	Messages   [][]byte             // Requests or Responses as on the wire, at most [MaxMessages]

	Certificate []byte // of the signer, DER
	Signature   []byte // by the signer under what [Bundle.Signed] gives, for [syncproto.DomainBundle]
}

// MaxMessages is how many messages a bundle may hold.
const MaxMessages = 4096

// Numbers of the fields, in protobuf's layout, written by hand so that equal content gives
// equal bytes. Permanent. Unknown ones are refused: what is signed is understood.
const (
	fKind, fID, fCity, fUnion, fDevice, fNode, fGeneration, fRandom = 1, 2, 3, 4, 5, 6, 7, 8
	fMadeAt, fReplyTo, fCount, fMessage, fCertificate, fSignature   = 9, 10, 11, 12, 13, 14
)

// Signed gives the bytes that the signature covers: all that is before it.
func (b *Bundle) Signed() []byte {
	out := make([]byte, 0, 512+b.size())
	out = protofield.AppendVarint(out, fKind, uint64(b.Kind))
	out = protofield.AppendBytes(out, fID, b.ID[:])
	out = protofield.AppendBytes(out, fCity, b.City[:])
	out = protofield.AppendString(out, fUnion, b.Union)
	out = protofield.AppendBytes(out, fDevice, b.Device[:])
	out = protofield.AppendString(out, fNode, b.Node)
	out = protofield.AppendVarint(out, fGeneration, uint64(b.Generation.Number))
	out = protofield.AppendFixed64(out, fRandom, b.Generation.Random)
	out = protofield.AppendVarint(out, fMadeAt, protowire.EncodeZigZag(b.MadeAt))
	out = protofield.AppendString(out, fReplyTo, b.ReplyTo)
	out = protofield.AppendVarint(out, fCount, uint64(len(b.Messages)))
	for _, m := range b.Messages {
		out = protofield.AppendAlways(out, fMessage, m)
	}
	return protofield.AppendBytes(out, fCertificate, b.Certificate)
}

func (b *Bundle) size() (n int) {
	for _, m := range b.Messages {
		n += len(m) + 8
	}
	return n + len(b.Certificate)
}

// Encode gives the payload that is sealed.
func (b *Bundle) Encode() []byte { return protofield.AppendBytes(b.Signed(), fSignature, b.Signature) }

// Head gives the outer part that belongs to b, without size and checksum.
func (b *Bundle) Head() Head {
	h := Head{Kind: b.Kind, ID: b.ID, City: b.City}
	if b.Kind == KindAnswer {
		h.Device = b.Device
	}
	return h
}

// Fits reports whether the head outside says the same as b, so that nobody can send a
// bundle elsewhere or pass it for another one.
func (b *Bundle) Fits(h Head) bool {
	want := b.Head()
	return h.Kind == want.Kind && h.ID == want.ID && h.City == want.City && h.Device == want.Device
}

// Decode reads a payload. What would not be written like this is refused with
// [syncproto.CodeBundleDamaged]; the signature is the caller's to check. The messages are
// parts of payload.
func Decode(payload []byte) (*Bundle, error) {
	b, err := decode(payload)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeBundleDamaged, "read bundle", err)
	}
	return b, nil
}

func decode(payload []byte) (*Bundle, error) {
	b, count := new(Bundle), uint64(0)
	if err := protofield.Each(payload, func(num protowire.Number, v protofield.Value) error {
		return b.field(num, v, &count)
	}); err != nil {
		return nil, err
	}
	switch {
	case b.Kind != KindRequest && b.Kind != KindAnswer:
		return nil, errors.New(b.Kind.String())
	case b.Union == "" || len(b.Union) > syncproto.MaxUnionCode:
		return nil, fmt.Errorf("union code of %d bytes", len(b.Union))
	case (b.Kind == KindAnswer) != (b.Node != "") || b.Kind == KindAnswer && b.ReplyTo != "":
		return nil, errors.New("sender and kind do not fit")
	case len(b.Certificate) == 0 || len(b.Signature) == 0:
		return nil, errors.New("nobody signed it")
	case count != uint64(len(b.Messages)):
		return nil, fmt.Errorf("%d messages, of %d", len(b.Messages), count)
	case !bytes.Equal(b.Encode(), payload):
		return nil, errors.New("it is not written as a bundle is")
	}
	return b, nil
}

// field reads one field; order and repetition are checked by writing all again.
func (b *Bundle) field(num protowire.Number, v protofield.Value, count *uint64) (err error) {
	switch num {
	case fKind:
		b.Kind, err = protofield.Narrow[Kind](v.Num)
	case fID:
		err = fill(b.ID[:], v.Bytes)
	case fCity:
		err = fill(b.City[:], v.Bytes)
	case fUnion:
		b.Union = string(v.Bytes)
	case fDevice:
		err = fill(b.Device[:], v.Bytes)
	case fNode:
		b.Node = string(v.Bytes)
	case fGeneration:
		b.Generation.Number, err = protofield.Narrow[uint16](v.Num)
	case fRandom:
		b.Generation.Random = v.Num
	case fMadeAt:
		b.MadeAt = protowire.DecodeZigZag(v.Num)
	case fReplyTo:
		b.ReplyTo = string(v.Bytes)
	case fCount:
		*count = v.Num
	case fMessage:
		if b.Messages = append(b.Messages, v.Bytes); len(b.Messages) > MaxMessages || len(v.Bytes) > syncproto.MaxRequestBytes {
			err = fmt.Errorf("message %d has %d bytes", len(b.Messages), len(v.Bytes))
		}
	case fCertificate:
		b.Certificate = v.Bytes
	case fSignature:
		b.Signature = v.Bytes
	default:
		err = fmt.Errorf("field %d is not known", num)
	}
	return err
}

func fill(into, b []byte) error {
	if len(b) != len(into) {
		return fmt.Errorf("%d bytes for %d", len(b), len(into))
	}
	copy(into, b)
	return nil
}
