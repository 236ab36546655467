package merge

import (
	"crypto/sha256"
	"encoding/binary"

	"unionsync/syncproto"
)

// Hash is what a union's digest covers of one record: SHA-256 over its kind, its id, and
// per field in ascending order the entries' values and dots. What is remembered for
// changes that have yet to come is not covered. A record without any field hashes to zero.
// docs/protocol.md gives the layout byte by byte.
func Hash(key syncproto.RecordKey, r *Record) syncproto.Hash {
	b := make([]byte, 0, 1024)
	b = binary.BigEndian.AppendUint16(b, uint16(key.Kind))
	b = append(b, key.ID[:]...)
	empty := len(b)
	if r != nil {
		for i := range r.Fields {
			b = appendFieldCanon(b, &r.Fields[i])
		}
	}
	if len(b) == empty {
		return syncproto.Hash{}
	}
	return sha256.Sum256(b)
}

const (
	canonValue   = 0
	canonCleared = 1
	canonElement = 2
)

func appendFieldCanon(b []byte, f *Field) []byte {
	n := len(f.Entries) + len(f.Elements)
	if n == 0 {
		return b
	}
	b = binary.BigEndian.AppendUint16(b, uint16(f.Number))
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	for i := range f.Entries {
		form := byte(canonValue)
		if f.Entries[i].Cleared {
			form = canonCleared
		}
		b = appendEntryCanon(b, form, f.Entries[i].Value, f.Entries[i].Dots)
	}
	for i := range f.Elements {
		b = appendEntryCanon(b, canonElement, f.Elements[i].Value, f.Elements[i].Dots)
	}
	return b
}

func appendEntryCanon(b []byte, form byte, value []byte, dots []syncproto.Dot) []byte {
	b = append(b, form)
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	b = append(b, value...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(dots)))
	for _, d := range dots {
		b = binary.BigEndian.AppendUint64(b, uint64(d.Journal))
		b = binary.BigEndian.AppendUint64(b, d.Seq)
		b = binary.BigEndian.AppendUint32(b, d.Tag)
	}
	return b
}

// ShortHash is the part of Hash that verdicts carry.
func ShortHash(key syncproto.RecordKey, r *Record) syncproto.RecordHash {
	h := Hash(key, r)
	return syncproto.RecordHash(h[:syncproto.RecordHashSize])
}

// Xor adds or removes a record's hash to or from a union's digest.
func Xor(digest, h syncproto.Hash) syncproto.Hash {
	for i := range digest {
		digest[i] ^= h[i]
	}
	return digest
}
