package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"

	"unionsync/syncproto"
)

// LogItem is one change as the log keeps it: its bytes as first written, its place, its
// verdict and, on the last change of a segment, the segment's signature.
type LogItem struct {
	Position  syncproto.Position // from the key
	Union     string
	Place     syncproto.Place
	Previous  uint32 // tag of the place before it; 0 at the beginning, and in items of version 1
	Verdict   syncproto.Verdict
	Signature []byte
	Signer    []byte
	Bytes     []byte // nil: lost or erased
}

// Versions of a log item. The first lacks the tag of the place before.
const (
	logItemVersion1 = 1
	logItemVersion  = 2
)

// encode gives the item's bytes: a version byte, fixed-width numbers, then the lengths and
// the bytes of union, signature and signer, then the change to the end.
func (l *LogItem) encode() []byte {
	b := make([]byte, 0, 96+len(l.Union)+len(l.Signature)+len(l.Signer)+len(l.Bytes))
	b = append(b, logItemVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(l.Place.Journal))
	b = binary.BigEndian.AppendUint64(b, l.Place.Seq)
	b = append(b, l.Place.Hash[:]...)
	b = append(b, byte(l.Verdict.Kind), byte(l.Verdict.Reason))
	b = append(b, l.Verdict.Hash[:]...)
	b = binary.BigEndian.AppendUint32(b, l.Previous)
	for _, s := range [][]byte{[]byte(l.Union), l.Signature, l.Signer} {
		b = append(b, byte(len(s)))
		b = append(b, s...)
	}
	return append(b, l.Bytes...)
}

const logItemFixed = 1 + 8 + 8 + 32 + 2 + syncproto.RecordHashSize

func decodeLogItem(p syncproto.Position, b []byte) (*LogItem, error) {
	if len(b) < logItemFixed {
		return nil, fmt.Errorf("decode log item %s: %d bytes", p, len(b))
	}
	if b[0] != logItemVersion && b[0] != logItemVersion1 {
		return nil, fmt.Errorf("decode log item %s: version %d is unknown", p, b[0])
	}
	l := &LogItem{Position: p}
	l.Place.Journal = syncproto.JournalID(binary.BigEndian.Uint64(b[1:]))
	l.Place.Seq = binary.BigEndian.Uint64(b[9:])
	copy(l.Place.Hash[:], b[17:])
	l.Verdict.Position = p
	l.Verdict.Kind, l.Verdict.Reason = syncproto.VerdictKind(b[49]), syncproto.HeldReason(b[50])
	copy(l.Verdict.Hash[:], b[51:])
	rest := b[logItemFixed:]
	if b[0] == logItemVersion {
		if len(rest) < 4 {
			return nil, fmt.Errorf("decode log item %s: %d bytes", p, len(b))
		}
		l.Previous, rest = binary.BigEndian.Uint32(rest), rest[4:]
	}
	var union []byte
	for _, to := range []*[]byte{&union, &l.Signature, &l.Signer} {
		if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
			return nil, fmt.Errorf("decode log item %s: %w", p, errors.New("bytes are cut short"))
		}
		n := 1 + int(rest[0])
		*to, rest = rest[1:n], rest[n:]
	}
	l.Union = string(union)
	if len(rest) > 0 {
		l.Bytes = rest
	}
	return l, nil
}
