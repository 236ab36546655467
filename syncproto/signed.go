package syncproto

import (
	"crypto/sha256"
	"encoding/binary"
)

// Domains keep a signature made for one purpose from being taken for another.
const (
	DomainSegment    = "unionsync segment v1"
	DomainReceipt    = "unionsync receipt v1"
	DomainGeneration = "unionsync generation v1"
	DomainKindFile   = "unionsync kind file v1"
	DomainBundle     = "unionsync bundle v1"

	// DomainHeldSegment is for what the centre holds because its device was revoked: a node
	// signs in it where it would sign in DomainSegment, and the message is the same. So
	// whoever brings it back brings along that it was held.
	DomainHeldSegment = "unionsync held segment v1"
)

// HistorySize is how many bytes of the CA certificate's SHA-256 name a centre's history.
const HistorySize = 8

// SegmentMessage is what a segment's signature covers: the union and the place of its
// last change, whose hash commits to everything before it in the journal.
func SegmentMessage(union string, last Place) []byte {
	b := appendLengthed(nil, union)
	b = binary.BigEndian.AppendUint64(b, uint64(last.Journal))
	b = binary.BigEndian.AppendUint64(b, last.Seq)
	return append(b, last.Hash[:]...)
}

// ReceiptMessage is what a receipt's signature covers. Of the two hashes, their first
// [WireHashSize] bytes.
func ReceiptMessage(union string, generation uint16, place Place, position Position, verdicts Hash) []byte {
	b := appendLengthed(nil, union)
	b = binary.BigEndian.AppendUint16(b, generation)
	b = binary.BigEndian.AppendUint64(b, uint64(place.Journal))
	b = binary.BigEndian.AppendUint64(b, place.Seq)
	b = append(b, place.Hash.Wire()...)
	b = binary.BigEndian.AppendUint64(b, uint64(position))
	return append(b, verdicts.Wire()...)
}

// Generation is one life of the centre: every restore and forced recovery begins one.
type Generation struct {
	Number   uint16
	Random   uint64
	Base     Position // last position kept from before
	Operator string
	Reason   string

	Signature []byte // of the CA over Message, in [DomainGeneration]
}

// Message is what the CA's signature under g covers.
func (g *Generation) Message() []byte {
	b := binary.BigEndian.AppendUint16(nil, g.Number)
	b = binary.BigEndian.AppendUint64(b, g.Random)
	b = binary.BigEndian.AppendUint64(b, uint64(g.Base))
	b = appendLengthed(b, g.Operator)
	return appendLengthed(b, g.Reason)
}

// KindFileMessage is what the CA's signature under a published kind file covers.
func KindFileMessage(name string, version uint32, yaml []byte) []byte {
	b := appendLengthed(nil, name)
	b = binary.BigEndian.AppendUint32(b, version)
	return append(b, yaml...)
}

// VerdictsHash is what a receipt says of the verdicts that came with it: SHA-256 over
// position, kind, reason and record hash of each, in the order of the response.
func VerdictsHash(verdicts []Verdict) Hash {
	h := sha256.New()
	var b [8 + 2 + RecordHashSize]byte
	for _, v := range verdicts {
		binary.BigEndian.PutUint64(b[:8], uint64(v.Position))
		b[8], b[9] = byte(v.Kind), byte(v.Reason)
		copy(b[10:], v.Hash[:])
		h.Write(b[:])
	}
	var out Hash
	h.Sum(out[:0])
	return out
}

func appendLengthed(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}
