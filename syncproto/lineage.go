package syncproto

import "slices"

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

// With gives l with the entries of more that it lacks, and whether there were any. l itself
// is not changed.
func (l Lineage) With(more ...Generation) (Lineage, bool) {
	out := slices.Clone(l)
	for _, g := range more {
		if _, ok := out.Find(g.Number, g.Random); !ok {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b Generation) int {
		if a.Number != b.Number {
			return int(a.Number) - int(b.Number)
		}
		if a.Random < b.Random {
			return -1
		}
		return 1 // never equal: Find kept those out
	})
	return out, len(out) > len(l)
}

// Cut gives the newest position at or before p that every later life of the centre kept.
func (l Lineage) Cut(p Position) Position {
	for {
		m := p
		for _, g := range l {
			if g.Number > p.Generation() && g.Base < m {
				m = g.Base
			}
		}
		if m == p {
			return p
		}
		p = m
	}
}

// Holds reports whether every later life of the centre kept position p: what stands there
// need not be sent again.
func (l Lineage) Holds(p Position) bool { return l.Cut(p) == p }
