package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"unionsync/syncproto"
)

// A pending change is kept as
//
//	position of its verdict, 0 if none (8) | hash of its place (32) | change
const pendingHead = 8 + len(syncproto.Hash{})

func encodePending(o Own) []byte {
	b := make([]byte, 0, pendingHead+len(o.Bytes))
	b = binary.BigEndian.AppendUint64(b, uint64(o.Verdict.Position))
	b = append(b, o.Place.Hash[:]...)
	return append(b, o.Bytes...)
}

var errPending = errors.New("pending change is malformed")

// decodePending reads a pending change by the end of its key and its value.
func decodePending(journal syncproto.JournalID, key, value []byte) (Own, error) {
	if len(key) < 8 || len(value) <= pendingHead {
		return Own{}, errPending
	}
	o := Own{Place: syncproto.Place{Journal: journal, Seq: binary.BigEndian.Uint64(key[len(key)-8:])}, Bytes: value[pendingHead:]}
	o.Verdict.Position = syncproto.Position(binary.BigEndian.Uint64(value))
	copy(o.Place.Hash[:], value[8:])
	return o, nil
}

// laid says which own changes to a record are pending, ascending: it spares a scan for
// each record touched, and Badger sorts all that a transaction wrote for each scan.
type laid map[syncproto.RecordKey][]uint64

func (l laid) add(key syncproto.RecordKey, seq uint64) {
	i, ok := slices.BinarySearch(l[key], seq)
	if !ok {
		l[key] = slices.Insert(l[key], i, seq)
	}
}

func (l laid) remove(key syncproto.RecordKey, seq uint64) {
	i, ok := slices.BinarySearch(l[key], seq)
	switch {
	case ok && len(l[key]) == 1:
		delete(l, key)
	case ok:
		l[key] = slices.Delete(l[key], i, i+1)
	}
}

// readLaid reads it from the store.
func (r *readTxn) readLaid() (laid, error) {
	l := laid{}
	err := r.scan([]byte{keyOwn}, []byte{keyOwn}, true, func(k []byte, item *badger.Item) (bool, error) {
		return true, item.Value(func(v []byte) error {
			key, ok := parseRecordKey(v)
			if !ok || len(k) != 9 {
				return errPending
			}
			l.add(key, binary.BigEndian.Uint64(k[1:]))
			return nil
		})
	})
	return l, err
}

// pending reads these own changes of a record, in order.
func (r *readTxn) pending(journal syncproto.JournalID, key syncproto.RecordKey, seqs []uint64, early earlier) ([]Own, error) {
	var out []Own
	for _, seq := range seqs {
		k := pendingKey(key, seq)
		v, err := r.get(k)
		if err != nil {
			return nil, err
		}
		o, err := decodePending(journal, k, v)
		if err != nil {
			return nil, err
		}
		o.Earlier = early[seq]
		out = append(out, o)
	}
	return out, nil
}

// Pending gives the own changes to a record that lie over the layer, in order.
func (s *Store) Pending(key syncproto.RecordKey) (out []Own, err error) {
	err = s.viewState(func(r *readTxn, st State) error {
		l, err := r.readLaid()
		if err != nil {
			return err
		}
		early, err := r.readEarlier()
		if err != nil {
			return err
		}
		out, err = r.pending(st.Journal, key, l[key], early)
		return err
	})
	return out, err
}

// Add lays own changes over the layer that were just appended to the journal, in order.
// If it fails they are saved nevertheless; the store must be made again.
func (s *Store) Add(owns []Own) error {
	return s.change(func(b *batch, st *State) error {
		for _, o := range owns {
			if o.Place.Seq != st.Head.Seq+1 || o.Place.Journal != st.Journal {
				return fmt.Errorf("change %d does not follow %d", o.Place.Seq, st.Head.Seq)
			}
			if err := s.lay(b, o); err != nil {
				return err
			}
			st.Head = o.Place
		}
		return nil
	})
}
