package ledger

import (
	"bytes"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// A run of changes writes the digest of its union and the tips of its journal again and again.
// They are kept here and written once, before the transaction ends ([applier.flush]) or another
// union or journal has its turn. Whoever reads them in a transaction does so here.

// pendingDigest is a union's digest.
type pendingDigest struct {
	union   string // "": none
	value   syncproto.Hash
	changed bool
}

// pendingTips are a journal's tips.
type pendingTips struct {
	union   string
	journal syncproto.JournalID
	value   *entrypb.Tips // nil: none
	changed bool
}

// digested takes a record's hash out of its union's digest and another one in.
func (a *applier) digested(union string, was, is syncproto.Hash) error {
	if was == is {
		return nil
	}
	if a.sum.union != union {
		if err := a.flushDigest(); err != nil {
			return err
		}
		d, err := readDigest(a.txn, union)
		if err != nil {
			return err
		}
		a.sum = pendingDigest{union: union, value: d}
	}
	a.sum.value, a.sum.changed = merge.Xor(merge.Xor(a.sum.value, was), is), true
	return nil
}

// tipsOf gives a journal's tips; they may be changed, and are written if a.tips.changed is
// set before another call.
func (a *applier) tipsOf(union string, j syncproto.JournalID) (*entrypb.Tips, error) {
	if a.tips.value != nil && a.tips.union == union && a.tips.journal == j {
		return a.tips.value, nil
	}
	if err := a.flushTips(); err != nil {
		return nil, err
	}
	t := new(entrypb.Tips)
	if _, err := getMessage(a.txn, keyTips(union, j), t); err != nil {
		return nil, err
	}
	a.tips = pendingTips{union: union, journal: j, value: t}
	return t, nil
}

// flush writes what is kept back. It must stand before every commit.
func (a *applier) flush() error {
	if err := a.flushDigest(); err != nil {
		return err
	}
	return a.flushTips()
}

func (a *applier) flushDigest() error {
	if !a.sum.changed {
		return nil
	}
	a.sum.changed = false
	// The transaction keeps what it is given until it ends, and a.sum is another union's soon.
	return a.set(keyDigest(a.sum.union), bytes.Clone(a.sum.value[:]))
}

func (a *applier) flushTips() error {
	if !a.tips.changed {
		return nil
	}
	a.tips.changed = false
	return a.setMessage(keyTips(a.tips.union, a.tips.journal), a.tips.value)
}
