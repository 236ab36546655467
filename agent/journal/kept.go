package journal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// Buckets of facts for what is kept of others' changes.
const (
	keptBucket   = "kept"    // dot → kept change
	keptAtBucket = "kept at" // position (8), seq (8), journal (8), tag (4) → nothing: the order of positions
)

// keptVersion is the first byte of a kept change:
//
//	version (1) | position (8) | kind (1) | reason (1) | flags (1) | own hash (32) | previous hash (32) |
//	length (1) and signer | length (1) and signature | change
//
// Its dot is the key. A change without bytes (lost or erased) has nothing at the end.
const keptVersion = 1

const keptErased = 1 // flag: the bytes are gone on legal request

const keptHead = 1 + 8 + 1 + 1 + 1 + 2*len(syncproto.Hash{})

var errKept = errors.New("kept change is malformed")

func encodeKept(k *session.Kept) ([]byte, error) {
	if len(k.Signer) > 0xff || len(k.Signature) > 0xff {
		return nil, fmt.Errorf("%w: signer of %d bytes, signature of %d", errKept, len(k.Signer), len(k.Signature))
	}
	b := make([]byte, 0, keptHead+2+len(k.Signer)+len(k.Signature)+len(k.Bytes))
	b = append(b, keptVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(k.Verdict.Position))
	b = append(b, byte(k.Verdict.Kind), byte(k.Verdict.Reason))
	flags := byte(0)
	if k.Erased {
		flags = keptErased
	}
	b = append(b, flags)
	b = append(b, k.Place.Hash[:]...)
	b = append(b, k.Previous[:]...)
	b = append(append(b, byte(len(k.Signer))), k.Signer...)
	b = append(append(b, byte(len(k.Signature))), k.Signature...)
	return append(b, k.Bytes...), nil
}

// decodeKept reads a kept change by its dot. What does not fit its own hash is refused.
func decodeKept(d syncproto.Dot, b []byte) (k session.Kept, err error) {
	if len(b) < keptHead+2 || b[0] != keptVersion || b[11]&^keptErased != 0 {
		return k, errKept
	}
	k.Verdict.Position = syncproto.Position(binary.BigEndian.Uint64(b[1:]))
	k.Verdict.Kind, k.Verdict.Reason = syncproto.VerdictKind(b[9]), syncproto.HeldReason(b[10])
	k.Erased = b[11] == keptErased
	k.Place.Journal, k.Place.Seq = d.Journal, d.Seq
	copy(k.Place.Hash[:], b[12:])
	copy(k.Previous[:], b[12+len(k.Place.Hash):])
	var ok bool
	rest := b[keptHead:]
	if k.Signer, rest, ok = cutShort(rest); !ok {
		return k, errKept
	}
	if k.Signature, rest, ok = cutShort(rest); !ok {
		return k, errKept
	}
	if len(rest) > 0 {
		k.Bytes = rest
		if syncproto.NextHash(k.Previous, rest) != k.Place.Hash {
			return k, errKept
		}
		if c, err := syncproto.DecodeChange(rest, d.Journal); err == nil {
			k.Change = c
		}
	}
	if k.Place.Dot() != d {
		return k, errKept
	}
	return k, nil
}

// cutShort takes bytes behind their length in one byte; none are nil.
func cutShort(b []byte) (field, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return nil, nil, false
	}
	if n := int(b[0]); n > 0 {
		field = b[1 : 1+n]
	}
	return field, b[1+int(b[0]):], true
}

func dotKey(d syncproto.Dot) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(d.Journal))
	b = binary.BigEndian.AppendUint64(b, d.Seq)
	return binary.BigEndian.AppendUint32(b, d.Tag)
}

const keptAtSize = 8 + 8 + 8 + 4

func keptAtKey(p syncproto.Position, d syncproto.Dot) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(p))
	b = binary.BigEndian.AppendUint64(b, d.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(d.Journal))
	return binary.BigEndian.AppendUint32(b, d.Tag)
}

func parseKeptAt(k []byte) (p syncproto.Position, d syncproto.Dot, ok bool) {
	if len(k) != keptAtSize {
		return 0, d, false
	}
	d.Seq = binary.BigEndian.Uint64(k[8:])
	d.Journal = syncproto.JournalID(binary.BigEndian.Uint64(k[16:]))
	d.Tag = binary.BigEndian.Uint32(k[24:])
	return syncproto.Position(binary.BigEndian.Uint64(k)), d, true
}

// Keep keeps a signed change of somebody else, in place of the one kept under its dot.
func (t *Tx) Keep(k session.Kept) error {
	d := k.Place.Dot()
	b, err := encodeKept(&k)
	if err != nil {
		return fmt.Errorf("keep change: %w", err)
	}
	if err := t.forgetIndex(d); err != nil {
		return err
	}
	if err := t.Put(keptBucket, dotKey(d), b); err != nil {
		return err
	}
	at, err := t.bolt.Bucket(bucketFacts).CreateBucketIfNotExists([]byte(keptAtBucket))
	if err != nil {
		return fmt.Errorf("keep change: %w", err)
	}
	return at.Put(keptAtKey(k.Verdict.Position, d), nil)
}

// Forget drops a kept change; one that is not kept is no error.
func (t *Tx) Forget(d syncproto.Dot) error {
	if err := t.forgetIndex(d); err != nil {
		return err
	}
	return t.Delete(keptBucket, dotKey(d))
}

// forgetIndex takes the entry of a kept change out of the order of positions. Of a value
// that cannot be read the entry stays: whoever follows it finds that it leads nowhere.
func (t *Tx) forgetIndex(d syncproto.Dot) error {
	k, ok, err := t.kept(d)
	if err != nil || !ok {
		return nil //nolint:nilerr // a damaged one is written over
	}
	at := t.bolt.Bucket(bucketFacts).Bucket([]byte(keptAtBucket))
	if at == nil {
		return nil
	}
	return at.Delete(keptAtKey(k.Verdict.Position, d))
}

func (t *Tx) kept(d syncproto.Dot) (k session.Kept, ok bool, err error) {
	b, err := t.Get(keptBucket, dotKey(d))
	if err != nil || b == nil {
		return k, false, err
	}
	k, err = decodeKept(d, b)
	return k, err == nil, err
}

// Kept gives the kept change of a dot; ok is false if there is none or it cannot be read.
func (j *Journal) Kept(d syncproto.Dot) (k session.Kept, ok bool, err error) {
	err = j.view(func(tx *bbolt.Tx) error {
		k, ok, _ = (&Tx{j: j, bolt: tx}).kept(d) // a damaged one comes again with a page, or not at all
		return nil
	})
	return k, ok, err
}

// EachKept calls do for the kept changes in the order of their positions. One that cannot be
// read is left out. do must not use the journal.
func (j *Journal) EachKept(do func(session.Kept) error) error {
	var dots []syncproto.Dot
	if err := j.EachKeptAt(0, func(_ syncproto.Position, d syncproto.Dot) bool {
		dots = append(dots, d)
		return true
	}); err != nil {
		return err
	}
	return j.view(func(tx *bbolt.Tx) error {
		t := &Tx{j: j, bolt: tx}
		for _, d := range dots {
			if k, ok, _ := t.kept(d); ok {
				if err := do(k); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// EachKeptAt calls do for the kept changes from position from on, in the order of their
// positions, until it returns false. do must not use the journal.
func (j *Journal) EachKeptAt(from syncproto.Position, do func(syncproto.Position, syncproto.Dot) bool) error {
	return j.view(func(tx *bbolt.Tx) error {
		at := tx.Bucket(bucketFacts).Bucket([]byte(keptAtBucket))
		if at == nil {
			return nil
		}
		c := at.Cursor()
		for k, _ := c.Seek(binary.BigEndian.AppendUint64(nil, uint64(from))); k != nil; k, _ = c.Next() {
			p, d, ok := parseKeptAt(k)
			if ok && !do(p, d) {
				return nil
			}
		}
		return nil
	})
}

// Stale gives the kept changes whose position the lineage does not hold, and those that
// never had one, in the order of positions and then of numbers. One that cannot be read is
// left out: nobody can send it.
func (j *Journal) Stale(l syncproto.Lineage) ([]session.Kept, error) {
	var dots []syncproto.Dot
	err := j.EachKeptAt(0, func(p syncproto.Position, d syncproto.Dot) bool {
		if p == 0 || !l.Holds(p) {
			dots = append(dots, d)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return j.keptOf(dots)
}

// Unplaced gives the kept changes that no centre is known to have, in the order of numbers.
func (j *Journal) Unplaced() ([]session.Kept, error) {
	var dots []syncproto.Dot
	err := j.EachKeptAt(0, func(p syncproto.Position, d syncproto.Dot) bool {
		if p == 0 {
			dots = append(dots, d)
		}
		return p == 0
	})
	if err != nil {
		return nil, err
	}
	return j.keptOf(dots)
}

func (j *Journal) keptOf(dots []syncproto.Dot) (out []session.Kept, err error) {
	if len(dots) == 0 {
		return nil, nil
	}
	err = j.view(func(tx *bbolt.Tx) error {
		t := &Tx{j: j, bolt: tx}
		for _, d := range dots {
			if k, ok, _ := t.kept(d); ok {
				out = append(out, k)
			}
		}
		return nil
	})
	return out, err
}

// Archived gives the dots of the kept changes at or below p whose position the lineage
// holds.
func (j *Journal) Archived(p syncproto.Position, l syncproto.Lineage) (out []syncproto.Dot, err error) {
	if p == 0 {
		return nil, nil
	}
	err = j.EachKeptAt(1, func(at syncproto.Position, d syncproto.Dot) bool {
		if at > p {
			return false
		}
		if l.Holds(at) {
			out = append(out, d)
		}
		return true
	})
	return out, err
}
