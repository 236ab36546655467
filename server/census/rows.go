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
	var keep []int32
	for _, old := range p.persons[n].rows {
		if i := slices.Index(want, rowAt(old)); i >= 0 {
			want = slices.Delete(want, i, i+1)
			keep = append(keep, old)
		} else {
			c.closed = append(c.closed, old)
		}
	}
	for _, r := range want {
		keep = append(keep, next+int32(len(c.appended)))
		c.appended = append(c.appended, r)
	}
	p.persons[n].rows = keep
}

// rowsOf works out a person's rows from its records.
func (p *people) rowsOf(n int32) []row {
	var out []row
	var claims []Claim
	roots := p.rootsOf(n)
	for i, g := range roots {
		m := &p.members[g.root]
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
		m := &p.members[roots[s.tag].root]
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
	for _, m := range p.persons[n].members {
		r := p.rootMember(m)
		i := slices.IndexFunc(out, func(g group) bool { return g.root == r })
		if i < 0 {
			i = len(out)
			out = append(out, group{root: r})
		}
		for _, e := range p.members[m].events {
			if p.rootEvent(e) == e {
				out[i].events = append(out[i].events, p.events[e].Event)
			}
		}
	}
	slices.SortFunc(out, func(a, b group) int {
		x, y := p.members[a.root].at, p.members[b.root].at
		if c := strings.Compare(p.unions.codes[x.union], p.unions.codes[y.union]); c != 0 {
			return c
		}
		return compareID(x.id, y.id)
	})
	return out
}
