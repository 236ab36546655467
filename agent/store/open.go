package store

import (
	"errors"
	"fmt"
	"os"

	"github.com/dgraph-io/badger/v4"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// Open opens the store of the union kept in dir, or makes it again from base and journal
// if the last run did not close it cleanly, if its files are not what they were then, or
// if it does not fit the journal's head or the base. Nobody else has the folder open: the
// caller holds the journal's lock.
func Open(dir string, src Source, o Options) (*Store, Opened, error) {
	s := newStore(dir, o)
	met, err := s.open(src)
	if err != nil {
		if s.db != nil {
			_ = s.db.Close() // the first error tells more
		}
		return nil, met, syncproto.Fail(syncproto.CodeStoreFailed, "open store", err)
	}
	if met.Rebuilt {
		s.log.Info("store made again from base and journal", "reason", met.Reason, "base_lost", met.BaseLost)
	}
	return s, met, nil
}

func (s *Store) open(src Source) (met Opened, err error) {
	st, why, err := s.takeClean()
	if err != nil {
		return met, err
	}
	if why == "" {
		why, met.BaseLost = s.unfit(st, src)
	}
	if why == "" {
		if why, err = s.reopen(st); err != nil {
			return met, err
		}
	}
	if why == "" && met.BaseLost {
		err := s.WriteBase()
		if err != nil {
			s.log.Warn("the base cannot be written again", "error", err)
		}
	}
	if why == "" {
		return met, nil
	}
	met.Rebuilt, met.Reason = !s.fresh(src), why
	met.BaseLost, err = s.rebuild(src)
	return met, err
}

// fresh reports whether there never was anything to open: a new union.
func (s *Store) fresh(src Source) bool {
	for _, name := range []string{DirName, BaseName} {
		if _, err := os.Lstat(s.path(name)); err == nil {
			return false
		}
	}
	return src.Head.Seq == 0
}

// unfit says why a store with state st does not belong to this journal and base.
func (s *Store) unfit(st State, src Source) (why string, baseLost bool) {
	if st.Head != src.Head || st.Journal != src.Head.Journal {
		return "it does not end at the journal's head", false
	}
	if st.life != newestLife(*s.lineage.Load()) {
		return "it does not know yet that the centre went back", false
	}
	got, err := s.baseStamp()
	switch {
	case errors.Is(err, errNoBase):
		return "", st.stamp != stamp{}
	case err != nil:
		s.log.Warn("the base is damaged; the store is whole", "error", err)
		return "", true
	case got != st.stamp:
		return "the base is another one", false
	}
	return "", false
}

// reopen opens a folder that was checked file by file.
func (s *Store) reopen(want State) (why string, err error) {
	if err := s.openBadger(); err != nil {
		s.log.Warn("a store that was closed cleanly does not open", "error", err)
		return "it does not open", nil
	}
	err = s.view(func(r *readTxn) error {
		b, err := r.get(stateKey)
		if err != nil {
			return err
		}
		if s.state, err = decodeState(b); err != nil {
			return err
		}
		if s.early, err = r.readEarlier(); err != nil {
			return err
		}
		s.laid, err = r.readLaid()
		return err
	})
	if err == nil && s.state == want {
		return "", nil
	}
	if err := s.db.Close(); err != nil {
		return "", fmt.Errorf("close store: %w", err)
	}
	s.db = nil
	return "its state is not the noted one", nil
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

// lay adds one own change: it is pending, and the view changes unless the layer holds it.
func (s *Store) lay(b *batch, o Own) error {
	c, err := syncproto.DecodeChange(o.Bytes, o.Place.Journal)
	if err != nil {
		s.log.Warn("an own change cannot be read", "seq", o.Place.Seq, "error", err)
		return nil
	}
	key := c.Key()
	s.laid.add(key, o.Place.Seq)
	if err := b.set(pendingKey(key, o.Place.Seq), encodePending(o)); err != nil {
		return err
	}
	if err := b.set(ownKey(o.Place.Seq), recordKey(0, key)[1:]); err != nil {
		return err
	}
	if err := s.setEarlier(b, o.Place.Seq, o.Earlier); err != nil {
		return err
	}
	r := b.read()
	layer, err := r.record(keyLayer, key)
	if err != nil || s.covers(layer, &o) {
		return err
	}
	before, err := r.record(keyView, key)
	if err != nil {
		return err
	}
	if before == nil {
		before = layer
	}
	after, _ := merge.Merge(s.classes(key.Kind), before, c, o.Place.Dot(), 0)
	if err := b.set(recordKey(keyView, key), after.Encode()); err != nil {
		return err
	}
	return s.setTokens(b, key, before, after)
}

// setTokens changes the index from what it held for before to what after gives.
func (s *Store) setTokens(b *batch, key syncproto.RecordKey, before, after *merge.Record) error {
	keep := map[[tokenSize]byte]bool{}
	if after != nil {
		for _, raw := range s.tokens(key, after) {
			keep[s.token(key.Kind, raw)] = true
		}
	}
	if before != nil {
		for _, raw := range s.tokens(key, before) {
			if t := s.token(key.Kind, raw); keep[t] {
				delete(keep, t)
			} else if err := b.del(tokenKey(t, key)); err != nil {
				return err
			}
		}
	}
	for t := range keep {
		if err := b.set(tokenKey(t, key), nil); err != nil {
			return err
		}
	}
	return nil
}

// record reads a record, nil if there is none.
func (r *readTxn) record(prefix byte, key syncproto.RecordKey) (*merge.Record, error) {
	b, err := r.get(recordKey(prefix, key))
	if err != nil || b == nil {
		return nil, err
	}
	return merge.Decode(b)
}

// shown reads the record as it is shown, nil if there is none.
func (r *readTxn) shown(key syncproto.RecordKey) (*merge.Record, error) {
	rec, err := r.record(keyView, key)
	if err != nil || rec != nil {
		return rec, err
	}
	return r.record(keyLayer, key)
}

var _ badger.Logger = badgerLog{}
