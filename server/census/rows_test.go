package census

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestRowsStand: what is put again without a change leaves every row as it was, and a change
// closes only the rows that are no longer true.
func TestRowsStand(t *testing.T) {
	c := newStepper(t)
	c.step(smallCity()...)
	before := c.book.rows.len()
	steps := len(c.book.steps)
	c.step(smallCity()...)
	if c.book.rows.len() != before || len(c.book.steps) != steps {
		t.Errorf("%d rows in %d steps became %d in %d", before, steps, c.book.rows.len(), len(c.book.steps))
	}
	// B1 takes in, from 20 September, who has been in transfer since the 15th: the row in
	// transfer is closed for a shorter one, and B1 gets one.
	c.step(aMember("B1", "he", "id_no", "330782199003070013", "sex", "1"), anEvent("B1", "he1", "he", EventTransferIn, "2024-09-20"))
	closed := 0
	for _, k := range c.book.rows.knownTo[:before] {
		if k != stands {
			closed++
		}
	}
	if added := c.book.rows.len() - before; closed != 1 || added != 2 {
		t.Errorf("%d rows closed, %d added, want 1 and 2", closed, added)
	}
}

// TestTransferOrders: a transfer counts the same whichever end arrives first, and on every
// day the person is there once.
func TestTransferOrders(t *testing.T) {
	const person = "330782199003070013"
	out := []plain{aMember("A", "m", "id_no", person), anEvent("A", "e1", "m", EventJoin, "2024-01-01"),
		anEvent("A", "e2", "m", EventTransferOut, "2024-03-10", "destination", "B")}
	in := []plain{aMember("B", "m", "id_no", person), anEvent("B", "e1", "m", EventTransferIn, "2024-03-20", "origin", "A")}
	a, b := newStepper(t), newStepper(t)
	a.step(out...)
	a.step(in...)
	b.step(in...)
	b.step(out...)
	if diff := gocmp.Diff(standing(a), standing(b)); diff != "" {
		t.Errorf("the order of arrival matters\n%s", diff)
	}
	moving := Numbers{Members: 1, InTransfer: 1}
	for _, x := range []struct {
		day  string
		want map[string]Numbers
	}{
		{"2023-12-31", map[string]Numbers{}},
		{"2024-01-01", map[string]Numbers{"A": {Members: 1}}},
		{"2024-03-09", map[string]Numbers{"A": {Members: 1}}},
		{"2024-03-10", map[string]Numbers{"A": moving}},
		{"2024-03-19", map[string]Numbers{"A": moving}},
		{"2024-03-20", map[string]Numbers{"B": {Members: 1}}},
	} {
		if diff := gocmp.Diff(x.want, numbers(b.count(t, Query{Day: day(x.day), By: []Dimension{ByUnion}}))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", x.day, diff)
		}
	}
}

// TestUnionLife: founding and dissolving days that come later change the rows of all
// members, and can be taken back.
func TestUnionLife(t *testing.T) {
	c := newStepper(t)
	total := func(d string) int { return c.count(t, Query{Day: day(d)}).Total.Members }
	c.step(aMember("A", "m1"), anEvent("A", "e1", "m1", EventJoin, "2020-01-01"), aMember("A", "m2"), anEvent("A", "e2", "m2", EventJoin, "2023-01-01"))
	for _, x := range []struct {
		why              string
		unit             plain
		in2021, in2024   int
		closed, appended int
	}{
		{"a unit without days changes nothing", aUnit("A", "330782"), 1, 2, 0, 0},
		{"founded later than its first member joined", aUnit("A", "330782", "founded", "2022-01"), 0, 2, 1, 1},
		{"dissolved", aUnit("A", "330782", "founded", "2022-01", "dissolved", "2024-01-01"), 0, 0, 2, 2},
		{"another county changes no row", aUnit("A", "330702", "founded", "2022-01", "dissolved", "2024-01-01"), 0, 0, 0, 0},
		{"taken out of the tree", aUnit("A", "330702", "void", "x"), 1, 2, 2, 2},
	} {
		standBefore, before := len(standing(c)), c.book.rows.len()
		c.step(x.unit)
		appended := c.book.rows.len() - before
		if closed := standBefore + appended - len(standing(c)); closed != x.closed || appended != x.appended {
			t.Errorf("%s: %d rows closed, %d appended, want %d and %d", x.why, closed, appended, x.closed, x.appended)
		}
		if a, b := total("2021-06-30"), total("2024-06-30"); a != x.in2021 || b != x.in2024 {
			t.Errorf("%s: %d and %d members, want %d and %d", x.why, a, b, x.in2021, x.in2024)
		}
	}
}

// TestBalance: the number at the end follows from the number at the beginning and the events
// between, as 逻辑检查 wants it.
func TestBalance(t *testing.T) {
	c := newStepper(t)
	at := func(d string) int { return c.count(t, Query{Day: day(d)}).Total.Members }
	c.step(
		aMember("A", "m1"), anEvent("A", "a1", "m1", EventJoin, "2023-05-01"), anEvent("A", "a2", "m1", EventLeave, "2023-10-01"),
		aMember("A", "m2"), anEvent("A", "b1", "m2", EventJoin, "2023-10-01"),
		aMember("A", "m3"), anEvent("A", "c1", "m3", EventJoin, "2020-01"), anEvent("A", "c2", "m3", EventRetain, "2023-12-01"), anEvent("A", "c3", "m3", EventRestore, "2024-09-30"),
		aMember("A", "m4"), anEvent("A", "d1", "m4", EventJoin, "2020-01"), anEvent("A", "d2", "m4", EventTransferOut, "2024-02-01", "destination_outside", "上海"),
		aMember("A", "m5"), anEvent("A", "f1", "m5", EventTransferIn, "2024-01-01"), anEvent("A", "f2", "m5", EventDeath, "2024-09-30"),
		aMember("A", "m6"), anEvent("A", "g1", "m6", EventJoin, "2024-10-01"),
	)
	// From the evening of 30 September 2023 to that of 2024: m1, m3, m4 at the beginning; in:
	// m2, m5 and m3 restored; out: m1, m3 retained, m4, m5.
	if begin, end := at("2023-09-30"), at("2024-09-30"); begin != 3 || end != begin+3-4 {
		t.Errorf("%d at the beginning, %d at the end, want 3 and 2", begin, end)
	}
}
