package census

import (
	"maps"
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
type people struct {
	schema *schema
	ids    *identities
	unions *interner

	members  []member
	memberAt map[recordAt]int32
	events   []event
	eventAt  map[recordAt]int32
	persons  []person
	personAt map[personKey]int32
	units    *units
	inUnion  [][]int32 // members of a union, by the union's number

	touched map[int32]bool // members whose person must be worked out anew
}

// recordAt names a record of one kind.
type recordAt struct {
	union uint32
	id    syncproto.RecordID
}

// none is the number of no member, event or person.
const none int32 = -1

// member is what the census keeps of a member record; one that is only referred to is absent.
type member struct {
	at      recordAt
	present bool // it has come, not all of it held, and is not void
	dims    [numCoded]uint8
	birth   Day // Always if unknown
	key     personKey
	events  []int32
	person  int32
	link    link
}

// event is what the census keeps of an event record; one that is only referred to is absent.
type event struct {
	at      recordAt
	present bool // it has come, is not void, and has a kind and a day
	Event
	member int32
	link   link
}

// link is a record's place among those that are the same as others.
type link struct {
	to   int32   // the record that this one is a second copy of
	from []int32 // the records that are second copies of this one
}

// person is the members who are one person, and its rows that stand.
type person struct {
	members []int32
	rows    []int32
}

func newPeople(s *schema, key []byte) *people {
	return &people{
		schema: s, ids: newIdentities(key, s.citizen), unions: newInterner(), units: newUnits(),
		memberAt: map[recordAt]int32{}, eventAt: map[recordAt]int32{}, personAt: map[personKey]int32{},
		touched: map[int32]bool{},
	}
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
	x := &p.members[m]
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
	x.key = p.ids.key(union, at.id, docType, r.Text(s.idNo))
	p.linkMember(m, p.target(r, at, p.memberOf))
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
	x := &p.events[e]
	x.Event, x.present = ev, usable && m != none && !r.Void()
	if x.member != m {
		if x.member != none {
			old := &p.members[x.member]
			old.events = remove(old.events, e)
		}
		if x.member = m; m != none {
			p.members[m].events = append(p.members[m].events, e)
		}
	}
	p.linkEvent(e, p.target(r, at, p.eventOf))
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
	m, ok := p.memberAt[at]
	if !ok {
		m = int32(len(p.members))
		p.members = append(p.members, member{at: at, person: none, birth: Always, link: link{to: none}})
		p.memberAt[at] = m
		for len(p.inUnion) <= int(at.union) {
			p.inUnion = append(p.inUnion, nil)
		}
		p.inUnion[at.union] = append(p.inUnion[at.union], m)
	}
	return m
}

func (p *people) eventOf(at recordAt) int32 {
	e, ok := p.eventAt[at]
	if !ok {
		e = int32(len(p.events))
		p.events = append(p.events, event{at: at, member: none, link: link{to: none}})
		p.eventAt[at] = e
	}
	return e
}

func (p *people) personOf(key personKey) int32 {
	n, ok := p.personAt[key]
	if !ok {
		n = int32(len(p.persons))
		p.persons = append(p.persons, person{})
		p.personAt[key] = n
	}
	return n
}

// move gives the persons whom the touched members belonged to and belong to now, in order,
// and forgets what was touched.
func (p *people) move() []int32 {
	dirty := map[int32]bool{}
	for _, m := range slices.Sorted(maps.Keys(p.touched)) {
		x, to := &p.members[m], none
		if root := p.rootMember(m); root != none {
			to = p.personOf(p.members[root].key)
		}
		if x.person != none {
			dirty[x.person] = true
		}
		if to != none {
			dirty[to] = true
		}
		if x.person == to {
			continue
		}
		if x.person != none {
			old := &p.persons[x.person]
			old.members = remove(old.members, m)
		}
		if x.person = to; to != none {
			p.persons[to].members = append(p.persons[to].members, m)
		}
	}
	clear(p.touched)
	return slices.Sorted(maps.Keys(dirty))
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
