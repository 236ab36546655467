package testcity

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// Dim is a dimension of a count: it names the group of a counted row.
type Dim func(c Counted) string

// Counted is a member in force on a day, once, in the union that counts.
type Counted struct {
	Row
	Union, County string
	Day           string
}

// Dims are the dimensions by the names that the centre uses for them.
var Dims = map[string]Dim{
	"union":     func(c Counted) string { return c.Union },
	"county":    func(c Counted) string { return c.County },
	"sex":       func(c Counted) string { return c.Sex },
	"group":     func(c Counted) string { return c.NewForm },
	"migrant":   func(c Counted) string { return map[bool]string{true: "1", false: "0"}[c.Migrant] },
	"education": func(c Counted) string { return c.Education },
	"age":       Bands(25, 35, 45, 55),
}

// Age is the number of birthdays that somebody born on birth has had by day. Who was born
// on 29 February has it on 1 March in other years.
func Age(birth, on string) int {
	b, d := day(birth), day(on)
	age := d.Year() - b.Year()
	if d.Month() < b.Month() || d.Month() == b.Month() && d.Day() < b.Day() {
		age--
	}
	return age
}

// Bands groups ages, as in Bands(30, 40): 0-29, 30-39, 40- (and above).
func Bands(from ...int) Dim {
	return func(c Counted) string {
		age, low := Age(c.Birth, c.Day), 0
		for _, next := range from {
			if age < next {
				return fmt.Sprintf("%d-%d", low, next-1)
			}
			low = next
		}
		return fmt.Sprintf("%d-", low)
	}
}

// Recount counts the members in force on the day by the groups that the dimensions give,
// joined with a blank; without dimensions there is one group with the empty name. unions
// says whose rosters are known; nil stands for all of them.
//
// Each person counts once: where two rosters hold a person on that day, the stretch of
// membership that began later counts; from the same day, the union that the person has not
// left for another, then that with the lower code.
func (c *City) Recount(on string, unions []string, dims ...Dim) map[string]int {
	counts := map[string]int{}
	for _, m := range c.InForce(on, unions) {
		var group []string
		for _, d := range dims {
			group = append(group, d(m))
		}
		counts[strings.Join(group, " ")]++
	}
	return counts
}

// InForce lists the members whom [City.Recount] counts, by document number.
func (c *City) InForce(on string, unions []string) []Counted {
	county := map[string]string{}
	for _, u := range c.Units {
		county[u.Code] = u.County
	}
	known := map[string]bool{}
	for _, u := range unions {
		known[u] = true
	}
	best := map[string]Counted{}
	since := map[string]stretch{}
	for _, r := range c.Rosters {
		if unions != nil && !known[r.Union] {
			continue
		}
		events := c.eventsOf(r.Union)
		for _, row := range r.Rows {
			now, ok := inForce(row, events[row.ID], on)
			other, twice := best[row.ID]
			if !ok || twice && !now.goesBefore(since[row.ID], r.Union < other.Union) {
				continue
			}
			best[row.ID] = Counted{Row: row, Union: r.Union, County: county[r.Union], Day: on}
			since[row.ID] = now
		}
	}
	var out []Counted
	for _, m := range best {
		out = append(out, m)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

func (c *City) eventsOf(union string) map[string][]Event {
	out := map[string][]Event{}
	for _, e := range c.Events {
		if e.Union == union {
			out[e.ID] = append(out[e.ID], e)
		}
	}
	return out
}

// stretch is a membership that holds a day.
type stretch struct {
	from string // its first day
	left bool   // for another union of the city
}

// goesBefore reports whether s counts and not other; lower says whether its union has the
// lower code.
func (s stretch) goesBefore(other stretch, lower bool) bool {
	switch {
	case s.from != other.from:
		return s.from > other.from
	case s.left != other.left:
		return other.left
	}
	return lower
}

// inForce walks through a membership, event by event, and gives the stretch that holds the
// day asked for. An event takes effect on its day. Who moves inside the city stays a member
// here until the other union's joining takes over.
func inForce(row Row, events []Event, on string) (stretch, bool) {
	s, member := stretch{from: row.Joined}, row.Joined <= on
	sort.SliceStable(events, func(i, j int) bool { return events[i].Date < events[j].Date })
	for _, e := range events {
		switch {
		case e.Date > on:
		case e.Type == "8":
			s, member = stretch{from: e.Date}, true
		case e.Type == "4" && e.Destination != "":
			s.left = true
		default:
			member = false
		}
	}
	return s, member
}

// DaysWorthAsking are days around which a count changes or could go wrong: the first and
// last of months, and the days on and before some joining days, all before the given one.
func (c *City) DaysWorthAsking(before string, n int) []string {
	seen := map[string]bool{}
	add := func(t time.Time) {
		if s := t.Format(time.DateOnly); s <= before {
			seen[s] = true
		}
	}
	for i, r := range c.Rosters {
		for j := i; j < len(r.Rows) && len(seen) < n; j += 37 {
			t := day(r.Rows[j].Joined)
			add(t)
			add(t.AddDate(0, 0, -1))
			add(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC))
		}
	}
	var out []string
	for s := range seen {
		out = append(out, s)
	}
	sort.Strings(out)
	return out[:min(n, len(out))]
}
