package ledger

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// Since calls do for every record of the kinds that a change above after touched, once
// each, as it stands now, in one consistent view, and gives the view's position. The order
// is that of the first change to each.
func (l *Ledger) Since(after syncproto.Position, kinds []syncproto.KindNumber, do func(union string, key syncproto.RecordKey, r *merge.Record) error) (syncproto.Position, error) {
	if touched, head, ok := l.recently(after, kinds); ok {
		for _, t := range touched {
			if err := do(t.name.union, t.name.key, t.record); err != nil {
				return head, err
			}
		}
		return head, nil
	}
	r := l.read()
	defer r.done()
	touched, err := touchedSince(r.txn, after, kinds)
	if err != nil {
		return r.head, err
	}
	for _, t := range touched {
		rec, err := readRecord(r.txn, t.union, t.key)
		if err != nil {
			return r.head, err
		}
		if rec == nil {
			continue // a change that names no record
		}
		if err := do(t.union, t.key, rec); err != nil {
			return r.head, err
		}
	}
	return r.head, nil
}

// unionKey names a record in the city.
type unionKey struct {
	union string
	key   syncproto.RecordKey
}

func touchedSince(txn *badger.Txn, after syncproto.Position, kinds []syncproto.KindNumber) ([]unionKey, error) {
	var out []unionKey
	seen := map[unionKey]bool{}
	o := badger.DefaultIteratorOptions
	o.Prefix = []byte{prefixLog}
	it := txn.NewIterator(o)
	defer it.Close()
	for it.Seek(keyLog(after + 1)); it.ValidForPrefix(o.Prefix); it.Next() {
		err := it.Item().Value(func(v []byte) error {
			item, err := decodeLogItem(0, v)
			if err != nil {
				return err
			}
			key, err := syncproto.ChangeKey(item.Bytes)
			if err != nil {
				return nil //nolint:nilerr // it is held as malformed and touches no record
			}
			k := unionKey{union: item.Union, key: key}
			if wanted(kinds, key.Kind) && !seen[k] {
				seen[k] = true
				out = append(out, k)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("follow log: %w", err)
		}
	}
	return out, nil
}
