package ledger

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// A life may begin with a base below the head: when its centre has learned of lives that
// kept less than it has. No position above the base is held then by the lineage, though all
// that stands there is here. So it moves: every logged change and every revocation above the
// base gets the next position of the new life, in the old order. What is known of it is
// told again with the new position; a receipt for the old one is worth nothing any more.
//
// Each move is whole in one transaction. Meta.moving tells that some are still to come:
// what stands above the base and below the new life is what has not been moved.

// moveLog moves what has not been moved yet to positions of the newest life.
func (a *applier) moveLog() error {
	life := new(entrypb.Generation)
	if _, err := getMessage(a.txn, keyGeneration(uint16(a.meta.GetGeneration())), life); err != nil {
		return err
	}
	for at := syncproto.Position(life.GetBase()); ; {
		next, err := a.standingAbove(at)
		if err != nil {
			return err
		}
		if len(next) == 0 {
			a.meta.Moving = false
			life.Moved = a.meta.GetCount()
			return a.setMessage(keyGeneration(uint16(a.meta.GetGeneration())), life)
		}
		for _, s := range next {
			if err := a.cut(); err != nil {
				return err
			}
			if err := a.move(s); err != nil {
				return fmt.Errorf("move %s: %w", s.position, err)
			}
			at = s.position
		}
	}
}

// standing is what stands at a position: a logged change or a union's revocation.
type standing struct {
	position   syncproto.Position
	union      string // of a revocation
	revocation []byte // nil: it is a logged change
}

// moveSpan is how many positions of the log are read at a time.
const moveSpan = 256

// standingAbove gives the next of what stands above a position and is of an older life than
// the newest, ascending; none is left when it gives none.
func (a *applier) standingAbove(after syncproto.Position) ([]standing, error) {
	end := syncproto.MakePosition(uint16(a.meta.GetGeneration()), 0)
	out, err := a.loggedBetween(after, end)
	if err != nil {
		return nil, err
	}
	if len(out) == moveSpan {
		end = out[len(out)-1].position
	}
	revocations, err := a.revocationsBetween(after, end)
	out = append(out, revocations...)
	slices.SortFunc(out, func(x, y standing) int { return cmp.Compare(x.position, y.position) })
	return out, err
}

// loggedBetween gives the next positions of the log in (after, end], ascending.
func (a *applier) loggedBetween(after, end syncproto.Position) ([]standing, error) {
	o := badger.DefaultIteratorOptions
	o.Prefix, o.PrefetchValues = []byte{prefixLog}, false
	it := a.txn.NewIterator(o)
	defer it.Close()
	var out []standing
	for it.Seek(keyLog(after + 1)); it.ValidForPrefix(o.Prefix) && len(out) < moveSpan; it.Next() {
		p, err := decodePosition(it.Item().Key()[1:])
		if err != nil {
			return nil, err
		}
		if p > end {
			break
		}
		out = append(out, standing{position: p})
	}
	return out, nil
}

// revocationsBetween gives the revocations of all unions in (after, end].
func (a *applier) revocationsBetween(after, end syncproto.Position) ([]standing, error) {
	var out []standing
	err := eachMessage(a.txn, []byte{prefixRevocation}, func(k, v []byte) error {
		union, rest, err := unionOf(k)
		if err != nil {
			return err
		}
		p, err := decodePosition(rest)
		if err == nil && p > after && p <= end {
			out = append(out, standing{position: p, union: union, revocation: bytes.Clone(v)})
		}
		return err
	})
	return out, err
}

// move gives what stands at a position the next one.
func (a *applier) move(s standing) error {
	if s.revocation == nil {
		return a.moveChange(s.position)
	}
	return a.moveKey(keyRevocation(s.union, s.position), keyRevocation(s.union, a.advance()))
}

// moveChange moves one logged change and all that names its position.
func (a *applier) moveChange(from syncproto.Position) error {
	item, err := readLog(a.txn, from)
	if err != nil {
		return err
	}
	to := a.advance()
	for _, key := range []func(syncproto.Position) []byte{
		keyLog,
		func(p syncproto.Position) []byte { return keyUnionLog(item.Union, p) },
	} {
		if err := a.moveKey(key(from), key(to)); err != nil {
			return err
		}
	}
	if err := a.set(keyPlace(item.Place.Dot()), encodePosition(to)); err != nil {
		return err
	}
	c := readable(item)
	if c == nil {
		return nil // it touched no record
	}
	if err := a.moveRecord(item.Union, c.Key(), from, to); err != nil {
		return err
	}
	if err := a.moveHeld(item, c.Key(), to); err != nil {
		return err
	}
	return a.moveDecisions(c, from, to)
}

// moveKey gives what stands under a key another one.
func (a *applier) moveKey(from, to []byte) error {
	item, err := a.txn.Get(from)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %q: %w", from[:1], err)
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return fmt.Errorf("read %q: %w", from[:1], err)
	}
	if err := a.delete(from); err != nil {
		return err
	}
	return a.set(to, value)
}

// moveRecord moves a place in a record's history and, if it is the newest, the record in the
// feed.
func (a *applier) moveRecord(union string, key syncproto.RecordKey, from, to syncproto.Position) error {
	if err := a.moveKey(keyHistory(union, key, from), keyHistory(union, key, to)); err != nil {
		return err
	}
	r, err := readRecord(a.txn, union, key)
	if err != nil || r == nil || r.Pos != from {
		return err
	}
	moved := *r
	moved.Pos = to
	if err := a.moveKey(keyFeed(union, from), keyFeed(union, to)); err != nil {
		return err
	}
	return a.set(keyRecord(union, key), moved.Encode())
}

// moveHeld moves a held change in its queue, if it still stands there.
func (a *applier) moveHeld(item *LogItem, key syncproto.RecordKey, to syncproto.Position) error {
	if item.Verdict.Kind != syncproto.VerdictHeld {
		return nil
	}
	q, err := a.heldQueue(item.Union, item.Place.Journal, key)
	if err != nil {
		return err
	}
	i := slices.Index(q.Positions, uint64(item.Position))
	if i < 0 {
		return nil
	}
	q.Positions[i] = uint64(to)
	return a.setMessage(keyHeld(item.Union, item.Place.Journal, key), q)
}

// moveDecisions moves what a change decided about held ones.
func (a *applier) moveDecisions(c *syncproto.Change, from, to syncproto.Position) error {
	for _, r := range c.Resolves {
		if r.Field != 0 {
			continue
		}
		d := new(entrypb.Decision)
		ok, err := getMessage(a.txn, keyEnded(r.Dot), d)
		if err != nil {
			return err
		}
		if !ok || d.GetPosition() != uint64(from) {
			continue
		}
		d.Position = uint64(to)
		if err := a.setMessage(keyEnded(r.Dot), d); err != nil {
			return err
		}
	}
	return nil
}

// finishMoving goes on with moves that a crash or a backup found half done.
func (a *applier) finishMoving() error {
	if !a.meta.GetMoving() {
		return nil
	}
	a.resumed = true
	return a.moveLog()
}
