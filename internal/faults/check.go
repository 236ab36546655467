package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"unionsync/syncproto"
)

// checkPatience bounds the check of one journal; what takes longer counts as a violation,
// since nobody knows.
const checkPatience = 2 * time.Minute

// move is an operation on a journal: its next place, or a look at the newest one.
type move struct {
	write bool
	seq   uint64 // of a write
}

// register is a journal as the centre promises it: each place follows the one before, and a
// look sees the newest.
var register = porcupine.Model{
	Init: func() any { return uint64(0) },
	Step: func(state, input, output any) (bool, any) {
		at, in := state.(uint64), input.(move)
		if in.write {
			return in.seq == at+1, in.seq
		}
		return output.(uint64) == at, at
	},
	DescribeOperation: func(input, output any) string {
		if in := input.(move); in.write {
			return fmt.Sprintf("place %d", in.seq)
		}
		return fmt.Sprintf("tip is %d", output)
	},
}

// operations gives a journal's history as porcupine reads it.
func (j *journal) operations() []porcupine.Operation {
	ops := make([]porcupine.Operation, 0, len(j.places)+len(j.reads))
	for i, p := range j.places {
		ops = append(ops, porcupine.Operation{ClientId: 0, Input: move{write: true, seq: uint64(i) + 1}, Call: int64(p.sent), Return: int64(p.covered)})
	}
	for _, r := range j.reads {
		ops = append(ops, porcupine.Operation{ClientId: 1, Input: move{}, Output: r.seq, Call: int64(r.call), Return: int64(r.end)})
	}
	return ops
}

// violations checks all journals, and gives what was found while the history was made too.
func (h *history) violations(patience time.Duration) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := slices.Clone(h.broken)
	for id, j := range h.journals {
		switch porcupine.CheckOperationsTimeout(register, j.operations(), patience) {
		case porcupine.Ok:
		case porcupine.Illegal:
			out = append(out, fmt.Sprintf("journal %x of %s is not linearizable: %d places, %d looks", uint64(id), j.union, len(j.places), len(j.reads)))
		default:
			out = append(out, fmt.Sprintf("journal %x of %s: the check did not end in %v", uint64(id), j.union, patience))
		}
	}
	return out
}

// state is what is looked at in a node's store.
type state interface {
	// Find gives the position of a place; false: it is not there under this hash.
	Find(union string, j syncproto.JournalID, seq uint64, hash []byte) (syncproto.Position, bool, error)
	// Each gives all places in the order of their positions.
	Each(do func(j syncproto.JournalID, seq uint64) error) error
}

// honoured gives what a state breaks of the receipts: how many of them, and words about all.
func (h *history) honoured(node string, s state) (broken int, words []string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, j := range h.journals {
		for _, r := range j.receipts {
			at, ok, err := s.Find(j.union, id, r.seq, r.hash)
			switch {
			case err != nil:
				return broken, words, err
			case !ok:
				words = append(words, fmt.Sprintf("%s has not place %d of journal %x of %s, receipt at %s", node, r.seq, uint64(id), j.union, r.position))
			case at != r.position:
				words = append(words, fmt.Sprintf("%s has place %d of journal %x of %s at %s, receipt at %s", node, r.seq, uint64(id), j.union, at, r.position))
			default:
				continue
			}
			broken++
		}
	}
	gaps, err := h.gaps(node, s)
	return broken, append(words, gaps...), err
}

// gaps looks for places that are missing, stand twice, or were never sent.
func (h *history) gaps(node string, s state) (words []string, err error) {
	next := map[syncproto.JournalID]uint64{}
	err = s.Each(func(j syncproto.JournalID, seq uint64) error {
		if want := next[j] + 1; seq != want {
			words = append(words, fmt.Sprintf("%s: place %d of journal %x stands where place %d should", node, seq, uint64(j), want))
			return io.EOF
		}
		next[j] = seq
		return nil
	})
	if errors.Is(err, io.EOF) {
		err = nil
	}
	for id, j := range h.journals {
		if err == nil && len(words) == 0 && (next[id] < j.newest.seq || next[id] > uint64(len(j.places))) {
			words = append(words, fmt.Sprintf("%s has %d places of journal %x of %s; %d were sent, %d have a receipt", node, next[id], uint64(id), j.union, len(j.places), j.newest.seq))
		}
	}
	return words, err
}
