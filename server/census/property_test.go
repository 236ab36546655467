package census

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/syncproto"
)

// histories is how many random histories each property is tried on.
const histories = "2000"

func check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	before := f.Value.String()
	if err := f.Value.Set(histories); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Value.Set(before) }()
	rapid.Check(t, property)
}

// What histories are drawn from: few unions, records, people and days, so that everything
// meets everything.
var (
	someUnions  = []string{"A", "B", "C"}
	someMembers = []string{"m1", "m2", "m3"}
	someEvents  = []string{"e1", "e2", "e3", "e4", "e5", "e6"}
	somePeople  = []string{"330782199003070013", "330702198512310429", "330702851231042", "330784200002290039", ""}
	someDays    = []string{"2024-01", "2024-01-05", "2024-01-10", "2024-01-11", "2024-01-20", "2024-01-31", "2024-02", "2024-02-05"}
	someCounty  = []string{"330782", "330702", "SBJ"}
	askedDays   = []string{"2023-12-31", "2024-01-01", "2024-01-05", "2024-01-10", "2024-01-11", "2024-01-15",
		"2024-01-20", "2024-01-31", "2024-02-01", "2024-02-05", "2024-02-10"}
)

// drawMember draws a member record as somebody may have saved it last.
func drawMember(t *rapid.T) plain {
	p := aMember(pick(t, someUnions), pick(t, someMembers))
	p = p.with("id_no", pick(t, somePeople), "sex", pick(t, []string{"1", "2"}), "education", pick(t, []string{"21", "31", "", "20"}),
		"birth", pick(t, []string{"1990-03-07", "1999-01-10", "1969", ""}), "migrant", pick(t, []string{"1", "0", ""}))
	return drawCommon(t, p, someMembers)
}

// drawEvent draws an event record.
func drawEvent(t *rapid.T) plain {
	kinds := []EventKind{1, 1, 1, 2, 2, 2, 4, 4, 4, 3, 5, 6, 7, 8}
	p := anEvent(pick(t, someUnions), pick(t, someEvents), pick(t, someMembers), pick(t, kinds), pick(t, someDays))
	if p.fields["type"] == "4" {
		p = p.with("destination", pick(t, []string{"A", "B", "C", "B", ""}))
	}
	return drawCommon(t, p, someEvents)
}

// drawUnit draws a union's place in the tree: its county and its life.
func drawUnit(t *rapid.T) plain {
	p := aUnit(pick(t, someUnions), pick(t, someCounty)).with(
		"founded", pick(t, []string{"", "", "2024-01-03", "2024-01-12"}),
		"dissolved", pick(t, []string{"", "", "", "2024-01-25", "2024-02-03"}))
	if rapid.IntRange(0, 9).Draw(t, "void") == 0 {
		p = p.with("void", "登记错误")
	}
	return p
}

func drawCommon(t *rapid.T, p plain, ids []string) plain {
	switch rapid.IntRange(0, 11).Draw(t, "also") {
	case 0, 1:
		return p.with("void", "录入错误")
	case 2:
		return p.with("same-as", pick(t, ids))
	}
	return p
}

func drawRecord(t *rapid.T) plain {
	switch n := rapid.IntRange(0, 9).Draw(t, "kind"); {
	case n < 3:
		return drawMember(t)
	case n < 9:
		return drawEvent(t)
	}
	return drawUnit(t)
}

func pick[T any](t *rapid.T, from []T) T { return rapid.SampledFrom(from).Draw(t, "pick") }

func (m model) put(p plain) { m[p.union+"/"+p.kind+"/"+p.id] = p }

// TestCensusAgainstModel: whatever comes in whatever order, the census says on every day,
// and as known at earlier positions too, what the naive model says of the records of then.
func TestCensusAgainstModel(t *testing.T) {
	check(t, func(t *rapid.T) {
		c := newStepper(t)
		now := model{}
		then := map[syncproto.Position]model{c.head: {}}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			var batch []plain
			for range rapid.IntRange(1, 4).Draw(t, "batch") {
				p := drawRecord(t)
				batch = append(batch, p)
				now.put(p)
			}
			then[c.step(batch...)] = maps.Clone(now)
		}
		for _, d := range askedDays {
			compareDay(t, c, now, d, 0)
		}
		for range 3 {
			known := pick(t, slices.Sorted(maps.Keys(then)))
			compareDay(t, c, then[known], pick(t, askedDays), known)
		}
	})
}

// compareDay asks the census and the model about one day in several ways.
func compareDay(t *rapid.T, c *stepper, m model, d string, known syncproto.Position) {
	verdicts := m.on(d)
	for _, by := range [][]Dimension{{ByUnion}, {ByCounty, BySex}, {ByEducation, ByMigrant}, {ByAge}, nil} {
		a := c.count(t, Query{Day: day(d), Known: known, By: by})
		want, total := map[string]Numbers{}, Numbers{}
		for _, v := range verdicts {
			var codes []string
			for _, dim := range by {
				codes = append(codes, m.code(dim, v.member, d))
			}
			key := strings.Join(codes, "/")
			want[key] = plus(want[key], v.state)
			total = plus(total, v.state)
		}
		if len(by) == 0 {
			want = map[string]Numbers{}
		}
		if diff := gocmp.Diff(want, numbers(a)); diff != "" {
			t.Fatalf("day %s by %v known %s (-model +census)\n%s\n%s", d, by, known, diff, describe(m))
		}
		if a.Total != total {
			t.Fatalf("day %s: total %+v, model %+v", d, a.Total, total)
		}
	}
}

func plus(n Numbers, s State) Numbers {
	switch s {
	case Counted:
		n.Members++
	case InTransfer:
		n.Members++
		n.InTransfer++
	case Retained:
		n.Retained++
	case Duplicate:
		n.Duplicates++
	case WithoutEvent:
		n.WithoutEvent++
	}
	return n
}

// code gives a member's code of a dimension.
func (m model) code(d Dimension, p plain, day string) string {
	switch d {
	case ByUnion:
		return p.union
	case ByCounty:
		if u := m[syncproto.CityUnion+"/org-unit/unit "+p.union]; u.fields["void"] == "" {
			return u.fields["county"]
		}
		return ""
	case BySex:
		return p.fields["sex"]
	case ByMigrant:
		return p.fields["migrant"]
	case ByEducation:
		return p.fields["education"]
	}
	return modelBand(p.fields["birth"], day)
}

func modelBand(birth, day string) string {
	if len(birth) != len("2006-01-02") {
		return ""
	}
	age := 0
	for next(birth, age+1) <= day {
		age++
	}
	switch {
	case age < 25:
		return "0-24"
	case age < 35:
		return "25-34"
	}
	return "35-44"
}

// next gives the n-th birthday.
func next(birth string, n int) string {
	var year int
	_, err := fmt.Sscan(birth[:4], &year)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%04d%s", year+n, birth[4:])
}

func describe(m model) string {
	var out []string
	for name, p := range m {
		out = append(out, fmt.Sprint(name, " ", p.fields))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// TestOrderDecidesNothing: the same records, put in another order and in other steps, with
// what they were before in between, leave the same rows standing.
func TestOrderDecidesNothing(t *testing.T) {
	check(t, func(t *rapid.T) {
		final := model{}
		var history []plain
		for range rapid.IntRange(1, 25).Draw(t, "records") {
			p := drawRecord(t)
			history = append(history, p)
			final.put(p)
		}
		names := slices.Sorted(maps.Keys(final))
		a, b := newStepper(t), newStepper(t)
		for _, p := range history {
			a.step(p)
		}
		for _, name := range rapid.Permutation(names).Draw(t, "order") {
			b.people.put(final[name].union, final[name].key(), final[name].record())
			if rapid.Bool().Draw(t, "step") {
				b.step()
			}
		}
		b.step()
		if diff := gocmp.Diff(standing(a), standing(b)); diff != "" {
			t.Fatalf("rows differ (-history +shuffled)\n%s\n%s", diff, describe(final))
		}
	})
}

// standing lists the rows that are true now.
func standing(c *stepper) []string {
	b, out := c.book, []string{}
	for i := range b.rows.len() {
		if b.rows.knownTo[i] == stands {
			r := b.rows.row(int32(i))
			out = append(out, fmt.Sprint(b.codes[r.union], r.From, r.To, r.birth, r.dims, r.state))
		}
	}
	slices.Sort(out)
	return out
}

// TestEachPersonOnce: on every day the members of all unions are as many as there are
// people, and what the unions have beside them is called duplicate.
func TestEachPersonOnce(t *testing.T) {
	check(t, func(t *rapid.T) {
		var claims []Claim
		for i := range rapid.IntRange(0, 8).Draw(t, "claims") {
			from := Day(rapid.IntRange(0, 20).Draw(t, "from"))
			to := from + Day(rapid.IntRange(1, 15).Draw(t, "days"))
			claims = append(claims, Claim{
				Stretch: Stretch{From: from, To: to, Transfer: from + Day(rapid.IntRange(0, 20).Draw(t, "leaves")), Retained: rapid.IntRange(0, 4).Draw(t, "kept") == 0},
				Union:   pick(t, someUnions), Record: shortID(fmt.Sprint(i)), Life: Span{Day(rapid.IntRange(-5, 10).Draw(t, "founded")), Open}, tag: i,
			})
		}
		settled := Settle(claims)
		for d := Day(-1); d < 40; d++ {
			people := 0
			for _, s := range settled {
				if s.From <= d && d < s.To && s.State != Duplicate {
					people++
				}
			}
			if people > 1 {
				t.Fatalf("day %d: counted %d times: %+v", d, people, settled)
			}
		}
		slices.SortFunc(claims, func(a, b Claim) int { return cmp.Compare(b.tag, a.tag) })
		again := Settle(claims)
		for _, list := range [][]Settled{settled, again} {
			slices.SortFunc(list, func(a, b Settled) int { return cmp.Or(cmp.Compare(a.tag, b.tag), cmp.Compare(a.From, b.From)) })
		}
		if diff := gocmp.Diff(settled, again, gocmp.AllowUnexported(Settled{})); diff != "" {
			t.Fatalf("order of claims matters\n%s", diff)
		}
	})
}
