package testcity

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Options shape a city. Zero values mean the defaults in brackets.
type Options struct {
	Counties  int    // reporting units, at most 11 [11: nine counties, city level, development zone]
	Unions    int    // grassroots unions in all [one for each county]
	Members   int    // average roster [111, the average of the real city]
	Twice     int    // of 1,000 persons, how many stand on a second roster [20]
	Transfers int    // of 1,000 persons, how many moved to another union [20]
	Ended     int    // of 1,000 persons, how many left, died, or have their membership retained [30]
	Today     string // last day on which something happens [2026-06-30]
}

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Counties, len(reportingUnits))
	o.Counties = min(o.Counties, len(reportingUnits))
	def(&o.Unions, o.Counties)
	def(&o.Members, 111)
	def(&o.Twice, 20)
	def(&o.Transfers, 20)
	def(&o.Ended, 30)
	if o.Today == "" {
		o.Today = "2026-06-30"
	}
	return o
}

// Unit is a unit of the city's tree.
type Unit struct {
	Code, Name string
	Level      string // city, county or union
	Parent     string // code of the unit above; empty for the city
	County     string // reporting unit
	Phone      string
	Founded    string // 2006-01-02; empty above grassroots unions
}

// Roster is the list that one union's clerk typed.
type Roster struct {
	Union string
	Rows  []Row
}

// Row is one line of a roster: a person as this union knows that person.
type Row struct {
	Name, Sex, Birth  string // sex by its code, birth as 2006-01-02
	ID                string // citizen's number, 18 characters
	Ethnic, Education string // codes of the kind file
	Skill, Hukou      string // codes; skill may be empty
	Phone             string
	Migrant           bool
	Joined            string // 2006-01-02
	Employer          string
	Department, Post  string
	NewForm           string // code; 0 for none
}

// Event is what happened to a membership after the roster was typed. The types are those of
// the membership-event kind: 3 retained, 4 out, 6 left, 7 died, 8 restored.
type Event struct {
	Union, ID   string
	Type, Date  string
	Destination string // of type 4: a union of the city, or empty for out of the city
}

// City is an invented city.
type City struct {
	Units   []Unit // the city, its counties, then the unions, each behind the unit above it
	Rosters []Roster
	Events  []Event
}

// New makes the city of this seed.
func New(seed uint64, o Options) *City {
	o = o.withDefaults()
	g := &generator{rng: rand.New(rand.NewPCG(seed, 0x756e696f6e)), o: o,
		ids: map[string]bool{}, twice: map[string]bool{}, moved: map[string]bool{}}
	g.today = day(o.Today)
	g.units()
	g.rosters()
	g.secondRows()
	g.ends()
	return &g.city
}

// generator holds what is needed while a city is made.
type generator struct {
	rng   *rand.Rand
	o     Options
	today time.Time
	ids   map[string]bool // citizen's numbers given away
	twice map[string]bool // numbers that stand on two rosters
	moved map[string]bool // numbers that moved to another union
	city  City
}

const cityCode = "330700"

// reportingUnits are where counts go: nine counties by their division code, and the two
// that have none.
var reportingUnits = []struct{ code, division, name string }{
	{"330702", "330702", "婺城区"}, {"330782", "330782", "义乌市"}, {"330783", "330783", "东阳市"},
	{"330784", "330784", "永康市"}, {"330781", "330781", "兰溪市"}, {"330703", "330703", "金东区"},
	{"330726", "330726", "浦江县"}, {"330723", "330723", "武义县"}, {"330727", "330727", "磐安县"},
	{"SBJ", "330702", "金华市本级"}, {"KFQ", "330702", "金华经济技术开发区"},
}

func (g *generator) units() {
	g.city.Units = append(g.city.Units, Unit{Code: cityCode, Name: "金华市总工会", Level: "city", County: "SBJ", Phone: "0579-82000000"})
	perCounty := make([]int, g.o.Counties)
	for u := range g.o.Unions {
		perCounty[u%g.o.Counties]++
	}
	for c, n := range perCounty {
		ru := reportingUnits[c]
		g.city.Units = append(g.city.Units, Unit{
			Code: ru.code, Name: ru.name + "总工会", Level: "county", Parent: cityCode, County: ru.code,
			Phone: fmt.Sprintf("0579-82%06d", c+1),
		})
		for i := range n {
			g.city.Units = append(g.city.Units, g.union(c, i))
		}
	}
}

func (g *generator) union(county, i int) Unit {
	ru := reportingUnits[county]
	founded := time.Date(1995+g.rng.IntN(9), time.Month(1+g.rng.IntN(12)), 1+g.rng.IntN(28), 0, 0, 0, 0, time.UTC)
	return Unit{
		Code:    fmt.Sprintf("%s-%05d", ru.code, i+1),
		Name:    ru.name + pick(g.rng, firmNames) + pick(g.rng, firmTrades) + "有限公司工会",
		Level:   "union",
		Parent:  ru.code,
		County:  ru.code,
		Phone:   fmt.Sprintf("0579-8%07d", g.rng.IntN(10_000_000)),
		Founded: founded.Format(time.DateOnly),
	}
}

// Unions gives the grassroots unions among the units.
func (c *City) Unions() []Unit {
	var out []Unit
	for _, u := range c.Units {
		if u.Level == "union" {
			out = append(out, u)
		}
	}
	return out
}

// Roster gives the roster of a union.
func (c *City) Roster(union string) *Roster {
	for i := range c.Rosters {
		if c.Rosters[i].Union == union {
			return &c.Rosters[i]
		}
	}
	return nil
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// day reads a day that this package wrote.
func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic("testcity: " + err.Error())
	}
	return t
}
