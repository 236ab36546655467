package census

// Records of one union that are the same thing point at each other by same-as. A pointer at
// a record that is absent or void leads nowhere: then the copy stands for itself.

// linkMember sets which member m is a second copy of.
func (p *people) linkMember(m, to int32) {
	relink(m, to, func(n int32) *link { return &p.members[n].link })
}

// linkEvent sets which event e is a second copy of.
func (p *people) linkEvent(e, to int32) {
	relink(e, to, func(n int32) *link { return &p.events[n].link })
}

func relink(n, to int32, at func(int32) *link) {
	l := at(n)
	if l.to == to {
		return
	}
	if l.to != none {
		old := at(l.to)
		old.from = remove(old.from, n)
	}
	if l.to = to; to != none {
		target := at(to)
		target.from = append(target.from, n)
	}
}

// touch notes that what m says may change: all who are the same as m, and all whose events
// are copies of theirs, are worked out anew.
func (p *people) touch(m int32) {
	for _, n := range closure(m, func(n int32) *link { return &p.members[n].link }) {
		p.touched[n] = true
		for _, e := range p.members[n].events {
			if l := &p.events[e].link; l.to != none || len(l.from) > 0 {
				p.touchEvent(e)
			}
		}
	}
}

// touchEvent notes that what e says may change.
func (p *people) touchEvent(e int32) {
	for _, n := range closure(e, func(n int32) *link { return &p.events[n].link }) {
		if m := p.events[n].member; m != none {
			p.touched[m] = true
		}
	}
}

// closure gives all that n is linked with, in either direction, itself first.
func closure(n int32, at func(int32) *link) []int32 {
	l := at(n)
	if l.to == none && len(l.from) == 0 {
		return []int32{n}
	}
	out, seen := []int32{n}, map[int32]bool{n: true}
	add := func(x int32) {
		if x != none && !seen[x] {
			seen[x] = true
			out = append(out, x)
		}
	}
	for i := 0; i < len(out); i++ {
		l := at(out[i])
		add(l.to)
		for _, x := range l.from {
			add(x)
		}
	}
	return out
}

// rootMember gives the member that speaks for m: the one that m is a copy of in the end, or
// none if m itself does not count.
func (p *people) rootMember(m int32) int32 {
	return root(m, func(n int32) bool { return p.members[n].present },
		func(n int32) int32 { return p.members[n].link.to },
		func(a, b int32) bool { return compareID(p.members[a].at.id, p.members[b].at.id) < 0 })
}

// rootEvent does the same for events. An event of a member that does not count is none.
func (p *people) rootEvent(e int32) int32 {
	return root(e, func(n int32) bool { x := &p.events[n]; return x.present && p.members[x.member].present },
		func(n int32) int32 { return p.events[n].link.to },
		func(a, b int32) bool { return compareID(p.events[a].at.id, p.events[b].at.id) < 0 })
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
