package census

import (
	"slices"
	"sort"
	"strings"

	"unionsync/syncproto"
)

// book is what readers see: rows, the tree and the steps so far. The follower alone writes
// it, under [Census.mu].
type book struct {
	rows   table
	codes  []string           // union codes by number
	sorted []uint32           // the numbers in the order of their codes
	tree   [][]place          // by union number, oldest first
	steps  []step             // by epoch
	head   syncproto.Position // everything up to here is in
}

// place is a union's unit from a step on.
type place struct {
	since epoch
	unit  unit
}

// step is one step of following that changed something: records of positions above after
// and up to head became known at once.
type step struct{ after, head syncproto.Position }

// turn applies a change that the records above b.head and up to head make.
func (b *book) turn(c change, codes []string, head syncproto.Position) {
	b.learn(codes)
	if len(b.steps) == 0 || len(c.closed)+len(c.appended)+len(c.units) > 0 || head.Generation() != b.head.Generation() {
		now := epoch(len(b.steps))
		for _, i := range c.closed {
			b.rows.close(i, now)
		}
		for _, r := range c.appended {
			b.rows.append(r, now)
		}
		for code, u := range c.units {
			b.tree[code] = append(b.tree[code], place{now, u})
		}
		b.steps = append(b.steps, step{b.head, head})
	}
	b.head = head
}

// learn takes the union codes that are known now; those known before keep their numbers.
func (b *book) learn(codes []string) {
	if len(codes) == len(b.codes) {
		return
	}
	b.codes = codes[:len(codes):len(codes)]
	b.sorted = make([]uint32, len(codes))
	for n := range b.sorted {
		b.sorted[n] = uint32(n)
	}
	slices.SortFunc(b.sorted, func(x, y uint32) int { return strings.Compare(codes[x], codes[y]) })
	b.tree = append(b.tree, make([][]place, len(codes)-len(b.tree))...)
}

// knownAt gives the epoch of position p, zero meaning the newest, and the position whose
// knowledge that is.
func (b *book) knownAt(p syncproto.Position) (epoch, syncproto.Position, error) {
	last := len(b.steps) - 1
	if p == 0 || p == b.head {
		return epoch(last), b.head, nil
	}
	const op = "count"
	if p < b.steps[0].head {
		return 0, 0, syncproto.Fail(syncproto.CodeCountTooOld, op, nil, "known", p.String(), "first", b.steps[0].head.String())
	}
	if p > b.head {
		return 0, 0, syncproto.Fail(syncproto.CodeCountAhead, op, nil, "known", p.String(), "head", b.head.String())
	}
	i := sort.Search(len(b.steps), func(i int) bool { return b.steps[i].head > p }) - 1
	if i == last || p <= b.steps[i+1].after {
		return epoch(i), p, nil // nothing changed between the step and p
	}
	// p lies inside the next step. What was known then is known as of the step's beginning,
	// unless a generation began inside: then p may never have been, or have been undone.
	if next := b.steps[i+1]; next.after.Generation() != next.head.Generation() {
		return 0, 0, syncproto.Fail(syncproto.CodeCountLost, op, nil, "known", p.String())
	}
	return epoch(i), b.steps[i+1].after, nil
}

// unitAt gives a union's unit as known at k.
func (b *book) unitAt(union uint32, k epoch) unit {
	places := b.tree[union]
	for i := len(places) - 1; i >= 0; i-- { // a union moves rarely
		if places[i].since <= k {
			return places[i].unit
		}
	}
	return unit{life: forever, parent: union}
}

// countyAt gives the county of a union: its own or that of the nearest unit above it.
func (b *book) countyAt(union uint32, k epoch) uint8 {
	const deepest = 16 // a tree of which each unit is above itself ends here
	for range deepest {
		u := b.unitAt(union, k)
		if u.county != noCode || u.parent == union {
			return u.county
		}
		union = u.parent
	}
	return noCode
}

// unionNumber finds a union by its code.
func (b *book) unionNumber(code string) (uint32, bool) {
	i, ok := slices.BinarySearchFunc(b.sorted, code, func(n uint32, code string) int { return strings.Compare(b.codes[n], code) })
	if !ok {
		return 0, false
	}
	return b.sorted[i], true
}
