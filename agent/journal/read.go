package journal

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"unionsync/syncproto"
)

// Frame gives the frame numbered seq. A damaged one is no error; one that was never
// written is [syncproto.CodeNotFound].
func (j *Journal) Frame(seq uint64) (Frame, error) {
	var f Frame
	found := false
	err := j.Range(seq, seq, func(got Frame) error {
		f, found = got, true
		return nil
	})
	if err == nil && !found {
		err = syncproto.Fail(syncproto.CodeNotFound, "read journal", nil, "what", fmt.Sprint(seq))
	}
	return f, err
}

// rangePage is how many frames Range reads in one transaction: a long one would keep
// bbolt from using freed pages again.
const rangePage = 256

// Range calls do for the frames numbered from to to (both included, as far as they
// exist), in order. Frames that are damaged or gone come too, marked. An error of do ends
// it and is returned. do may use the journal.
func (j *Journal) Range(from, to uint64, do func(Frame) error) error {
	to = min(to, j.Head().Seq)
	for from = max(from, 1); from <= to; {
		last := min(to, from+rangePage-1)
		page, err := j.page(from, last)
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		for _, f := range page {
			if err := do(f); err != nil {
				return err
			}
		}
		from = last + 1
	}
	return nil
}

// page reads the frames from to last, and the one behind to name a damaged last one.
func (j *Journal) page(from, last uint64) ([]Frame, error) {
	out := make([]Frame, 0, last-from+1)
	err := j.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketFrames)
		c := b.Cursor()
		k, v := c.Seek(seqKey(from))
		for seq := from; seq <= last; seq++ {
			f := Frame{Place: syncproto.Place{Journal: j.id, Seq: seq}, Damaged: true}
			if k != nil && binary.BigEndian.Uint64(k) == seq {
				f = j.decodeFrame(seq, v)
				k, v = c.Next()
			}
			out = append(out, f)
		}
		if len(out) > 0 {
			j.nameDamaged(out, b)
		}
		return nil
	})
	return out, err
}

// nameDamaged gives the damaged frames of a page the hashes that their neighbours hold.
func (j *Journal) nameDamaged(page []Frame, b *bbolt.Bucket) {
	around := func(seq uint64) Frame {
		if first := page[0].Place.Seq; seq >= first && seq < first+uint64(len(page)) {
			return page[seq-first]
		}
		return j.decodeFrame(seq, b.Get(seqKey(seq)))
	}
	for i := range page {
		f := &page[i]
		if !f.Damaged {
			continue
		}
		if next := around(f.Place.Seq + 1); !next.Damaged {
			f.Place.Hash = next.Previous
		} else if head, err := decodeHead(b.Tx().Bucket(bucketMeta).Get(metaHead)); err == nil && head.Seq == f.Place.Seq {
			f.Place.Hash = head.Hash
		}
		if f.Place.Seq == 1 {
			f.Previous = syncproto.Hash{}
		} else if before := around(f.Place.Seq - 1); !before.Damaged {
			f.Previous = before.Place.Hash
		}
	}
}

// Check reads the whole journal and gives the numbers of damaged frames and of those that
// do not follow the one before.
func (j *Journal) Check() (damaged, unchained []uint64, err error) {
	var before syncproto.Hash
	head := j.Head() // what is appended meanwhile is not looked at
	err = j.Range(1, head.Seq, func(f Frame) error {
		if f.Damaged {
			damaged = append(damaged, f.Place.Seq)
		}
		if f.Previous != before {
			unchained = append(unchained, f.Place.Seq)
		}
		before = f.Place.Hash
		return nil
	})
	if err == nil && before != head.Hash {
		unchained = append(unchained, head.Seq)
	}
	return damaged, unchained, err
}
