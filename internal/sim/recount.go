package sim

import (
	"bytes"
	"slices"
	"strings"

	"unionsync/server/census"
	"unionsync/syncproto"
)

// recount counts members from the model's records, day by day, as server/census/DESIGN.md
// says in words. It takes no steps and keeps no rows.
type recount struct {
	without map[string]int     // records that no event makes a member, by union
	persons map[string][]spell // by person
}

// spell is one stretch of a membership, as a union's events make it. Days are texts, which
// sort as days do; "" is a day that has not come.
type spell struct {
	union    string
	id       syncproto.RecordID
	from, to string
	leaves   string // first day in transfer
	retained bool
}

// happening is one event that counts.
type happening struct {
	day, what string
	inside    bool
}

func (m *model) recount() *recount {
	r := &recount{without: map[string]int{}, persons: map[string][]spell{}}
	members, _ := m.w.kinds.Kind("member")
	for _, code := range m.w.codes {
		events := m.happenings(code)
		seen := map[syncproto.RecordID]bool{}
		for _, n := range m.union(code) {
			if n.key.Kind != members.Number {
				continue
			}
			root, ok := m.speaks(n)
			if !ok || seen[root.key.ID] {
				continue
			}
			seen[root.key.ID] = true
			if len(events[root.key.ID]) == 0 {
				r.without[code]++
				continue
			}
			who := person(members, root, m.recs[root])
			r.persons[who] = append(r.persons[who], spells(code, root.key.ID, events[root.key.ID])...)
		}
	}
	return r
}

// counts reports whether a record is there and not void.
func (m *model) counts(n recordName) bool {
	r := m.recs[n]
	return r != nil && !r.empty() && r.number(syncproto.FieldVoid) == ""
}

// speaks follows same-as from a record to the one that speaks for it.
func (m *model) speaks(n recordName) (recordName, bool) {
	if !m.counts(n) {
		return n, false
	}
	var path []recordName
	for {
		if i := slices.Index(path, n); i >= 0 { // round and round: the lowest speaks
			return slices.MinFunc(path[i:], func(a, b recordName) int { return bytes.Compare(a.key.ID[:], b.key.ID[:]) }), true
		}
		to := m.recs[n].number(syncproto.FieldSameAs)
		if len(to) != 16 {
			return n, true
		}
		next := recordName{n.union, syncproto.RecordKey{Kind: n.key.Kind, ID: syncproto.RecordID([]byte(to))}}
		if !m.counts(next) {
			return n, true
		}
		path = append(path, n)
		n = next
	}
}

// happenings gives a union's events by the member who speaks.
func (m *model) happenings(code string) map[syncproto.RecordID][]happening {
	k, _ := m.w.kinds.Kind("membership-event")
	members, _ := m.w.kinds.Kind("member")
	out := map[syncproto.RecordID][]happening{}
	ofMember := func(n recordName) (recordName, bool) {
		id := m.recs[n].value(k, "member")
		if len(id) != 16 {
			return n, false
		}
		who := recordName{code, syncproto.RecordKey{Kind: members.Number, ID: syncproto.RecordID([]byte(id))}}
		return who, m.counts(who)
	}
	for _, n := range m.union(code) {
		if n.key.Kind != k.Number || !m.counts(n) {
			continue
		}
		who, ok := ofMember(n)
		if !ok || m.copies(n, ofMember) {
			continue
		}
		root, _ := m.speaks(who)
		r := m.recs[n]
		out[root.key.ID] = append(out[root.key.ID], happening{r.value(k, "date"), r.value(k, "type"), r.value(k, "destination") != ""})
	}
	return out
}

// copies reports whether an event is only a second copy of another that counts.
func (m *model) copies(n recordName, ofMember func(recordName) (recordName, bool)) bool {
	first, path := n, []recordName{}
	for {
		if i := slices.Index(path, n); i >= 0 {
			low := slices.MinFunc(path[i:], func(a, b recordName) int { return bytes.Compare(a.key.ID[:], b.key.ID[:]) })
			return low != first
		}
		to := m.recs[n].number(syncproto.FieldSameAs)
		if len(to) != 16 {
			return n != first
		}
		next := recordName{n.union, syncproto.RecordKey{Kind: n.key.Kind, ID: syncproto.RecordID([]byte(to))}}
		if !m.counts(next) {
			return n != first
		}
		if _, ok := ofMember(next); !ok {
			return n != first
		}
		path = append(path, n)
		n = next
	}
}

// spells walks through the events of one record, day by day.
func spells(union string, id syncproto.RecordID, events []happening) []spell {
	slices.SortStableFunc(events, func(a, b happening) int { return strings.Compare(a.day, b.day) })
	var out []spell
	var cur *spell
	closeAt := func(day string) {
		if cur != nil && cur.from < day {
			cur.to = day
			out = append(out, *cur)
		}
		cur = nil
	}
	for i := 0; i < len(events); {
		day, begins, ends := events[i].day, false, 0
		for ; i < len(events) && events[i].day == day; i++ {
			b, e := meaning(events[i])
			begins, ends = begins || b, max(ends, e)
		}
		start := func() {
			if begins {
				closeAt(day)
				cur = &spell{union: union, id: id, from: day}
			}
		}
		end := func() {
			switch {
			case ends == 3, ends == 2 && cur != nil && cur.retained:
				closeAt(day)
			case ends == 2 && cur != nil && cur.leaves == "":
				cur.leaves = day
			case ends == 1 && (cur == nil || !cur.retained):
				closeAt(day)
				cur = &spell{union: union, id: id, from: day, retained: true}
			}
		}
		if cur != nil && !cur.retained {
			end()
			start()
		} else {
			start()
			end()
		}
	}
	if cur != nil {
		out = append(out, *cur)
	}
	return out
}

// meaning says whether an event begins a membership, and how finally it ends one: 1 keeps
// it, 2 leaves for a union of the city, 3 is gone.
func meaning(h happening) (begins bool, ends int) {
	switch h.what {
	case "1", "2", "8":
		return true, 0
	case "3":
		return false, 1
	case "4":
		if h.inside {
			return false, 2
		}
		return false, 3
	case "5", "6", "7":
		return false, 3
	}
	return false, 0
}

// on counts as of one day.
func (r *recount) on(day string) map[string]census.Numbers {
	out := map[string]census.Numbers{}
	add := func(union string, do func(*census.Numbers)) {
		n := out[union]
		do(&n)
		out[union] = n
	}
	for union, n := range r.without {
		add(union, func(x *census.Numbers) { x.WithoutEvent += n })
	}
	for _, all := range r.persons {
		var in, kept []spell
		for _, s := range all {
			if s.retained {
				if s.from <= day && (s.to == "" || day < s.to) {
					kept = append(kept, s)
				}
			} else if s.from <= day && (s.to == "" || day < s.to) && !arrived(s, all, day) {
				in = append(in, s)
			}
		}
		slices.SortFunc(in, first)
		slices.SortFunc(kept, first)
		for i, s := range in {
			add(s.union, func(x *census.Numbers) {
				switch {
				case i > 0:
					x.Duplicates++
				case s.leaves != "" && s.leaves <= day:
					x.Members++
					x.InTransfer++
				default:
					x.Members++
				}
			})
		}
		if len(in) == 0 && len(kept) > 0 {
			add(kept[0].union, func(x *census.Numbers) { x.Retained++ })
		}
	}
	return out
}

// first orders what is in force on one day: the later first day goes before, then the lower
// union code, then the lower record id.
func first(a, b spell) int {
	if c := strings.Compare(b.from, a.from); c != 0 {
		return c
	}
	if c := strings.Compare(a.union, b.union); c != 0 {
		return c
	}
	return bytes.Compare(a.id[:], b.id[:])
}

// arrived reports whether somebody in transfer has come to another union by a day.
func arrived(s spell, all []spell, day string) bool {
	if s.leaves == "" || day < s.leaves {
		return false
	}
	for _, o := range all {
		if o.retained || o == s {
			continue
		}
		stays := (o.to == "" || s.leaves < o.to) && (o.leaves == "" || s.leaves < o.leaves)
		if o.from > s.from && o.from <= day || o.from == s.from && stays {
			return true
		}
	}
	return false
}
