package testcity

import (
	"fmt"
	"strings"
	"time"
)

// rosters fills every union with persons of its own.
func (g *generator) rosters() {
	for _, u := range g.city.Unions() {
		half := g.o.Members / 2
		n := max(1, half+g.rng.IntN(g.o.Members+1))
		r := Roster{Union: u.Code, Rows: make([]Row, 0, n)}
		for range n {
			r.Rows = append(r.Rows, g.person(u))
		}
		g.city.Rosters = append(g.city.Rosters, r)
	}
}

// Shares, in thousandths, as the real city has them or nearly so.
const (
	newFormShare = 140
	womenShare   = 430
	migrantShare = 620
)

func (g *generator) person(u Unit) Row {
	sex := "1"
	if g.rng.IntN(1000) < womenShare {
		sex = "2"
	}
	birth := g.today.AddDate(-18, 0, 0).AddDate(0, 0, -g.rng.IntN(38*365))
	row := Row{
		Name:       g.name(),
		Sex:        sex,
		Birth:      birth.Format(time.DateOnly),
		ID:         g.id(birth, sex),
		Ethnic:     weighted(g, ethnics),
		Education:  weighted(g, educations),
		Skill:      weighted(g, skills),
		Hukou:      weighted(g, hukous),
		Phone:      g.phone(),
		Migrant:    g.rng.IntN(1000) < migrantShare,
		Employer:   strings.TrimSuffix(u.Name, "工会"),
		Department: pick(g.rng, departments),
		Post:       pick(g.rng, posts),
		NewForm:    g.newForm(),
	}
	row.Joined = g.joined(birth)
	return row
}

func (g *generator) name() string {
	n := pick(g.rng, surnames) + pick(g.rng, givenNames)
	if g.rng.IntN(3) > 0 {
		n += pick(g.rng, givenNames)
	}
	return n
}

func (g *generator) newForm() string {
	if g.rng.IntN(1000) >= newFormShare {
		return "0"
	}
	return weighted(g, newForms)
}

func (g *generator) phone() string {
	return fmt.Sprintf("1%d%09d", 3+g.rng.IntN(7), g.rng.IntN(1_000_000_000))
}

// joined is a day of full age, at the earliest 2005 and at the latest today.
func (g *generator) joined(birth time.Time) string {
	from := time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC)
	if adult := birth.AddDate(18, 0, 0); adult.After(from) {
		from = adult
	}
	span := max(int(g.today.Sub(from)/(24*time.Hour)), 0)
	return from.AddDate(0, 0, g.rng.IntN(span+1)).Format(time.DateOnly)
}

// id gives a citizen's number that nobody has yet.
func (g *generator) id(birth time.Time, sex string) string {
	for {
		seq := g.rng.IntN(500) * 2
		if sex == "1" {
			seq++
		}
		id := WithCheckDigit(fmt.Sprintf("%s%s%03d", pick(g.rng, divisions), birth.Format("20060102"), seq))
		if !g.ids[id] {
			g.ids[id] = true
			return id
		}
	}
}

// WithCheckDigit puts the check character of GB 11643 behind 17 digits: each digit by its
// weight 2^(17-i) mod 11, and the character that brings the sum to 1 mod 11.
func WithCheckDigit(digits string) string {
	sum := 0
	for i := range 17 {
		weight := 1
		for range 17 - i {
			weight = weight * 2 % 11
		}
		sum += int(digits[i]-'0') * weight
	}
	if check := (12 - sum%11) % 11; check < 10 {
		return digits + string(rune('0'+check))
	}
	return digits + "X"
}

// secondRows puts some persons on a second roster: because they moved there, or because
// two unions count the same person, now and then from the very same day.
func (g *generator) secondRows() {
	if len(g.city.Rosters) < 2 {
		return
	}
	for from := range g.city.Rosters {
		for _, row := range g.city.Rosters[from].Rows {
			switch n := g.rng.IntN(1000); {
			case g.twice[row.ID]: // put here from another roster
			case n < g.o.Twice:
				g.second(from, row, false)
			case n < g.o.Twice+g.o.Transfers:
				g.second(from, row, true)
			}
		}
	}
}

// second adds the person's row to another roster, and the transfer out of the first.
func (g *generator) second(from int, row Row, transfer bool) {
	to := (from + 1 + g.rng.IntN(len(g.city.Rosters)-1)) % len(g.city.Rosters)
	g.twice[row.ID] = true
	first := day(row.Joined)
	span := int(g.today.Sub(first) / (24 * time.Hour))
	if !transfer && g.rng.IntN(4) == 0 || span < 2 {
		span = 0 // the same day: the lower union code counts
	}
	later := first
	if span > 0 {
		later = first.AddDate(0, 0, 1+g.rng.IntN(span))
	}
	copied := row
	copied.Joined, copied.Phone, copied.NewForm = later.Format(time.DateOnly), g.phone(), g.newForm()
	g.city.Rosters[to].Rows = append(g.city.Rosters[to].Rows, copied)
	if transfer {
		g.moved[row.ID] = true
		g.city.Events = append(g.city.Events, Event{
			Union: g.city.Rosters[from].Union, ID: row.ID, Type: "4", Destination: g.city.Rosters[to].Union,
			Date: first.AddDate(0, 0, g.rng.IntN(span+1)).Format(time.DateOnly),
		})
	}
}

// ends lets some memberships end, and some of the retained ones begin again.
func (g *generator) ends() {
	for _, r := range g.city.Rosters {
		for _, row := range r.Rows {
			if g.rng.IntN(1000) >= g.o.Ended || g.moved[row.ID] {
				continue
			}
			first := day(row.Joined)
			span := int(g.today.Sub(first) / (24 * time.Hour))
			if span < 4 {
				continue
			}
			at := 1 + g.rng.IntN(span-2)
			e := Event{Union: r.Union, ID: row.ID, Type: pick(g.rng, []string{"3", "3", "4", "6", "7"})}
			e.Date = first.AddDate(0, 0, at).Format(time.DateOnly)
			g.city.Events = append(g.city.Events, e)
			if e.Type == "3" && g.rng.IntN(2) == 0 {
				e.Type, e.Date = "8", first.AddDate(0, 0, at+1+g.rng.IntN(span-at)).Format(time.DateOnly)
				g.city.Events = append(g.city.Events, e)
			}
		}
	}
}
