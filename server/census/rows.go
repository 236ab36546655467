package census

import (
	"slices"
	"strings"
)

// row is one stretch of a person as it is counted.
type row struct {
	Span
	union uint32
	birth Day
	dims  [numCoded]uint8
	state State
}

// change is what one step of following does to the rows and the tree.
type change struct {
	closed   []int32 // rows that were true up to here
	appended []row
	units    map[uint32]unit // the tree's units that changed
}

// settle works out anew all persons whom the records since the last settle concern. next is
// the number that the first appended row will have, rowAt gives a row by its number.
func (p *people) settle(next int32, rowAt func(int32) row) change {
	var c change
	for _, n := range p.move() {
		p.settlePerson(n, &c, next, rowAt)
	}
	if len(p.units.changed) > 0 {
		c.units = make(map[uint32]unit, len(p.units.changed))
		for code := range p.units.changed {
			c.units[code] = p.units.at(code)
		}
		clear(p.units.changed)
	}
	return c
}

// settlePerson compares a person's rows with those that stand: a row that is still true
// stays, another is closed, a new one is appended.
func (p *people) settlePerson(n int32, c *change, next int32, rowAt func(int32) row) {
	want := p.rowsOf(n)
	first := &p.persons.at(n).row
	old := slices.Collect(list(*first, p.nextRow.at))
	*first = none
	stay := func(i int32) {
		for p.nextRow.len() <= i {
			p.nextRow.add(none)
		}
		*p.nextRow.at(i), *first = *first, i
	}
	for _, i := range old {
		if at := slices.Index(want, rowAt(i)); at >= 0 {
			want = slices.Delete(want, at, at+1)
			stay(i)
		} else {
			c.closed = append(c.closed, i)
		}
	}
	for _, r := range want {
		stay(next + int32(len(c.appended)))
		c.appended = append(c.appended, r)
	}
}

// rowsOf works out a person's rows from its records.
func (p *people) rowsOf(n int32) []row {
	var out []row
	var claims []Claim
	roots := p.rootsOf(n)
	for i, g := range roots {
		m := p.members.at(g.root)
		if len(g.events) == 0 {
			out = append(out, row{Span: forever, union: m.at.union, birth: m.birth, dims: m.dims, state: WithoutEvent})
			continue
		}
		life := p.units.at(m.at.union).life
		for _, s := range Timeline(g.events) {
			claims = append(claims, Claim{Stretch: s, Union: p.unions.codes[m.at.union], Record: m.at.id, Life: life, tag: i})
		}
	}
	for _, s := range Settle(claims) {
		m := p.members.at(roots[s.tag].root)
		out = append(out, row{Span: s.Span, union: m.at.union, birth: m.birth, dims: m.dims, state: s.State})
	}
	return out
}

// group is the member records of one union that are the same, with the events of all.
type group struct {
	root   int32
	events []Event
}

// rootsOf gives a person's groups in the order of union code and record.
func (p *people) rootsOf(n int32) []group {
	var out []group
	for m := range p.membersOf(n) {
		r := p.rootMember(m)
		i := slices.IndexFunc(out, func(g group) bool { return g.root == r })
		if i < 0 {
			i = len(out)
			out = append(out, group{root: r})
		}
		for e := range p.eventsOf(m) {
			if p.rootEvent(e) == e {
				out[i].events = append(out[i].events, p.events.at(e).Event)
			}
		}
	}
	slices.SortFunc(out, func(a, b group) int {
		x, y := p.members.at(a.root).at, p.members.at(b.root).at
		if c := strings.Compare(p.unions.codes[x.union], p.unions.codes[y.union]); c != 0 {
			return c
		}
		return compareID(x.id, y.id)
	})
	return out
}
