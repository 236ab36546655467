package ledger

import (
	"fmt"
	"iter"

	"github.com/dgraph-io/badger/v4"

	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// Log gives every logged change of the union behind a position, ascending, with the whole
// hash of the place before it; of those that bare names, the position alone. The sequence ends at
// the first error. It must be ended before Done.
func (v *View) Log(after syncproto.Position, bare func(syncproto.Position) bool) iter.Seq2[*session.Logged, error] {
	return func(yield func(*session.Logged, error) bool) {
		prefix := keyUnion(prefixUnion, v.union)
		o := badger.DefaultIteratorOptions
		o.Prefix, o.PrefetchValues = prefix, false
		it := v.r.txn.NewIterator(o)
		defer it.Close()
		last := map[syncproto.JournalID]syncproto.Place{} // as given: what follows it needs no look-up
		for it.Seek(keyUnionLog(v.union, after+1)); it.ValidForPrefix(prefix); it.Next() {
			l, err := v.logged(it.Item().Key()[len(prefix):], last, bare)
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

func (v *View) logged(key []byte, last map[syncproto.JournalID]syncproto.Place, bare func(syncproto.Position) bool) (*session.Logged, error) {
	pos, err := decodePosition(key)
	if err != nil {
		return nil, err
	}
	if bare != nil && bare(pos) {
		return &session.Logged{Verdict: syncproto.Verdict{Position: pos}}, nil
	}
	item, err := readLog(v.r.txn, pos)
	if err != nil {
		return nil, err
	}
	l := &session.Logged{
		Placed:  syncproto.Placed{Place: item.Place, Bytes: item.Bytes},
		Erased:  item.Verdict.Reason == syncproto.HeldErased,
		Verdict: item.Verdict, Signature: item.Signature, Signer: item.Signer,
	}
	if item.Bytes != nil {
		l.Change, _ = syncproto.DecodeChange(item.Bytes, item.Place.Journal) // nil: it cannot be read
	}
	if p := last[item.Place.Journal]; p.Seq > 0 && p.Seq+1 == item.Place.Seq && p.Hash.Tag() == item.Previous {
		l.Previous = p.Hash
	} else if l.Previous, err = previous(v.r.txn, item); err != nil {
		return nil, err
	}
	last[item.Place.Journal] = item.Place
	return l, nil
}

// previous gives the whole hash of the place before a logged change, zero at the beginning
// of a journal. An item of version 1 does not say which of several it is: the one from which
// its own hash follows.
func previous(txn *badger.Txn, item *LogItem) (syncproto.Hash, error) {
	var none syncproto.Hash
	if item.Place.Seq == 1 {
		return none, nil
	}
	before := syncproto.Dot{Journal: item.Place.Journal, Seq: item.Place.Seq - 1, Tag: item.Previous}
	if b, err := getBytes(txn, keyPlace(before)); err != nil {
		return none, err
	} else if b != nil {
		return hashAt(txn, b)
	}
	var found syncproto.Hash
	err := eachMessage(txn, keyPlace(before)[:1+8+8], func(_, v []byte) error {
		h, err := hashAt(txn, v)
		if err == nil && (found == none || syncproto.NextHash(h, item.Bytes) == item.Place.Hash) {
			found = h
		}
		return err
	})
	if err == nil && found == none {
		err = fmt.Errorf("read log: the place before %s is not here", item.Place.Dot())
	}
	return found, err
}

func hashAt(txn *badger.Txn, position []byte) (syncproto.Hash, error) {
	pos, err := decodePosition(position)
	if err != nil {
		return syncproto.Hash{}, err
	}
	item, err := readLog(txn, pos)
	if err != nil {
		return syncproto.Hash{}, err
	}
	return item.Place.Hash, nil
}

// Watermark is the position up to which every backup that is still offered has the log.
func (v *View) Watermark() syncproto.Position { return v.r.watermark }

// tagOf gives the tag that a log item keeps of the place before it.
func tagOf(p syncproto.Place) uint32 {
	if p.Seq == 0 {
		return 0
	}
	return p.Hash.Tag()
}
