package census

import (
	"slices"
	"time"

	"unionsync/internal/cnid"
)

// model counts like the census and in another way: for one day it looks at every record,
// replays the events day by day from the first on and asks of each person who has it. It
// knows no stretches, rows or steps, only what holds on a day.
type model map[string]plain // all records by union/kind/id

// verdict is what the model says of one record on a day.
type verdict struct {
	member plain
	state  State
}

// held is what a union's books say about one person on a day.
type held struct {
	group *modelGroup
	what  string // "", "in", "moving", "retained"
	first string // the first day of this
	left  string // of moving: the day of leaving
}

// modelGroup is the records of a union that are one, and what happened to them.
type modelGroup struct {
	speaker plain
	person  string
	events  []plain
	from    string // the union's life
	to      string
}

// on gives what every person's records are on a day.
func (m model) on(day string) []verdict {
	var out []verdict
	people := map[string][]*modelGroup{}
	for _, g := range m.groups() {
		if len(g.events) == 0 {
			out = append(out, verdict{g.speaker, WithoutEvent})
		} else {
			people[g.person] = append(people[g.person], g)
		}
	}
	for _, groups := range people {
		out = append(out, whoHas(groups, day)...)
	}
	return out
}

// whoHas decides who has one person on a day.
func whoHas(groups []*modelGroup, day string) []verdict {
	var in, retained []held
	for _, g := range groups {
		h := g.at(day)
		switch {
		case h.what == "retained":
			retained = append(retained, h)
		case h.what == "in", h.what == "moving" && !arrived(h, groups, day):
			in = append(in, h)
		}
	}
	first := func(a, b held) int {
		switch {
		case a.first != b.first:
			return compare(b.first, a.first)
		case a.group.speaker.union != b.group.speaker.union:
			return compare(a.group.speaker.union, b.group.speaker.union)
		}
		return compare(a.group.speaker.id, b.group.speaker.id)
	}
	slices.SortFunc(in, first)
	slices.SortFunc(retained, first)
	var out []verdict
	for i, h := range in {
		state := Counted
		if i > 0 {
			state = Duplicate
		} else if h.what == "moving" {
			state = InTransfer
		}
		out = append(out, verdict{h.group.speaker, state})
	}
	if len(in) == 0 && len(retained) > 0 {
		out = append(out, verdict{retained[0].group.speaker, Retained})
	}
	return out
}

// arrived reports whether somebody else has taken in a person who is moving.
func arrived(h held, groups []*modelGroup, day string) bool {
	left := max(h.left, h.first)
	for _, o := range groups {
		if o == h.group {
			continue
		}
		if x := o.at(left); x.what == "in" && x.first == h.first {
			return true
		}
		for d := h.first; d <= day; d = nextDay(d) {
			if x := o.at(d); (x.what == "in" || x.what == "moving") && x.first > h.first {
				return true
			}
		}
	}
	return false
}

// at replays a group's events up to a day.
func (g *modelGroup) at(day string) held {
	h := held{group: g}
	if day < g.from || day >= g.to {
		return h
	}
	for d := modelFirst; d <= day; d = nextDay(d) {
		begins, ends := false, ""
		for _, e := range g.events {
			if firstOfMonth(e.fields["date"]) != d {
				continue
			}
			switch e.fields["type"] {
			case "1", "2", "8":
				begins = true
			case "3":
				if ends == "" {
					ends = "retain"
				}
			case "4":
				if e.fields["destination"] == "" {
					ends = "gone"
				} else if ends != "gone" {
					ends = "move"
				}
			default:
				ends = "gone"
			}
		}
		if out := h.what == "" || h.what == "retained"; !begins {
			h = h.end(ends, d)
		} else {
			h = held{group: g, what: "in", first: d}
			if out {
				h = h.end(ends, d)
			}
		}
	}
	if h.what != "" {
		h.first = max(h.first, g.from)
	}
	return h
}

func (h held) end(ends, d string) held {
	switch {
	case ends == "gone", ends == "move" && h.what == "retained":
		return held{group: h.group}
	case ends == "move" && h.what == "in":
		h.what, h.left = "moving", d
	case ends == "retain" && h.what != "retained":
		return held{group: h.group, what: "retained", first: d}
	}
	return h
}

// groups puts together which records of a union are one.
func (m model) groups() []*modelGroup {
	bySpeaker := map[string]*modelGroup{}
	for _, p := range m {
		speaker, ok := m.speaker(p)
		if p.kind != "member" || !ok {
			continue
		}
		key := speaker.union + "/" + speaker.id
		g := bySpeaker[key]
		if g == nil {
			g = &modelGroup{speaker: speaker, person: modelPerson(speaker), from: "0000", to: "9999"}
			for _, u := range m {
				if u.kind == "org-unit" && u.fields["void"] == "" && u.fields["code"] == p.union {
					g.from = max(g.from, firstOfMonth(u.fields["founded"]))
					if d := u.fields["dissolved"]; d != "" {
						g.to = firstOfMonth(d)
					}
				}
			}
			bySpeaker[key] = g
		}
		for _, e := range m {
			if s, ok := m.speaker(e); e.kind == "membership-event" && ok && s.id == e.id && e.union == p.union && e.fields["member"] == p.id {
				g.events = append(g.events, e)
			}
		}
	}
	var out []*modelGroup
	for _, g := range bySpeaker {
		out = append(out, g)
	}
	return out
}

// stands reports whether a record is there and counts.
func (m model) stands(p plain) bool {
	if p.fields == nil || p.fields["void"] != "" {
		return false
	}
	if p.kind == "membership-event" {
		return p.fields["date"] != "" && m.stands(m[p.union+"/member/"+p.fields["member"]])
	}
	return true
}

// speaker gives the record that speaks for p: it takes as many steps along same-as as there
// are records, which ends at the last one or on a ring, of which the lowest id speaks.
func (m model) speaker(p plain) (plain, bool) {
	if !m.stands(p) {
		return plain{}, false
	}
	next := func(p plain) plain {
		if to := m[p.union+"/"+p.kind+"/"+p.fields["same-as"]]; p.fields["same-as"] != "" && m.stands(to) {
			return to
		}
		return p
	}
	for range m {
		p = next(p)
	}
	lowest := p
	for x := next(p); x.id != p.id; x = next(x) {
		if x.id < lowest.id {
			lowest = x
		}
	}
	return lowest, true
}

func modelPerson(p plain) string {
	number := p.fields["id_no"]
	if long, ok := cnid.FromOld(number); ok {
		number = long
	}
	if cnid.CheckCitizen(number) != nil {
		return p.union + "/" + p.id
	}
	return number
}

const modelFirst = "2024-01-01"

func firstOfMonth(date string) string {
	if len(date) == len("2006-01") {
		return date + "-01"
	}
	return date
}

// nextDay gives the day after d, which is one of the days of which histories are drawn.
func nextDay(d string) string { return modelDays[d] }

var modelDays = func() map[string]string {
	days := map[string]string{}
	for t := time.Date(2023, 12, 1, 0, 0, 0, 0, time.UTC); t.Year() < 2025; t = t.AddDate(0, 0, 1) {
		days[t.Format(time.DateOnly)] = t.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	return days
}()

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
