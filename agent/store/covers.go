package store

import (
	"encoding/binary"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// covers reports whether the centre's record holds an own change: the life of the centre
// that gave the record its position had the change at one of the positions that it was
// given, at or before that one. A change that a restored centre lost is covered by records
// from before and not by those that the centre gives out since.
func (s *Store) covers(layer *merge.Record, o *Own) bool {
	if layer == nil {
		return false
	}
	l := *s.lineage.Load()
	return kept(l, o.Verdict.Position, layer.Pos) || slices.ContainsFunc(o.Earlier, func(p syncproto.Position) bool {
		return kept(l, p, layer.Pos)
	})
}

// kept reports whether the life of the centre that gave position at had p before it.
func kept(l syncproto.Lineage, p, at syncproto.Position) bool {
	if p == 0 || p > at || p.Generation() == at.Generation() {
		return p != 0 && p <= at
	}
	then := slices.DeleteFunc(slices.Clone(l), func(g syncproto.Generation) bool { return g.Number > at.Generation() })
	return then.Newest().Number == at.Generation() && then.Holds(p)
}

// earlier holds the earlier positions of pending changes, by their numbers. Few have any.
type earlier map[uint64][]syncproto.Position

// readEarlier reads them from the store.
func (r *readTxn) readEarlier() (earlier, error) {
	out := earlier{}
	err := r.scan([]byte{keyEarlier}, []byte{keyEarlier}, true, func(k []byte, item *badger.Item) (bool, error) {
		return true, item.Value(func(v []byte) error {
			all, err := decodePositions(v)
			if err != nil || len(k) != 9 {
				return errPending
			}
			out[binary.BigEndian.Uint64(k[1:])] = all
			return nil
		})
	})
	return out, err
}

func encodePositions(all []syncproto.Position) []byte {
	b := make([]byte, 0, 8*len(all))
	for _, p := range all {
		b = binary.BigEndian.AppendUint64(b, uint64(p))
	}
	return b
}

func decodePositions(b []byte) ([]syncproto.Position, error) {
	if len(b) == 0 || len(b)%8 != 0 {
		return nil, errPending
	}
	out := make([]syncproto.Position, 0, len(b)/8)
	for ; len(b) > 0; b = b[8:] {
		out = append(out, syncproto.Position(binary.BigEndian.Uint64(b)))
	}
	return out, nil
}

// setEarlier keeps the earlier positions of a pending change; none removes them.
func (s *Store) setEarlier(b *batch, seq uint64, all []syncproto.Position) error {
	if len(all) == 0 {
		if _, ok := s.early[seq]; !ok {
			return nil
		}
		delete(s.early, seq)
		return b.del(earlierKey(seq))
	}
	s.early[seq] = all
	return b.set(earlierKey(seq), encodePositions(all))
}

// relearn takes a lineage over and names every record that has pending changes: what
// covers them is judged anew. That matters where a life was not known whose successor's
// records are here already.
func (t *settling) relearn(l syncproto.Lineage) {
	if l == nil {
		return
	}
	t.s.lineage.Store(&l)
	t.st.life = newestLife(l)
	for key := range t.s.laid {
		t.touched[key] = true
	}
}
