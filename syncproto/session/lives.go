package session

import (
	"fmt"
	"slices"

	"unionsync/syncproto"
)

// lives takes in what the response tells of the centre's lives, and reports whether it
// answers in the newest one that is known then. An answer of an earlier one is of no use:
// it came late, or the centre was restored without knowing of the newest and is told.
func (t *taker) lives() (current bool, err error) {
	var more syncproto.Lineage
	for _, g := range t.r.GetGenerations() {
		if g.GetNumber() == 0 || g.GetNumber() > 0xffff {
			return false, syncproto.Fail(syncproto.CodeAnswer, "take generation", fmt.Errorf("number %d", g.GetNumber()))
		}
		life := syncproto.Generation{
			Number: uint16(g.GetNumber()), Random: g.GetRandom(), Base: syncproto.Position(g.GetBase()),
			Operator: g.GetOperator(), Reason: g.GetReason(), Signature: g.GetSignature(),
		}
		if err := t.env.VerifyLife(life); err != nil {
			return false, syncproto.Fail(syncproto.CodeAnswer, "take generation", err)
		}
		more = append(more, life)
	}
	lineage, grew := t.s.Lineage.With(more...)
	at := t.r.GetGeneration()
	newest := lineage.Newest()
	if at != nil && (at.GetNumber() != uint32(newest.Number) || at.GetRandom() != newest.Random) || t.stranger(more) {
		t.s.Return = true
		return false, nil
	}
	t.s.Return = false
	if !grew {
		return true, nil
	}
	before := t.s.Lineage.Newest()
	t.s.Lineage, t.u.Generations = lineage, lineage
	return true, t.learn(before)
}

// stranger reports whether the centre that answered does not know the life that the request
// named, when it answers with its list and nothing else, or the newest one that is known by
// now: a bundle's answer may be of a request made long before. Its own life may have the same
// number, or a higher one: what both then gave at one position is not the same change. An
// agent that names none knows none.
func (t *taker) stranger(lives syncproto.Lineage) bool {
	if len(lives) == 0 {
		return false
	}
	unknown := func(g syncproto.Generation) bool {
		_, ok := lives.Find(g.Number, g.Random)
		return g.Number > 0 && !ok
	}
	return unknown(t.s.Lineage.Newest()) || t.r.GetPage() == nil && unknown(t.sent.Life)
}

func (t *taker) learn(before syncproto.Generation) error {
	t.s.Proved = Proof{}
	t.s.Refetch = false
	t.s.Tip, t.s.FromZero, t.s.Forked = syncproto.Place{}, false, false
	t.s.Round = Round{Refill: true, Waits: true}
	return t.s.Align(before, t.j, t.layer)
}

// Align brings records and state that were stored in an earlier life of the centre in step
// with the lineage. It goes back to what every later life kept: the feed is read again from
// the end of the last complete fetch there, what stands above it in the layer has to be
// confirmed, and what was answered above it has to be sent again, in the order of the old
// positions. Life is the newest that was known when they were stored; of the newest there is
// nothing changes. A driver calls it when it has made the layer again from an older base.
func (s *State) Align(life syncproto.Generation, j Journal, l Layer) error {
	if now := s.Lineage.Newest(); now.Number == life.Number && now.Random == life.Random {
		return nil
	}
	// Amid pages the cursor says nothing about records that a later life has further back.
	s.Whole = s.Lineage.Cut(s.Whole, life.Number)
	s.Cursor = s.Whole
	keys, err := l.Keys()
	if err != nil {
		return fmt.Errorf("read layer: %w", err)
	}
	for _, k := range keys {
		r, err := l.Record(k)
		if err != nil {
			return fmt.Errorf("read layer: %w", err)
		}
		if r != nil && !s.Lineage.Holds(r.Pos) && !slices.Contains(s.Confirms, k) {
			s.Confirms = append(s.Confirms, k)
		}
	}
	if s.Receipt, err = j.Receipt(s.Lineage); err != nil {
		return fmt.Errorf("find newest receipt: %w", err)
	}
	for s.Answered > 0 {
		v, ok, err := j.Verdict(s.Answered)
		if err != nil {
			return fmt.Errorf("read verdict: %w", err)
		}
		if ok && s.Lineage.Holds(v.Position) {
			break
		}
		s.Answered--
	}
	s.Settled = min(s.Settled, s.Answered)
	return nil
}
