package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"unionsync/internal/atomicfile"
	"unionsync/syncproto"
)

// rebuild sets the folder aside, without opening it, and makes a new one from the base
// and, above it, from the journal. Without a base all own changes lie over nothing and
// everything is fetched again. A crash in here leaves a folder without a clean note, so
// that the next Open begins anew.
func (s *Store) rebuild(src Source) (baseLost bool, err error) {
	s.removeTemps()
	if err := s.clearRoom(); err != nil {
		return false, fmt.Errorf("make store: %w", err)
	}
	st, err := s.checkBase()
	if err != nil {
		baseLost = !errors.Is(err, errNoBase)
		if baseLost {
			s.log.Warn("the base is damaged; all records are fetched again", "error", err)
			if err := os.Rename(s.path(BaseName), s.path(BaseName+damagedSuffix)); err != nil {
				return baseLost, fmt.Errorf("set base aside: %w", err)
			}
		}
		st = State{}
	}
	if err := s.openBadger(); err != nil {
		return baseLost, err
	}
	st.Fetched = st.Fetched || src.Fetched
	st.Journal, st.Head = src.Head.Journal, src.Head
	if st.Settled, err = settledIn(st.Settled, src); err != nil {
		return baseLost, err
	}
	s.goBack(&st)
	s.state, s.laid, s.early = st, laid{}, earlier{}
	if st.stamp != (stamp{}) {
		if err := s.loadBase(); err != nil {
			return baseLost, err
		}
	}
	if err := s.layOwn(src); err != nil {
		return baseLost, err
	}
	return baseLost, os.Remove(s.path(makingName))
}

// removeTemps removes what a crash left of files that were being replaced.
func (s *Store) removeTemps() {
	names, err := filepath.Glob(s.path(atomicfile.TempPattern))
	if err != nil {
		return // only for a malformed pattern
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			s.log.Warn("a temporary file cannot be removed", "error", err)
		}
	}
}

// makingName is the file that stands while the folder is being made again.
const makingName = "store.making"

// clearRoom makes an empty folder. What stood there is set aside, unless it was being made
// itself: then nothing is in it alone, and it must not push out one that was in use.
func (s *Store) clearRoom() error {
	making := s.path(makingName)
	if _, err := os.Lstat(making); err == nil {
		if err := os.RemoveAll(s.path(DirName)); err != nil {
			return err
		}
	} else if err := s.setAside(); err != nil {
		return err
	}
	if err := atomicfile.Write(making, nil, 0o600); err != nil {
		return err
	}
	return os.Mkdir(s.path(DirName), 0o700)
}

// damagedSuffix is added to the name of a base that cannot be read: the next one must not
// be taken for it.
const damagedSuffix = ".damaged"

// settledIn fits the base's settled place to the journal: one that the journal does not
// hold in this form, because it went back or another way, settles nothing. Own changes
// that the records hold already are then told by their verdicts' positions.
func settledIn(settled syncproto.Place, src Source) (syncproto.Place, error) {
	none := syncproto.Place{Journal: src.Head.Journal}
	if settled.Seq == 0 || settled.Journal != src.Head.Journal {
		return none, nil
	}
	p, ok, err := src.Place(settled.Seq)
	if err != nil || !ok || p != settled {
		return none, err
	}
	if src.Standing == nil {
		return settled, nil
	}
	seq, err := src.Standing(settled.Seq)
	if err != nil || seq == settled.Seq {
		return settled, err
	}
	if p, ok, err = src.Place(seq); err != nil || !ok {
		return none, err
	}
	return p, nil
}

// goBack fits the state of a base to the lives of the centre that are known by now: the
// base may be older than they are. Then its cursor amid pages says nothing: a later life may
// have a record further back than it.
func (s *Store) goBack(st *State) {
	l := *s.lineage.Load()
	if now := newestLife(l); st.life != now {
		st.Whole = l.Cut(st.Whole, st.life.number)
		st.life = now
		st.Cursor, st.Proved, st.Refetch = st.Whole, Proof{}, false
	}
}

// loadBase writes what the base holds. It was checked before.
func (s *Store) loadBase() error {
	return s.change(func(b *batch, _ *State) error {
		return readBase(s.path(BaseName), s.key, func(kind byte, body []byte) error {
			switch kind {
			case itemRecord:
				key, rec, err := decodeItem(body)
				if err != nil {
					return err
				}
				if err := b.set(recordKey(keyLayer, key), clone(body[recordKeySize:])); err != nil {
					return err
				}
				if l := *s.lineage.Load(); l.Newest().Number > 0 && !l.Holds(rec.Pos) { // the centre may not have it like this any more
					if err := b.set(recordKey(keyConfirm, key), nil); err != nil {
						return err
					}
				}
				return s.setTokens(b, key, nil, rec)
			case itemWant:
				return b.set(append([]byte{keyWant}, body...), nil)
			case itemConfirm:
				return b.set(append([]byte{keyConfirm}, body...), nil)
			}
			return nil
		})
	})
}

// layOwn lays the own changes above the settled place over the layer.
func (s *Store) layOwn(src Source) error {
	return s.change(func(b *batch, st *State) error {
		return src.Own(st.Settled.Seq, func(o Own) error {
			if o.Bytes == nil || o.out() {
				return nil
			}
			return s.lay(b, o)
		})
	})
}
