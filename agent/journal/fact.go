package journal

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// Tx is one fsynced transaction on the facts that stand beside the frames. It ends with
// the function that got it.
type Tx struct {
	j    *Journal
	bolt *bbolt.Tx
}

// Update runs do in one transaction: all of it is on disk when Update returns nil, none of
// it after an error of do or [syncproto.CodeDiskFull]; see [Journal.Append] for others.
// do must not call the journal's own methods.
func (j *Journal) Update(do func(*Tx) error) error {
	err := j.write(0, func(tx *bbolt.Tx) error { return do(&Tx{j: j, bolt: tx}) }, func() {})
	if err != nil {
		return fmt.Errorf("update journal: %w", err)
	}
	return nil
}

// Put keeps value under key in a bucket of the caller's own. Keys stand in clear in the
// file: they must not hold personal data.
func (t *Tx) Put(bucket string, key, value []byte) error {
	b, err := t.bolt.Bucket(bucketFacts).CreateBucketIfNotExists([]byte(bucket))
	if err != nil {
		return fmt.Errorf("put fact: %w", err)
	}
	return t.put(b, bucket, key, value)
}

// Get gives a value, nil when there is none.
func (t *Tx) Get(bucket string, key []byte) ([]byte, error) {
	b := t.bolt.Bucket(bucketFacts).Bucket([]byte(bucket))
	if b == nil {
		return nil, nil
	}
	return t.j.open(bucket, key, b.Get(key))
}

// Delete removes a value; one that is not there is no error.
func (t *Tx) Delete(bucket string, key []byte) error {
	b := t.bolt.Bucket(bucketFacts).Bucket([]byte(bucket))
	if b == nil {
		return nil
	}
	return b.Delete(key)
}

// PutVerdict keeps the centre's verdict on the own change numbered seq. The position that
// the verdict before it gave stays known, see [Journal.Earlier].
func (t *Tx) PutVerdict(seq uint64, v syncproto.Verdict) error {
	if err := t.noteEarlier(seq, v.Position); err != nil {
		return err
	}
	return t.put(t.bolt.Bucket(bucketVerdicts), "verdicts", seqKey(seq), encodeVerdict(v))
}

// PutReceipt keeps a receipt that covers the own changes up to seq.
func (t *Tx) PutReceipt(seq uint64, receipt []byte) error {
	return t.put(t.bolt.Bucket(bucketReceipts), "receipts", seqKey(seq), receipt)
}

func (t *Tx) put(b *bbolt.Bucket, bucket string, key, value []byte) error {
	box, err := seal.Seal(t.j.key, t.j.rand, value, t.j.factAAD(bucket, key))
	if err != nil {
		return fmt.Errorf("put fact: %w", err)
	}
	if err := b.Put(key, box); err != nil {
		return fmt.Errorf("put fact: %w", err)
	}
	return nil
}

func (j *Journal) factAAD(bucket string, key []byte) []byte {
	b := append([]byte("unionsync journal fact"), binary.BigEndian.AppendUint64(nil, uint64(j.id))...)
	b = append(b, bucket...)
	b = append(b, 0)
	return append(b, key...)
}

func (j *Journal) open(bucket string, key, box []byte) ([]byte, error) {
	if box == nil {
		return nil, nil
	}
	v, err := seal.Open(j.key, box, j.factAAD(bucket, key))
	if err != nil {
		return nil, fmt.Errorf("read fact in %s: %w", bucket, err)
	}
	return v, nil
}

// Get gives one fact, nil when there is none.
func (j *Journal) Get(bucket string, key []byte) (v []byte, err error) {
	err = j.view(func(tx *bbolt.Tx) error {
		v, err = (&Tx{j: j, bolt: tx}).Get(bucket, key)
		return err
	})
	return v, err
}

// Each calls do for every fact of a bucket in the order of keys. do must not use the
// journal.
func (j *Journal) Each(bucket string, do func(key, value []byte) error) error {
	return j.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketFacts).Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, box []byte) error {
			v, err := j.open(bucket, k, box)
			if err != nil {
				return err
			}
			return do(append([]byte(nil), k...), v)
		})
	})
}

// Verdict gives the verdict on the own change numbered seq; ok is false while there is
// none.
func (j *Journal) Verdict(seq uint64) (v syncproto.Verdict, ok bool, err error) {
	err = j.Verdicts(seq, seq, func(_ uint64, got syncproto.Verdict) error {
		v, ok = got, true
		return nil
	})
	return v, ok, err
}

// Verdicts calls do for the verdicts on the own changes numbered from to to, in order. One
// that cannot be read is left out: it comes again with the next exchange. do must not use
// the journal.
func (j *Journal) Verdicts(from, to uint64, do func(seq uint64, v syncproto.Verdict) error) error {
	return j.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketVerdicts).Cursor()
		for k, box := c.Seek(seqKey(from)); k != nil; k, box = c.Next() {
			seq := binary.BigEndian.Uint64(k)
			if seq > to {
				return nil
			}
			v, err := j.openVerdict(k, box)
			if err != nil {
				continue
			}
			if err := do(seq, v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (j *Journal) openVerdict(k, box []byte) (syncproto.Verdict, error) {
	b, err := j.open("verdicts", k, box)
	if err != nil {
		return syncproto.Verdict{}, err
	}
	return decodeVerdict(b)
}

// NewestReceipt gives the receipt that covers most, and the number of the last change it
// covers; zero when there is none.
func (j *Journal) NewestReceipt() (seq uint64, receipt []byte, err error) {
	err = j.Receipts(func(s uint64, r []byte) bool {
		seq, receipt = s, r
		return false
	})
	return seq, receipt, err
}

// Receipts calls do for the receipts, the one that covers most first, until it returns
// false. One that cannot be read is left out. do must not use the journal.
func (j *Journal) Receipts(do func(seq uint64, receipt []byte) bool) error {
	return j.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketReceipts).Cursor()
		for k, box := c.Last(); k != nil; k, box = c.Prev() {
			r, err := j.open("receipts", k, box)
			if err != nil {
				continue
			}
			if !do(binary.BigEndian.Uint64(k), r) {
				return nil
			}
		}
		return nil
	})
}
