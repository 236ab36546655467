package ledger

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// regive gives every change above a position a new one, in the same order, in the life that
// begins. A life that is begun because an agent knew of another one has a base below the
// head: what stands above it has positions that another life of the centre may have given to
// other changes, so that nobody could say what stands there.
//
// What stands above such a base is what came since a restore that somebody began without the
// list of lives: little. Were it much, it takes several transactions; the life's own entry is
// written behind it, so that an entry that comes again after a crash goes on.
func (a *applier) regive(number uint32, base syncproto.Position) error {
	if a.meta.GetGeneration() != number {
		a.meta.Generation, a.meta.Count = number, 0
	}
	above, err := positionsAbove(a.txn, base)
	if err != nil {
		return fmt.Errorf("give positions anew: %w", err)
	}
	for _, p := range above {
		if uint32(p.Generation()) == number {
			break // moved before a crash
		}
		if err := a.move(p, a.advance()); err != nil {
			return fmt.Errorf("give position %s anew: %w", p, err)
		}
		if err := a.cut(); err != nil {
			return err
		}
	}
	a.meta.Watermark = min(a.meta.GetWatermark(), uint64(base))
	return nil
}

func positionsAbove(txn *badger.Txn, base syncproto.Position) (out []syncproto.Position, err error) {
	o := badger.DefaultIteratorOptions
	o.Prefix, o.PrefetchValues = []byte{prefixLog}, false
	it := txn.NewIterator(o)
	defer it.Close()
	for it.Seek(keyLog(base + 1)); it.ValidForPrefix(o.Prefix); it.Next() {
		p, err := decodePosition(it.Item().Key()[1:])
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// move takes one change, and all that points at it, from a position to another.
func (a *applier) move(from, to syncproto.Position) error {
	b, err := getBytes(a.txn, keyLog(from))
	if err != nil {
		return err
	}
	item, err := decodeLogItem(from, b)
	if err != nil {
		return err
	}
	for _, m := range [][2][]byte{{keyLog(from), keyLog(to)}, {keyUnionLog(item.Union, from), keyUnionLog(item.Union, to)}} {
		value, err := getBytes(a.txn, m[0])
		if err != nil {
			return err
		}
		if err := a.delete(m[0]); err != nil {
			return err
		}
		if err := a.set(m[1], bytes.Clone(value)); err != nil {
			return err
		}
	}
	if err := a.set(keyPlace(item.Place.Dot()), encodePosition(to)); err != nil {
		return err
	}
	c := readable(item)
	if c == nil {
		return nil
	}
	return a.moveRecord(item, c.Key(), from, to)
}

// moveRecord moves what stands of a change beside its record: history, feed, the record's
// own position, and its place in a queue of held changes.
func (a *applier) moveRecord(item *LogItem, key syncproto.RecordKey, from, to syncproto.Position) error {
	if err := a.delete(keyHistory(item.Union, key, from)); err != nil {
		return err
	}
	if err := a.set(keyHistory(item.Union, key, to), nil); err != nil {
		return err
	}
	rec, err := readRecord(a.txn, item.Union, key)
	if err != nil {
		return err
	}
	if rec != nil && rec.Pos == from {
		moved := *rec
		moved.Pos = to
		if err := a.delete(keyFeed(item.Union, from)); err != nil {
			return err
		}
		if err := a.set(keyFeed(item.Union, to), appendRecordKey(nil, key)); err != nil {
			return err
		}
		if err := a.set(keyRecord(item.Union, key), moved.Encode()); err != nil {
			return err
		}
	}
	q := new(entrypb.HeldQueue)
	k := keyHeld(item.Union, item.Place.Journal, key)
	if _, err := getMessage(a.txn, k, q); err != nil {
		return err
	}
	i := slices.Index(q.Positions, uint64(from))
	if i < 0 {
		return nil
	}
	q.Positions[i] = uint64(to)
	return a.setMessage(k, q)
}
