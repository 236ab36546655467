package syncproto

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// JournalID names one union's log on one device: 64 random bits drawn when the file is
// made. Zero is no journal; inside a change it stands for the change's own journal.
type JournalID uint64

// String gives the id as 16 hexadecimal digits.
func (j JournalID) String() string { return fmt.Sprintf("%016x", uint64(j)) }

// KindNumber is a record kind's permanent number, from its kind file. Zero is no kind.
type KindNumber uint16

// FieldNumber is a field's permanent number inside its kind. Numbers below
// [FirstFieldNumber] belong to every kind.
type FieldNumber uint16

// Field numbers that every kind has.
const (
	FieldVoid        FieldNumber = 1  // the reason why a record never was; class ask
	FieldSameAs      FieldNumber = 2  // the record that this one is a second copy of; class ask
	FirstFieldNumber FieldNumber = 10 // the first number that a kind file may give
)

// MergeClass says how concurrent edits of one field are settled. The numbers are permanent.
type MergeClass uint8

// Merge classes. A field that is not known here has class ask.
const (
	ClassAsk    MergeClass = iota // several values stay and a person decides
	ClassLatest                   // the change with the highest position is current
	ClassSet                      // elements are added and removed one by one
)

// String names the class as the kind files do.
func (c MergeClass) String() string {
	switch c {
	case ClassLatest:
		return "latest"
	case ClassSet:
		return "set"
	default:
		return "ask"
	}
}

// RecordID names a record inside (union, kind): a UUIDv7 made where the record is made, or
// a hash where the record must come out the same wherever it is made (cases, org units).
type RecordID [16]byte

// String gives the id in the usual UUID form.
func (r RecordID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", r[0:4], r[4:6], r[6:8], r[8:10], r[10:16])
}

// ParseRecordID reads the UUID form, with or without dashes.
func ParseRecordID(s string) (RecordID, error) {
	var id RecordID
	b := make([]byte, 0, 32)
	for i := range len(s) {
		if s[i] != '-' {
			b = append(b, s[i])
		}
	}
	if len(b) != 32 {
		return id, fmt.Errorf("parse record id: %d hexadecimal digits, want 32", len(b))
	}
	if _, err := hex.Decode(id[:], b); err != nil {
		return RecordID{}, fmt.Errorf("parse record id: %w", err)
	}
	return id, nil
}

// HashedID makes the id of a record that comes out the same wherever it is made: the first
// 16 bytes of SHA-256 over the parts, each behind its length, with UUID version 8 set.
func HashedID(parts ...string) RecordID {
	h := sha256.New()
	var n [4]byte
	for _, p := range parts {
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	var id RecordID
	copy(id[:], h.Sum(nil))
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// RecordKey names a record inside a union.
type RecordKey struct {
	Kind KindNumber
	ID   RecordID
}

// Compare orders keys by kind, then by id.
func (k RecordKey) Compare(o RecordKey) int {
	if k.Kind != o.Kind {
		if k.Kind < o.Kind {
			return -1
		}
		return 1
	}
	for i := range k.ID {
		if k.ID[i] != o.ID[i] {
			return int(k.ID[i]) - int(o.ID[i])
		}
	}
	return 0
}

// Position is the centre's order: generation in the upper 16 bits, count below. The
// count starts at 1; zero is before everything. No position is ever given twice.
type Position uint64

const positionCountBits = 48

// MaxPositionCount is the highest count inside one generation.
const MaxPositionCount = 1<<positionCountBits - 1

// MakePosition joins a generation and a count (at most [MaxPositionCount]).
func MakePosition(generation uint16, count uint64) Position {
	return Position(uint64(generation)<<positionCountBits | count&MaxPositionCount)
}

// Generation is the life of the centre in which the position was given, from 1.
func (p Position) Generation() uint16 { return uint16(p >> positionCountBits) }

// Count is the position's number inside its generation.
func (p Position) Count() uint64 { return uint64(p) & MaxPositionCount }

// String gives generation and count, as in 1/4711.
func (p Position) String() string { return fmt.Sprintf("%d/%d", p.Generation(), p.Count()) }

// Hash is a full SHA-256. On the wire its first [WireHashSize] bytes stand for it.
type Hash [sha256.Size]byte

// WireHashSize is how many bytes of a hash travel.
const WireHashSize = 16

// Wire gives the bytes that travel.
func (h Hash) Wire() []byte { return h[:WireHashSize] }

// Tag is the first four bytes of the hash, as a dot carries them.
func (h Hash) Tag() uint32 { return binary.BigEndian.Uint32(h[:4]) }

// NextHash chains a change's bytes to the hash of the change before it (zero for the
// first change of a journal): SHA-256(previous ‖ bytes).
func NextHash(previous Hash, change []byte) Hash {
	h := sha256.New()
	h.Write(previous[:])
	h.Write(change)
	var out Hash
	h.Sum(out[:0])
	return out
}

// Place is where a change stands in its journal. Seq counts from 1; the zero Place is the
// beginning, before the first change.
type Place struct {
	Journal JournalID
	Seq     uint64
	Hash    Hash
}

// Dot names the change at p, the same everywhere and after every restore.
func (p Place) Dot() Dot { return Dot{Journal: p.Journal, Seq: p.Seq, Tag: p.Hash.Tag()} }

// Next is the place of the change with these bytes when it follows p in the same journal.
func (p Place) Next(change []byte) Place {
	return Place{Journal: p.Journal, Seq: p.Seq + 1, Hash: NextHash(p.Hash, change)}
}

// Dot names a change: journal, number, and the first four bytes of the place's hash.
type Dot struct {
	Journal JournalID
	Seq     uint64
	Tag     uint32
}

// Compare orders dots by journal, number and tag.
func (d Dot) Compare(o Dot) int {
	switch {
	case d.Journal != o.Journal:
		if d.Journal < o.Journal {
			return -1
		}
		return 1
	case d.Seq != o.Seq:
		if d.Seq < o.Seq {
			return -1
		}
		return 1
	case d.Tag != o.Tag:
		if d.Tag < o.Tag {
			return -1
		}
		return 1
	}
	return 0
}

// String gives the dot as journal/seq/tag.
func (d Dot) String() string { return fmt.Sprintf("%s/%d/%08x", d.Journal, d.Seq, d.Tag) }

// ParseDot reads what [Dot.String] writes, and nothing else.
func ParseDot(s string) (Dot, bool) {
	var d Dot
	var j uint64
	if _, err := fmt.Sscanf(s, "%x/%d/%x", &j, &d.Seq, &d.Tag); err != nil {
		return Dot{}, false
	}
	d.Journal = JournalID(j)
	return d, d.String() == s
}
