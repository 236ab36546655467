package census

import (
	"iter"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// people is what the records say, linked: members and their events, members and events that
// are the same as others, the persons that members belong to. It is owned by the goroutine
// that follows the source. Everything that it says of a person follows from the set of
// records that stand now.
//
// put takes a record; settle then works out anew the persons whom the records put since the
// last settle concern.
//
// A city has 1.3 million of each: what is kept of one is small and without pointers, lists
// go through the values themselves (the first in the one that has the list, the next in each).
type people struct {
	schema *schema
	ids    *identities
	unions *interner

	members  pool[member]
	memberAt *index[recordAt]
	events   pool[event]
	eventAt  *index[recordAt]
	persons  pool[person]
	personAt *index[personKey]
	nextRow  pool[int32] // by a row's number: the next row of the same person that stands
	units    *units
	inUnion  [][]int32 // members of a union, by the union's number

	sameMembers, sameEvents links

	touched marks // members whose person must be worked out anew
	dirty   marks // persons, while they are
}

// recordAt names a record of one kind.
type recordAt struct {
	union uint32
	id    syncproto.RecordID
}

// none is the number of no member, event, person or row.
const none int32 = -1

// member is what the census keeps of a member record; one that is only referred to is absent.
type member struct {
	at      recordAt
	present bool // it has come, not all of it held, and is not void
	dims    [numCoded]uint8
	birth   Day   // Always if unknown
	own     int32 // the person of its document
	person  int32 // the person that it belongs to
	next    int32 // of the same person
	event   int32 // the first of its events
}

// event is what the census keeps of an event record; one that is only referred to is absent.
type event struct {
	at      recordAt
	present bool // it has come, is not void, and has a kind and a day
	Event
	member int32
	next   int32 // of the same member
}

// person is the members who are one person, and its rows that stand.
type person struct {
	key    personKey
	member int32 // the first of its members
	row    int32 // the first of its rows
}

func newPeople(s *schema, key []byte) *people {
	p := &people{
		schema: s, ids: newIdentities(key, s.citizen), unions: newInterner(), units: newUnits(),
		sameMembers: newLinks(), sameEvents: newLinks(),
	}
	p.memberAt = newIndex(func(n int32) recordAt { return p.members.at(n).at })
	p.eventAt = newIndex(func(n int32) recordAt { return p.events.at(n).at })
	p.personAt = newIndex(func(n int32) personKey { return p.persons.at(n).key })
	return p
}

// put takes a record as it stands now. It keeps nothing of r's memory.
func (p *people) put(union string, key syncproto.RecordKey, r *merge.Record) {
	at := recordAt{p.unions.number(union), key.ID}
	switch key.Kind {
	case p.schema.member:
		p.putMember(at, union, r)
	case p.schema.event:
		p.putEvent(at, r)
	case p.schema.unit:
		if union == syncproto.CityUnion {
			p.putUnit(key.ID, r)
		}
	}
}

func (p *people) putMember(at recordAt, union string, r *merge.Record) {
	s, m := p.schema, p.memberOf(at)
	x := p.members.at(m)
	x.present = len(r.Fields) > 0 && !r.Void() // without fields: all that came of it is held
	for i, f := range s.coded {
		v, _ := r.Value(f)
		x.dims[i] = s.words[i].number(v)
	}
	x.birth = Always
	if v, ok := r.Value(s.birth); ok {
		if d, ok := recordDay(v); ok {
			x.birth = d
		}
	}
	docType := r.Text(s.idType)
	if docType == "" {
		docType = s.defaultType
	}
	x.own = p.personOf(p.ids.key(union, at.id, docType, r.Text(s.idNo)))
	p.sameMembers.set(m, p.target(r, at, p.memberOf))
	p.touch(m)
}

func (p *people) putEvent(at recordAt, r *merge.Record) {
	s, e := p.schema, p.eventOf(at)
	p.touchEvent(e)
	ev, usable := readEvent(s, r)
	m := none
	if id, ok := recordID(r, s.eventMember); ok {
		m = p.memberOf(recordAt{at.union, id})
	}
	x := p.events.at(e)
	x.Event, x.present = ev, usable && m != none && !r.Void()
	if x.member != m {
		p.dropEvent(x.member, e)
		if x.member = m; m != none {
			of := p.members.at(m)
			x.next, of.event = of.event, e
		}
	}
	p.sameEvents.set(e, p.target(r, at, p.eventOf))
	p.touchEvent(e)
}

// readEvent reads what happened and when; usable is false for what the census cannot place.
func readEvent(s *schema, r *merge.Record) (e Event, usable bool) {
	date, _ := r.Value(s.eventDate)
	day, dated := recordDay(date)
	code := r.Text(s.eventType)
	known := len(code) == 1 && code[0] >= '0'+byte(EventJoin) && code[0] <= '0'+byte(EventRestore)
	if !dated || !known {
		return Event{}, false
	}
	_, inside := r.Value(s.destination)
	return Event{Day: day, Kind: EventKind(code[0] - '0'), Inside: inside}, true
}

// target reads which record of the same union r is a second copy of, or none.
func (p *people) target(r *merge.Record, at recordAt, of func(recordAt) int32) int32 {
	if id, ok := recordID(r, syncproto.FieldSameAs); ok && !r.Void() {
		return of(recordAt{at.union, id})
	}
	return none
}

func recordID(r *merge.Record, f syncproto.FieldNumber) (id syncproto.RecordID, ok bool) {
	v, ok := r.Value(f)
	if !ok || len(v) != len(id) {
		return id, false
	}
	return syncproto.RecordID(v), true
}

// memberOf gives the number of a member record, an absent one if it has not come.
func (p *people) memberOf(at recordAt) int32 {
	m := p.memberAt.find(at)
	if m == none {
		m = p.members.add(member{at: at, birth: Always, own: none, person: none, next: none, event: none})
		p.memberAt.add(m)
		for len(p.inUnion) <= int(at.union) {
			p.inUnion = append(p.inUnion, nil)
		}
		p.inUnion[at.union] = append(p.inUnion[at.union], m)
	}
	return m
}

func (p *people) eventOf(at recordAt) int32 {
	e := p.eventAt.find(at)
	if e == none {
		e = p.events.add(event{at: at, member: none, next: none})
		p.eventAt.add(e)
	}
	return e
}

func (p *people) personOf(key personKey) int32 {
	n := p.personAt.find(key)
	if n == none {
		n = p.persons.add(person{key: key, member: none, row: none})
		p.personAt.add(n)
	}
	return n
}

// eventsOf gives a member's events, in any order.
func (p *people) eventsOf(m int32) iter.Seq[int32] {
	return list(p.members.at(m).event, func(e int32) *int32 { return &p.events.at(e).next })
}

// membersOf gives a person's members, in any order.
func (p *people) membersOf(n int32) iter.Seq[int32] {
	return list(p.persons.at(n).member, func(m int32) *int32 { return &p.members.at(m).next })
}

// dropEvent takes an event out of its member's list; m may be none.
func (p *people) dropEvent(m, e int32) {
	if m != none {
		unlist(&p.members.at(m).event, e, func(e int32) *int32 { return &p.events.at(e).next })
	}
}

// dropMember takes a member out of its person's list; n may be none.
func (p *people) dropMember(n, m int32) {
	if n != none {
		unlist(&p.persons.at(n).member, m, func(m int32) *int32 { return &p.members.at(m).next })
	}
}

// move gives the persons whom the touched members belonged to and belong to now, in order,
// and forgets what was touched.
func (p *people) move() []int32 {
	for _, m := range p.touched.take() {
		x, to := p.members.at(m), none
		if root := p.rootMember(m); root != none {
			to = p.members.at(root).own
		}
		for _, n := range []int32{x.person, to} {
			if n != none {
				p.dirty.add(n)
			}
		}
		if x.person == to {
			continue
		}
		p.dropMember(x.person, m)
		if x.person = to; to != none {
			of := p.persons.at(to)
			x.next, of.member = of.member, m
		}
	}
	return p.dirty.take()
}

// list goes through a list from its first; next gives where the number after one is kept.
func list(first int32, next func(int32) *int32) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for n := first; n != none && yield(n); n = *next(n) {
		}
	}
}

// unlist takes n out of the list that begins in first.
func unlist(first *int32, n int32, next func(int32) *int32) {
	for at := first; *at != none; at = next(*at) {
		if *at == n {
			*at = *next(n)
			return
		}
	}
}

func remove(list []int32, n int32) []int32 {
	return slices.DeleteFunc(list, func(x int32) bool { return x == n })
}

// interner numbers union codes in the order in which they came; the order decides nothing.
type interner struct {
	codes []string
	index map[string]uint32
}

func newInterner() *interner { return &interner{index: map[string]uint32{}} }

func (i *interner) number(code string) uint32 {
	n, ok := i.index[code]
	if !ok {
		n = uint32(len(i.codes))
		i.codes = append(i.codes, code)
		i.index[code] = n
	}
	return n
}
