package census

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestSettle is worked out by hand. A line of want is "union state from-to".
func TestSettle(t *testing.T) {
	claim := func(union string, from, to Day) Claim {
		return Claim{Stretch: Stretch{From: from, To: to, Transfer: Open}, Union: union, Life: forever}
	}
	leaving := func(union string, from, leaves Day) Claim {
		c := claim(union, from, Open)
		c.Transfer = leaves
		return c
	}
	kept := func(union string, from, to Day) Claim {
		c := claim(union, from, to)
		c.Retained = true
		return c
	}
	lived := func(c Claim, from, to Day) Claim {
		c.Life = Span{from, to}
		return c
	}
	twin := func(c Claim) Claim {
		c.Record[0] = 9
		return c
	}
	for _, c := range []struct {
		why    string
		claims []Claim
		want   []string
	}{
		{"nobody", nil, nil},
		{"one union", []Claim{claim("A", 1, Open)}, []string{"A counted 1-open"}},
		{"a transfer nobody has answered: the old union counts", []Claim{leaving("A", 1, 10)},
			[]string{"A counted 1-10", "A transfer 10-open"}},
		{"taken in on the day of leaving", []Claim{leaving("A", 1, 10), claim("B", 10, Open)}, []string{"A counted 1-10", "B counted 10-open"}},
		{"taken in later: counted by the old union until the day before", []Claim{leaving("A", 1, 10), claim("B", 15, Open)},
			[]string{"A counted 1-10", "A transfer 10-15", "B counted 15-open"}},
		{"taken in before the old union let go: the later first day wins", []Claim{leaving("A", 1, 10), claim("B", 5, Open)},
			[]string{"A counted 1-5", "A duplicate 5-10", "B counted 5-open"}},
		{"taken in and gone again: the transfer is over and does not come back", []Claim{leaving("A", 1, 10), claim("B", 15, 20)},
			[]string{"A counted 1-10", "A transfer 10-15", "B counted 15-20"}},
		{"in B and gone before A let go: A counts again, and the transfer is over", []Claim{leaving("A", 1, 10), claim("B", 4, 6)},
			[]string{"A counted 1-4", "A duplicate 4-6", "A counted 6-10", "B counted 4-6"}},
		{"passed on: A to B to C, C has not answered", []Claim{leaving("A", 1, 10), leaving("B", 12, 20)},
			[]string{"A counted 1-10", "A transfer 10-12", "B counted 12-20", "B transfer 20-open"}},
		{"an older claim does not end the transfer", []Claim{leaving("B", 5, 10), claim("A", 1, Open)},
			[]string{"A counted 1-5", "A duplicate 5-open", "B counted 5-10", "B transfer 10-open"}},
		{"joined and left in one month, taken in in that month", []Claim{leaving("A", 1, 1), claim("B", 1, Open)}, []string{"B counted 1-open"}},
		{"both began on one day, B in force when A lets go: arrived", []Claim{leaving("A", 1, 10), claim("B", 1, Open)},
			[]string{"A counted 1-10", "B duplicate 1-10", "B counted 10-open"}},
		{"both began on one day, B had ended when A let go: not arrived", []Claim{leaving("A", 1, 10), claim("B", 1, 5)},
			[]string{"A counted 1-10", "A transfer 10-open", "B duplicate 1-5"}},
		{"both let go on one day: the person is not lost, the lower code counts", []Claim{leaving("B", 1, 10), leaving("A", 1, 10)},
			[]string{"A counted 1-10", "A transfer 10-open", "B duplicate 1-open"}},
		{"overlap: A, then B, then A again", []Claim{claim("A", 1, Open), claim("B", 10, 20)},
			[]string{"A counted 1-10", "A duplicate 10-20", "A counted 20-open", "B counted 10-20"}},
		{"overlap of three", []Claim{claim("A", 1, 30), claim("B", 10, 20), claim("C", 15, 25)},
			[]string{"A counted 1-10", "A duplicate 10-25", "A counted 25-30", "B counted 10-15", "B duplicate 15-20", "C counted 15-25"}},
		{"same first day: the lower union code", []Claim{claim("B", 1, Open), claim("A", 1, 10)},
			[]string{"A counted 1-10", "B duplicate 1-10", "B counted 10-open"}},
		{"two records of one union: the lower id", []Claim{twin(claim("A", 1, Open)), claim("A", 1, 10)},
			[]string{"A counted 1-10", "A' duplicate 1-10", "A' counted 10-open"}},
		{"next to each other", []Claim{claim("A", 1, 10), claim("B", 10, 20)}, []string{"A counted 1-10", "B counted 10-20"}},
		{"clipped to the union's life", []Claim{lived(claim("A", 1, Open), 5, 20)}, []string{"A counted 5-20"}},
		{"before the union was founded: nothing", []Claim{lived(claim("A", 1, 4), 5, Open)}, nil},
		{"dissolved: the claim that it hid counts again", []Claim{claim("A", 1, Open), lived(claim("B", 10, Open), Always, 20)},
			[]string{"A counted 1-10", "A duplicate 10-20", "A counted 20-open", "B counted 10-20"}},
		{"a transfer ends with the union", []Claim{lived(leaving("A", 1, 10), Always, 20)}, []string{"A counted 1-10", "A transfer 10-20"}},
		{"a founding day that moves the first day decides too", []Claim{lived(claim("A", 1, Open), 10, Open), claim("B", 5, Open)},
			[]string{"A counted 10-open", "B counted 5-10", "B duplicate 10-open"}},
		{"retained", []Claim{claim("A", 1, 10), kept("A", 10, Open)}, []string{"A counted 1-10", "A retained 10-open"}},
		{"retained here, a member there: a member", []Claim{kept("A", 10, Open), claim("B", 1, 20)}, []string{"A retained 20-open", "B counted 1-20"}},
		{"retained by two: once", []Claim{kept("A", 1, Open), kept("B", 5, 10)}, []string{"A retained 1-5", "A retained 10-open", "B retained 5-10"}},
		{"retained around a membership", []Claim{kept("A", 1, Open), claim("B", 5, 10)}, []string{"A retained 1-5", "A retained 10-open", "B counted 5-10"}},
	} {
		for _, claims := range [][]Claim{c.claims, reversed(c.claims)} {
			if diff := gocmp.Diff(c.want, settledText(claims)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", c.why, diff)
			}
		}
	}
}

func settledText(claims []Claim) []string {
	claims = slices.Clone(claims)
	for i := range claims {
		claims[i].tag = i
	}
	settled := Settle(claims)
	slices.SortFunc(settled, func(a, b Settled) int {
		x, y := claims[a.tag], claims[b.tag]
		return cmp.Or(strings.Compare(x.Union, y.Union), cmp.Compare(x.Record[0], y.Record[0]), cmp.Compare(a.From, b.From))
	})
	var out []string
	for _, s := range settled {
		name := claims[s.tag].Union
		if claims[s.tag].Record[0] != 0 {
			name += "'"
		}
		end := "open"
		if s.To != Open {
			end = fmt.Sprint(int(s.To))
		}
		state := [numStates]string{"counted", "transfer", "retained", "duplicate", "without"}[s.State]
		out = append(out, fmt.Sprintf("%s %s %d-%s", name, state, int(s.From), end))
	}
	return out
}
