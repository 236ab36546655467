package syncproto

import (
	"cmp"
	"slices"
)

// Lineage is every life of the centre that somebody knows of, ascending by number. Two of
// the same number are possible when a restore did not know of the other.
type Lineage []Generation

// Newest is the life of the centre with the highest number; the zero Generation if none.
func (l Lineage) Newest() Generation {
	if len(l) == 0 {
		return Generation{}
	}
	return l[len(l)-1]
}

// Find reports whether l has the entry of this number and random bits.
func (l Lineage) Find(number uint16, random uint64) (Generation, bool) {
	for _, g := range l {
		if g.Number == number && g.Random == random {
			return g, true
		}
	}
	return Generation{}, false
}

// With gives l with the entries of more that it lacks, and whether there were any. An entry
// that was known by its name alone is filled in. l itself is not changed.
func (l Lineage) With(more ...Generation) (Lineage, bool) {
	out := slices.Clone(l)
	for _, g := range more {
		at := slices.IndexFunc(out, func(o Generation) bool { return o.Number == g.Number && o.Random == g.Random })
		if at < 0 {
			out = append(out, g)
		} else if len(out[at].Signature) == 0 {
			out[at] = g
		}
	}
	slices.SortFunc(out, func(a, b Generation) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Random, b.Random))
	})
	return out, len(out) > len(l)
}

// history is what the log of one life consists of: for each life that it goes back to the
// last position taken over from there. Where an entry is not known it ends.
func (l Lineage) history(number uint16) map[uint16]Position {
	return l.historyTo(MakePosition(number, MaxPositionCount))
}

// historyTo is history of a log up to a position.
func (l Lineage) historyTo(end Position) map[uint16]Position {
	out := l.before(end)
	out[end.Generation()] = end
	return out
}

// before is what the life that gave position end had taken over. Of two lives with its number
// nobody can tell which one it was: then it is what both had.
func (l Lineage) before(end Position) map[uint16]Position {
	var out map[uint16]Position
	for _, g := range l {
		if g.Number != end.Generation() {
			continue
		}
		one := map[uint16]Position{}
		if g.Base > 0 && g.Base < end {
			one = l.historyTo(g.Base)
		}
		if out == nil {
			out = one
		} else {
			out = both(out, one)
		}
	}
	if out == nil {
		return map[uint16]Position{}
	}
	return out
}

// both is what two histories share, life by life.
func both(a, b map[uint16]Position) map[uint16]Position {
	out := map[uint16]Position{}
	for generation, end := range a {
		if other, ok := b[generation]; ok {
			out[generation] = min(end, other)
		}
	}
	return out
}

// Holds reports whether the newest life has position p: what stands there need not be sent
// again. No position is given twice, so it is the same change in every life that has it.
// Nothing is known to be lost of a life that is newer than any known here.
func (l Lineage) Holds(p Position) bool {
	if p.Generation() > l.Newest().Number {
		return true
	}
	end, ok := l.history(l.Newest().Number)[p.Generation()]
	return ok && p <= end
}

// Before reports whether the life that gave position at had p at or before it.
func (l Lineage) Before(p, at Position) bool {
	end, ok := l.history(at.Generation())[p.Generation()]
	return ok && p <= at && p <= end
}

// Cut gives the newest position at or before p, which the life of this number had, that the
// newest life has too: up to there both logs are the same.
func (l Lineage) Cut(p Position, number uint16) Position {
	if l.Holds(p) {
		return p
	}
	return shared(upTo(l.history(number), p), l.history(l.Newest().Number))
}

// Common gives the newest position that a log which ends at p and one which ends at q both
// have, such as two backups: up to there they are the same.
func (l Lineage) Common(p, q Position) Position {
	return shared(upTo(l.history(p.Generation()), p), upTo(l.history(q.Generation()), q))
}

// upTo cuts a history off at a position.
func upTo(history map[uint16]Position, p Position) map[uint16]Position {
	for generation, end := range history {
		history[generation] = min(end, p)
	}
	return history
}

// shared gives the newest position that two histories have.
func shared(a, b map[uint16]Position) Position { return newest(both(a, b)) }

func newest(history map[uint16]Position) (best Position) {
	for _, end := range history { // the greatest: in any order
		best = max(best, end)
	}
	return best
}

// Certain gives the last position that a log up to head, of these lives, surely is of. A number
// that all, which l may not know of, gave to two lives is not certain: the same positions were
// given twice, and of such a life nothing counts.
func (l Lineage) Certain(head Position, all Lineage) Position {
	base := head
	for _, x := range l {
		last := l.Common(head, MakePosition(x.Number, MaxPositionCount))
		twins := 0
		for _, g := range all {
			if g.Number == x.Number {
				twins++
			}
		}
		if last.Generation() == x.Number && last > x.Base && twins > 1 {
			base = min(base, x.Base)
		}
	}
	return base
}

// Beside gives the newest position that the newest life of l, up to head, has in common with
// all of others, which l does not know: where a further life goes on from. Of a life whose
// number is also one of others it takes nothing, for then the same positions were given twice.
func (l Lineage) Beside(head Position, others ...Generation) Position {
	own := l.history(l.Newest().Number)
	all, _ := l.With(others...)
	base := head
	for _, g := range others {
		base = min(base, shared(own, all.historyTo(g.Base)))
		if own[g.Number] != 0 {
			base = min(base, newest(l.before(own[g.Number])))
		}
	}
	return base
}
