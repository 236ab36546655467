package census

// Records of one union that are the same thing point at each other by same-as. A pointer at
// a record that is absent or void leads nowhere: then the copy stands for itself.

// links is which records of a kind are second copies of which, by number. Few records are.
type links struct {
	to   map[int32]int32   // the record that this one is a second copy of
	from map[int32][]int32 // the records that are second copies of this one
}

func newLinks() links { return links{to: map[int32]int32{}, from: map[int32][]int32{}} }

// target gives the record that n is a second copy of, or none.
func (l *links) target(n int32) int32 {
	if to, ok := l.to[n]; ok {
		return to
	}
	return none
}

// any reports whether n is linked with another record.
func (l *links) any(n int32) bool { return l.target(n) != none || len(l.from[n]) > 0 }

// set sets which record n is a second copy of.
func (l *links) set(n, to int32) {
	old := l.target(n)
	if old == to {
		return
	}
	if old != none {
		if l.from[old] = remove(l.from[old], n); len(l.from[old]) == 0 {
			delete(l.from, old)
		}
		delete(l.to, n)
	}
	if to != none {
		l.to[n] = to
		l.from[to] = append(l.from[to], n)
	}
}

// closure gives all that n is linked with, in either direction, itself first.
func (l *links) closure(n int32) []int32 {
	out := []int32{n}
	if !l.any(n) {
		return out
	}
	seen := map[int32]bool{n: true}
	add := func(x int32) {
		if x != none && !seen[x] {
			seen[x] = true
			out = append(out, x)
		}
	}
	for i := 0; i < len(out); i++ {
		add(l.target(out[i]))
		for _, x := range l.from[out[i]] {
			add(x)
		}
	}
	return out
}

// touch notes that what m says may change: all who are the same as m, and all whose events
// are copies of theirs, are worked out anew.
func (p *people) touch(m int32) {
	for _, n := range p.sameMembers.closure(m) {
		p.touched.add(n)
		for e := range p.eventsOf(n) {
			if p.sameEvents.any(e) {
				p.touchEvent(e)
			}
		}
	}
}

// touchEvent notes that what e says may change.
func (p *people) touchEvent(e int32) {
	for _, n := range p.sameEvents.closure(e) {
		if m := p.events.at(n).member; m != none {
			p.touched.add(m)
		}
	}
}

// rootMember gives the member that speaks for m: the one that m is a copy of in the end, or
// none if m itself does not count.
func (p *people) rootMember(m int32) int32 {
	return root(m, func(n int32) bool { return p.members.at(n).present }, p.sameMembers.target,
		func(a, b int32) bool { return compareID(p.members.at(a).at.id, p.members.at(b).at.id) < 0 })
}

// rootEvent does the same for events. An event of a member that does not count is none.
func (p *people) rootEvent(e int32) int32 {
	return root(e, func(n int32) bool { x := p.events.at(n); return x.present && p.members.at(x.member).present },
		p.sameEvents.target,
		func(a, b int32) bool { return compareID(p.events.at(a).at.id, p.events.at(b).at.id) < 0 })
}

// root follows pointers from n while they lead to what counts. Where they go round, the
// least of those that they go through speaks for all.
func root(n int32, counts func(int32) bool, to func(int32) int32, less func(a, b int32) bool) int32 {
	if !counts(n) {
		return none
	}
	var path []int32
	for {
		for i, x := range path {
			if x == n {
				return least(path[i:], less)
			}
		}
		next := to(n)
		if next == none || !counts(next) {
			return n
		}
		path = append(path, n)
		n = next
	}
}

func least(of []int32, less func(a, b int32) bool) int32 {
	out := of[0]
	for _, x := range of[1:] {
		if less(x, out) {
			out = x
		}
	}
	return out
}
