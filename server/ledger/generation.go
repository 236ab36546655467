package ledger

import (
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// Generation gives the form that sessions and signatures use of a stored entry.
func Generation(g *entrypb.Generation) syncproto.Generation {
	return syncproto.Generation{
		Number: uint16(g.GetNumber()), Random: g.GetRandom(), Base: syncproto.Position(g.GetBase()),
		Operator: g.GetOperator(), Reason: g.GetReason(), Signature: g.GetSignature(),
	}
}

// newGeneration begins another life of the centre: positions go on in it from 1, and what
// stands above its base is the first to get them (see moveLog). Refused, as a result that
// all replicas come to alike, is a number that is not above every number known, or a base
// that this state does not have.
func (a *applier) newGeneration(n *entrypb.NewGeneration) (any, error) {
	a.raiseTime(n.GetTime())
	next := n.GetNext()
	if newest := a.lineage.Newest(); a.resumed && next.GetNumber() == uint32(newest.Number) && next.GetRandom() == newest.Random {
		return nil, nil // this entry, which a crash had cut
	}
	known := a.lineage
	for _, g := range n.GetLearned() {
		known, _ = known.With(Generation(g))
	}
	number, base := next.GetNumber(), syncproto.Position(next.GetBase())
	if number > math.MaxUint16 || number <= uint32(known.Newest().Number) || !a.has(base) {
		return syncproto.Fail(syncproto.CodeGenerationNumber, "begin generation",
			fmt.Errorf("number %d with base %s, newest known %d, head %s", number, base, known.Newest().Number, headOf(a.meta))), nil
	}
	if err := a.voidCodes(); err != nil { // first: it may cut the entry, which then comes again whole
		return nil, err
	}
	if err := a.beginLife(n); err != nil {
		return nil, err
	}
	a.reload = true
	return nil, a.moveLog()
}

// has reports whether the log goes up to a position, or went past it in one of the lives
// that it goes back to.
func (a *applier) has(p syncproto.Position) bool {
	return p == 0 || p <= headOf(a.meta) && a.lineage.Holds(p)
}

// beginLife writes a life's entry and what was learned, in one transaction with the mark
// that says that moves may be still to come.
func (a *applier) beginLife(n *entrypb.NewGeneration) error {
	for _, g := range n.GetLearned() {
		if err := a.learn(g); err != nil {
			return err
		}
	}
	next := proto.CloneOf(n.GetNext())
	next.Time = a.meta.GetTime()
	if err := a.setMessage(keyGeneration(uint16(next.GetNumber())), next); err != nil {
		return err
	}
	if err := a.findAgain(syncproto.Position(next.GetBase())); err != nil {
		return err
	}
	a.meta.Generation, a.meta.Count, a.meta.Moving = next.GetNumber(), 0, true
	if id := n.GetLogId(); len(id) > 0 {
		a.meta.LogId = id
	}
	return nil
}

// findAgain takes back the note up to where rules were worked out to a position: what moves
// from above it will be looked at again.
func (a *applier) findAgain(p syncproto.Position) error {
	b, err := getBytes(a.txn, []byte{keyFound})
	if err != nil || b == nil {
		return err
	}
	if was, err := decodePosition(b); err != nil || was <= p {
		return err
	}
	return a.set([]byte{keyFound}, encodePosition(p))
}

// learn stores an entry of a life that this state did not know, beside those of its own.
func (a *applier) learn(g *entrypb.Generation) error {
	if g.GetNumber() == 0 || g.GetNumber() > math.MaxUint16 {
		return nil // none of ours: the gate lets none through that is not signed
	}
	if _, ok := a.lineage.Find(uint16(g.GetNumber()), g.GetRandom()); ok {
		return nil
	}
	return a.setMessage(keyLearned(uint16(g.GetNumber()), g.GetRandom()), g)
}

// watermark notes up to where every backup that is still offered has this log. The backups
// may be of another branch: then it is where the two part.
func (a *applier) watermark(w *entrypb.Watermark) {
	a.raiseTime(w.GetTime())
	a.meta.Watermark = uint64(a.lineage.Common(syncproto.Position(w.GetPosition()), headOf(a.meta)))
}

// Generations gives the entries of every life of the centre that is known, ascending.
func (l *Ledger) Generations() ([]*entrypb.Generation, error) {
	r := l.read()
	defer r.done()
	return readGenerations(r.txn)
}

func readGenerations(txn *badger.Txn) ([]*entrypb.Generation, error) {
	var out []*entrypb.Generation
	err := eachMessage(txn, []byte{prefixGen}, func(_, v []byte) error {
		g := new(entrypb.Generation)
		out = append(out, g)
		if err := proto.Unmarshal(v, g); err != nil {
			return fmt.Errorf("read generation: %w", err)
		}
		return nil
	})
	return out, err
}

func loadLineage(txn *badger.Txn) (syncproto.Lineage, error) {
	all, err := readGenerations(txn)
	if err != nil {
		return nil, err
	}
	var l syncproto.Lineage
	for _, g := range all {
		l, _ = l.With(Generation(g))
	}
	return l, nil
}

// Lineage is every life of the centre that this state knows. It fails with
// [syncproto.CodeNotReady] before genesis.
func (l *Ledger) Lineage() (syncproto.Lineage, error) {
	if lives := l.lives(); len(lives) > 0 {
		return lives, nil
	}
	return nil, syncproto.Fail(syncproto.CodeNotReady, "read lineage", nil, "seconds", "5")
}

func (l *Ledger) lives() syncproto.Lineage {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.lineage
}

// Watermark is the position of this log up to which every backup that is still offered has it.
func (l *Ledger) Watermark() syncproto.Position {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return syncproto.Position(l.meta.GetWatermark())
}

// IsStaffJournal reports whether j is the journal of staff to a union, in any of the lives.
func IsStaffJournal(lives syncproto.Lineage, union string, j syncproto.JournalID) bool {
	for _, g := range lives {
		if StaffJournal(union, g.Random) == j {
			return true
		}
	}
	return false
}
