package journal

import (
	"encoding/binary"
	"errors"
	"slices"

	"go.etcd.io/bbolt"

	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// Buckets of facts about own changes that are beside verdicts and receipts.
const (
	endedBucket   = "ended"   // seq → what somebody decided about an own change that was held
	earlierBucket = "earlier" // seq → positions that earlier lives of the centre gave, 8 bytes each
)

// endedVersion is the first byte of an outcome:
//
//	version (1) | verb (1) | dot of the change that decided: journal (8), seq (8), tag (4)
const endedVersion = 1

const endedSize = 1 + 1 + 8 + 8 + 4

var errEnded = errors.New("outcome of a held change is malformed")

func encodeEnded(e session.Ended) []byte {
	return append([]byte{endedVersion, byte(e.Verb)}, dotKey(e.By)...)
}

func decodeEnded(seq uint64, b []byte) (session.Ended, error) {
	e := session.Ended{Seq: seq}
	if len(b) != endedSize || b[0] != endedVersion {
		return e, errEnded
	}
	e.Verb = syncproto.Verb(b[1])
	e.By.Journal = syncproto.JournalID(binary.BigEndian.Uint64(b[2:]))
	e.By.Seq = binary.BigEndian.Uint64(b[10:])
	e.By.Tag = binary.BigEndian.Uint32(b[18:])
	return e, nil
}

// PutEnded keeps what was decided about an own change that was held. The first decision
// counts: it had the lower position.
func (t *Tx) PutEnded(e session.Ended) error {
	if b, err := t.Get(endedBucket, seqKey(e.Seq)); err == nil && b != nil {
		return nil
	}
	return t.Put(endedBucket, seqKey(e.Seq), encodeEnded(e))
}

// Ended gives the outcomes of own changes that were held, by their numbers.
func (j *Journal) Ended() (map[uint64]session.Ended, error) {
	out := map[uint64]session.Ended{}
	err := j.Each(endedBucket, func(key, value []byte) error {
		if len(key) != 8 {
			return errEnded
		}
		seq := binary.BigEndian.Uint64(key)
		e, err := decodeEnded(seq, value)
		out[seq] = e
		return err
	})
	return out, err
}

// noteEarlier keeps the position of a verdict that is about to be replaced by one with
// another: a record that the earlier life of the centre gave holds the change up to there.
func (t *Tx) noteEarlier(seq uint64, next syncproto.Position) error {
	box := t.bolt.Bucket(bucketVerdicts).Get(seqKey(seq))
	if box == nil {
		return nil
	}
	old, err := t.j.openVerdict(seqKey(seq), box)
	if err != nil || old.Position == next {
		return nil //nolint:nilerr // what cannot be read is written over
	}
	had, err := t.earlier(seq)
	if err != nil || slices.Contains(had, old.Position) {
		return nil //nolint:nilerr // likewise
	}
	b := make([]byte, 0, 8*(len(had)+1))
	for _, p := range append(had, old.Position) {
		b = binary.BigEndian.AppendUint64(b, uint64(p))
	}
	return t.Put(earlierBucket, seqKey(seq), b)
}

func (t *Tx) earlier(seq uint64) ([]syncproto.Position, error) {
	b, err := t.Get(earlierBucket, seqKey(seq))
	if err != nil || len(b)%8 != 0 {
		return nil, errors.Join(err, errVerdict)
	}
	var out []syncproto.Position
	for ; len(b) > 0; b = b[8:] {
		out = append(out, syncproto.Position(binary.BigEndian.Uint64(b)))
	}
	return out, nil
}

var errVerdict = errors.New("earlier positions are malformed")

// Earlier gives the positions that earlier lives of the centre gave the own change
// numbered seq, the oldest first; nil if there are none.
func (j *Journal) Earlier(seq uint64) (out []syncproto.Position, err error) {
	err = j.view(func(tx *bbolt.Tx) error {
		out, err = (&Tx{j: j, bolt: tx}).earlier(seq)
		return err
	})
	return out, err
}
