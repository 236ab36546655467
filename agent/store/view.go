package store

import (
	"bytes"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// View gives a record as it is shown, nil if there is none.
func (s *Store) View(key syncproto.RecordKey) (rec *merge.Record, err error) {
	err = s.view(func(r *readTxn) error {
		rec, err = r.shown(key)
		return err
	})
	return rec, err
}

// Layer gives a record as the centre last gave it, nil if there is none.
func (s *Store) Layer(key syncproto.RecordKey) (rec *merge.Record, err error) {
	err = s.view(func(r *readTxn) error {
		rec, err = r.record(keyLayer, key)
		return err
	})
	return rec, err
}

// Each calls do for the records of a kind as they are shown, in the order of their ids
// from id on, until it returns false. All come from one snapshot. do may read the store.
func (s *Store) Each(kind syncproto.KindNumber, from syncproto.RecordID, do func(syncproto.RecordID, *merge.Record) (bool, error)) error {
	return s.view(func(r *readTxn) error {
		layer, view := r.cursor(keyLayer, kind, from), r.cursor(keyView, kind, from)
		defer layer.close()
		defer view.close()
		for {
			c, other := layer, view
			order := bytes.Compare(layer.id(), view.id())
			if layer.id() == nil || view.id() != nil && order >= 0 { // the view hides the layer
				c, other = view, layer
			}
			if c.id() == nil {
				return nil
			}
			id, rec, err := c.read()
			if err != nil {
				return err
			}
			more, err := do(id, rec)
			if err != nil || !more {
				return err
			}
			if order == 0 {
				other.next()
			}
			c.next()
		}
	})
}

// cursor walks over the records of a kind under one prefix.
type cursor struct {
	it     *badger.Iterator
	prefix []byte
}

func (r *readTxn) cursor(prefix byte, kind syncproto.KindNumber, from syncproto.RecordID) cursor {
	o := badger.DefaultIteratorOptions
	o.Prefix = kindPrefix(prefix, kind)
	o.PrefetchSize = 16
	c := cursor{it: r.txn.NewIterator(o), prefix: o.Prefix}
	c.it.Seek(recordKey(prefix, syncproto.RecordKey{Kind: kind, ID: from}))
	return c
}

// id gives the id at the cursor, nil behind the end.
func (c cursor) id() []byte {
	if !c.it.ValidForPrefix(c.prefix) {
		return nil
	}
	return c.it.Item().Key()[len(c.prefix):]
}

func (c cursor) read() (id syncproto.RecordID, rec *merge.Record, err error) {
	copy(id[:], c.id())
	v, err := c.it.Item().ValueCopy(nil)
	if err != nil {
		return id, nil, err
	}
	rec, err = merge.Decode(v)
	return id, rec, err
}

func (c cursor) next()  { c.it.Next() }
func (c cursor) close() { c.it.Close() }

// Find gives the records of a kind whose view has a token, in the order of their ids.
func (s *Store) Find(kind syncproto.KindNumber, token []byte) (out []syncproto.RecordKey, err error) {
	t := s.token(kind, token)
	prefix := append([]byte{keyToken}, t[:]...)
	err = s.view(func(r *readTxn) error {
		return r.scan(prefix, prefix, false, func(k []byte, _ *badger.Item) (bool, error) {
			if key, ok := parseRecordKey(k[len(prefix):]); ok && key.Kind == kind {
				out = append(out, key)
			}
			return true, nil
		})
	})
	return out, err
}

// EachLayer calls do for every record of the layer in the order of keys, until it returns
// false.
func (s *Store) EachLayer(do func(syncproto.RecordKey, *merge.Record) (bool, error)) error {
	return s.view(func(r *readTxn) error { return r.eachLayer(do) })
}

func (r *readTxn) eachLayer(do func(syncproto.RecordKey, *merge.Record) (bool, error)) error {
	return r.scan([]byte{keyLayer}, []byte{keyLayer}, true, func(k []byte, item *badger.Item) (bool, error) {
		key, ok := parseRecordKey(k[1:])
		if !ok {
			return false, errItems
		}
		v, err := item.ValueCopy(nil)
		if err != nil {
			return false, err
		}
		rec, err := merge.Decode(v)
		if err != nil {
			return false, err
		}
		return do(key, rec)
	})
}

// LayerKeys gives the keys of all records of the layer, in order.
func (s *Store) LayerKeys() (out []syncproto.RecordKey, err error) {
	return s.marked(keyLayer, maxKeys)
}

// maxKeys is above what any union has.
const maxKeys = 1 << 30

// Wants gives at most limit records that the centre is to be asked for.
func (s *Store) Wants(limit int) ([]syncproto.RecordKey, error) { return s.marked(keyWant, limit) }

// Confirms gives at most limit records that the centre has yet to confirm.
func (s *Store) Confirms(limit int) ([]syncproto.RecordKey, error) {
	return s.marked(keyConfirm, limit)
}

func (s *Store) marked(prefix byte, limit int) (out []syncproto.RecordKey, err error) {
	err = s.view(func(r *readTxn) error {
		return r.scan([]byte{prefix}, []byte{prefix}, false, func(k []byte, _ *badger.Item) (bool, error) {
			if len(out) >= limit {
				return false, nil
			}
			if key, ok := parseRecordKey(k[1:]); ok {
				out = append(out, key)
			}
			return true, nil
		})
	})
	return out, err
}

// Checked is what [Store.Check] found.
type Checked struct {
	Records int            // of the layer
	Digest  syncproto.Hash // computed anew
	Stored  syncproto.Hash // as the state has it
	Wrong   int            // records whose view is not layer + pending
}

// Check computes everything that is stored ready-made again: the digest of the layer and
// the views, all of one moment.
func (s *Store) Check() (c Checked, err error) {
	err = s.viewState(func(r *readTxn, st State) error {
		c.Stored = st.Digest
		err := r.eachLayer(func(key syncproto.RecordKey, rec *merge.Record) (bool, error) {
			c.Records++
			c.Digest = merge.Xor(c.Digest, merge.Hash(key, rec))
			return true, nil
		})
		if err != nil {
			return err
		}
		// A record without pending changes is shown as the layer has it, if it has no view.
		keys := map[syncproto.RecordKey]bool{}
		l, err := r.readLaid()
		if err != nil {
			return err
		}
		for key := range l {
			keys[key] = true
		}
		err = r.scan([]byte{keyView}, []byte{keyView}, false, func(k []byte, _ *badger.Item) (bool, error) {
			if key, ok := parseRecordKey(k[1:]); ok {
				keys[key] = true
			}
			return true, nil
		})
		if err != nil {
			return err
		}
		early, err := r.readEarlier()
		if err != nil {
			return err
		}
		for _, key := range sortedKeys(keys) {
			if err := s.checkView(r, st, key, l[key], early, &c); err != nil {
				return err
			}
		}
		return nil
	})
	return c, err
}

// checkView computes one view again.
func (s *Store) checkView(r *readTxn, st State, key syncproto.RecordKey, seqs []uint64, early earlier, c *Checked) error {
	want, _, err := s.compute(r, st.Journal, key, seqs, early)
	if err != nil {
		return err
	}
	got, err := r.shown(key)
	if err == nil && !bytes.Equal(encoded(want), encoded(got)) {
		c.Wrong++
	}
	return err
}

func encoded(r *merge.Record) []byte {
	if r == nil {
		return nil
	}
	return r.Encode()
}

// CheckBase reads the whole base and says whether it is good. A store that has none yet is
// good too.
func (s *Store) CheckBase() error {
	s.baseMu.Lock()
	defer s.baseMu.Unlock()
	st := s.State()
	_, err := s.checkBase()
	if errors.Is(err, errNoBase) && st.stamp == (stamp{}) {
		return nil
	}
	return err
}
