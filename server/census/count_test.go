package census

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// smallCity is three unions in two counties. Worked out by hand as of 2024-09-30:
//
//	A1 (义乌): 女 31 → couriers; 男 21 in transfer to B1; one retained; one of 1–9 September who left
//	A2 (义乌): 男 21; and a claim on A1's courier since 2020, who went to A1 in 2022 without being let go
//	B1 (婺城): 女 without education, born 1999-10-01: 24 on the day; one record without any event
func smallCity() []plain {
	return []plain{
		aUnit("A1", "330782"), aUnit("A2", "330782"), aUnit("B1", "330702"),
		aUnit("B2", "330702"), aUnit("330782", "330782", "level", "county", "grassroots", "0"),
		aMember("A1", "liu", "id_no", "330702198512310429", "sex", "2", "education", "31", "new_form", "3", "migrant", "1", "birth", "1985-12-31"),
		anEvent("A1", "liu1", "liu", EventJoin, "2022-03-01"),
		aMember("A2", "liu", "id_no", "330702198512310429", "sex", "2", "education", "31", "new_form", "0", "migrant", "1", "birth", "1985-12-31"),
		anEvent("A2", "liu1", "liu", EventJoin, "2020-01-01"),
		aMember("A1", "he", "id_no", "330782199003070013", "sex", "1", "education", "21", "new_form", "0", "migrant", "0", "birth", "1990-03-07"),
		anEvent("A1", "he1", "he", EventJoin, "2021-01-01"),
		anEvent("A1", "he2", "he", EventTransferOut, "2024-09-15", "destination", "B1"),
		aMember("A1", "old", "id_no", "", "sex", "1", "education", "20", "new_form", "0", "migrant", "0", "birth", "1960-01-01"),
		anEvent("A1", "old1", "old", EventJoin, "1990-01"),
		anEvent("A1", "old2", "old", EventRetain, "2020-01-01"),
		aMember("A1", "brief", "sex", "2", "new_form", "0"),
		anEvent("A1", "brief1", "brief", EventJoin, "2024-09-01"),
		anEvent("A1", "brief2", "brief", EventLeave, "2024-09-10"),
		aMember("A2", "wu", "id_no", "330784200002290039", "sex", "1", "education", "21", "new_form", "77", "migrant", "0", "birth", "2000-02-29"),
		anEvent("A2", "wu1", "wu", EventJoin, "2024-09"),
		aMember("B1", "xu", "sex", "2", "new_form", "0", "birth", "1999-10-01"),
		anEvent("B1", "xu1", "xu", EventTransferIn, "2024-09-30"),
		aMember("B1", "none", "sex", "1", "new_form", "0", "birth", "1980-01-01"),
	}
}

func TestCountSmallCity(t *testing.T) {
	c := newStepper(t)
	c.step(smallCity()...)
	members := func(n int) Numbers { return Numbers{Members: n} }
	for _, q := range []struct {
		why   string
		day   string
		by    []Dimension
		also  func(*Query)
		want  map[string]Numbers
		total Numbers
	}{
		{why: "by union", by: []Dimension{ByUnion}, want: map[string]Numbers{
			"A1": {Members: 2, InTransfer: 1, Retained: 1}, "A2": {Members: 1, Duplicates: 1}, "B1": {Members: 1, WithoutEvent: 1}}},
		{why: "by county: 3 + 1 = the city's 4", by: []Dimension{ByCounty}, want: map[string]Numbers{
			"330782": {Members: 3, InTransfer: 1, Retained: 1, Duplicates: 1}, "330702": {Members: 1, WithoutEvent: 1}}},
		{why: "by sex and county", by: []Dimension{BySex, ByCounty}, want: map[string]Numbers{
			"2/330782": {Members: 1, Duplicates: 1}, "1/330782": {Members: 2, InTransfer: 1, Retained: 1},
			"2/330702": members(1), "1/330702": {WithoutEvent: 1}}},
		{why: "the courier counts with what A1 says of her; a code of a newer table is named ?", by: []Dimension{ByGroup}, want: map[string]Numbers{
			"3": members(1), "0": {Members: 2, InTransfer: 1, Retained: 1, Duplicates: 1, WithoutEvent: 1}, "?": members(1)}},
		{why: "who has no education recorded stands under no code", by: []Dimension{ByEducation}, want: map[string]Numbers{
			"31": {Members: 1, Duplicates: 1}, "21": {Members: 2, InTransfer: 1}, "20": {Retained: 1}, "": {Members: 1, WithoutEvent: 1}}},
		{why: "levels of education: 21 and 20 are both university", by: []Dimension{ByEducationLevel}, want: map[string]Numbers{
			"30": {Members: 1, Duplicates: 1}, "20": {Members: 2, InTransfer: 1, Retained: 1}, "": {Members: 1, WithoutEvent: 1}}},
		{why: "ages on the day: 38, 34, 24, and 24 until tomorrow", by: []Dimension{ByAge}, want: map[string]Numbers{
			"0-24": members(2), "25-34": {Members: 1, InTransfer: 1}, "35-44": {Members: 1, Duplicates: 1, WithoutEvent: 1}, "55-": {Retained: 1}}},
		{why: "three dimensions", by: []Dimension{ByCounty, BySex, ByMigrant},
			also: func(q *Query) { q.Filter = []Condition{{ByCounty, []string{"330782"}}, {BySex, []string{"2"}}} },
			want: map[string]Numbers{"330782/2/1": {Members: 1, Duplicates: 1}}, total: Numbers{Members: 1, Duplicates: 1}},
		{why: "in the middle of September: brief has left again, xu is not in yet", day: "2024-09-10", by: []Dimension{ByUnion}, want: map[string]Numbers{
			"A1": {Members: 2, Retained: 1}, "A2": {Members: 1, Duplicates: 1}, "B1": {WithoutEvent: 1}},
			total: Numbers{Members: 3, Retained: 1, Duplicates: 1, WithoutEvent: 1}},
		{why: "the day before: brief is in on her last day", day: "2024-09-09", by: []Dimension{BySex},
			want:  map[string]Numbers{"1": {Members: 2, Retained: 1, WithoutEvent: 1}, "2": {Members: 2, Duplicates: 1}},
			total: Numbers{Members: 4, Retained: 1, Duplicates: 1, WithoutEvent: 1}},
		{why: "nobody dimension", by: nil, want: map[string]Numbers{}},
		{why: "zeros: the county's grassroots unions also without anybody, the federation not", by: []Dimension{ByUnion},
			also: func(q *Query) { q.Zeros = true; q.Filter = []Condition{{ByCounty, []string{"330702"}}} },
			want: map[string]Numbers{"B1": {Members: 1, WithoutEvent: 1}, "B2": {}}, total: Numbers{Members: 1, WithoutEvent: 1}},
		{why: "bands of one's own; an age in none is ?", by: []Dimension{ByAge},
			also: func(q *Query) { q.Bands = []Band{{From: 16, To: 34}} },
			want: map[string]Numbers{"16-34": {Members: 3, InTransfer: 1}, "?": {Members: 1, Retained: 1, Duplicates: 1, WithoutEvent: 1}}},
		{why: "who has no code can be asked for", by: []Dimension{ByUnion},
			also: func(q *Query) { q.Filter = []Condition{{ByEducation, []string{""}}} },
			want: map[string]Numbers{"B1": {Members: 1, WithoutEvent: 1}}, total: Numbers{Members: 1, WithoutEvent: 1}},
	} {
		query := Query{Day: day("2024-09-30"), By: q.by}
		if q.day != "" {
			query.Day = day(q.day)
		}
		if q.also != nil {
			q.also(&query)
		}
		if q.total == (Numbers{}) {
			q.total = Numbers{Members: 4, InTransfer: 1, Retained: 1, Duplicates: 1, WithoutEvent: 1}
		}
		a := c.count(t, query)
		if diff := gocmp.Diff(q.want, numbers(a)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", q.why, diff)
		}
		if a.Total != q.total {
			t.Errorf("%s: total %+v, want %+v", q.why, a.Total, q.total)
		}
	}
}

// TestCorrections: what becomes known later changes what was true, and the count of then
// can still be asked.
func TestCorrections(t *testing.T) {
	c := newStepper(t)
	jan, feb := day("2024-01-31"), day("2024-02-15")
	total := func(d Day, known syncproto.Position) int {
		return c.count(t, Query{Day: d, Known: known}).Total.Members
	}
	one := aMember("A", "m1", "id_no", "330782199003070013")
	first := c.step(one, anEvent("A", "e1", "m1", EventJoin, "2024-01-10"), aMember("B", "m1", "id_no", "330784200002290039"), anEvent("B", "e1", "m1", EventJoin, "2024-02-01"))
	typo := c.step(aMember("B", "m1", "id_no", "330782199003070013"))
	back := c.step(aMember("B", "m1", "id_no", "330784200002290039"))
	void := c.step(one.with("void", "重复录入"))
	unvoid := c.step(one)
	gone := c.step(anEvent("A", "e1", "m1", EventJoin, "2024-01-10", "void", "日期有误"), anEvent("A", "e2", "m1", EventJoin, "2024-02-10"))
	for _, x := range []struct {
		why      string
		known    syncproto.Position
		jan, feb int
	}{
		{"two people", first, 1, 2},
		{"a corrected number makes them one at one position", typo, 1, 1},
		{"and two again", back, 1, 2},
		{"a void member takes her events along", void, 0, 1},
		{"and brings them back", unvoid, 1, 2},
		{"a void event no longer counts, its replacement does", gone, 0, 2},
	} {
		if a, b := total(jan, x.known), total(feb, x.known); a != x.jan || b != x.feb {
			t.Errorf("%s: %d in January, %d in February, want %d and %d", x.why, a, b, x.jan, x.feb)
		}
	}
}

func TestSameAs(t *testing.T) {
	c := newStepper(t)
	d := day("2024-06-30")
	joined := []plain{
		aMember("A", "m1", "sex", "1"), anEvent("A", "e1", "m1", EventJoin, "2024-01-10"),
		aMember("A", "m2", "sex", "2"), anEvent("A", "e2", "m2", EventJoin, "2024-02-10"), anEvent("A", "e3", "m2", EventLeave, "2024-03-01"),
	}
	check := func(why string, want map[string]Numbers, records ...plain) {
		t.Helper()
		c.step(records...)
		if diff := gocmp.Diff(want, numbers(c.count(t, Query{Day: d, By: []Dimension{BySex}}))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", why, diff)
		}
	}
	check("two records without numbers are two people, one of whom left", map[string]Numbers{"1": {Members: 1}}, joined...)
	check("one is a copy of the other: her events are his, and he left", map[string]Numbers{}, joined[2].with("same-as", "m1"))
	check("the leaving was a copy of a joining that was entered twice: still in", map[string]Numbers{"1": {Members: 1}}, joined[4].with("same-as", "e1"))
	check("what it was a copy of is void: it stands for itself again", map[string]Numbers{}, joined[1].with("void", "x"))
	check("and back", map[string]Numbers{"1": {Members: 1}}, joined[1])
	check("m1 is a copy of m2 too: a ring, the lower id speaks", map[string]Numbers{"1": {Members: 1}}, joined[0].with("same-as", "m2"))
	check("m2 is void: m1 stands for itself", map[string]Numbers{"1": {Members: 1}}, joined[2].with("void", "x"))
	check("taken back", map[string]Numbers{"1": {Members: 1}}, joined[0], joined[2], joined[4])
}

// TestFresh: late and silent unions are said, not hidden.
func TestFresh(t *testing.T) {
	c := newStepper(t)
	c.step(smallCity()...)
	c.step(aUnit("C1", "330702", "dissolved", "2024-12-31"), aUnit("D1", "330702", "founded", "2024-10-01"))
	now := time.Date(2025, 1, 10, 8, 0, 0, 0, china).Unix()
	hours := func(n int) int64 { return now - int64(n)*3600 }
	q := Query{Day: day("2024-09-30"), Now: now, Contacts: map[string]Contact{
		"A1": {Last: hours(1), Proved: true}, "A2": {Last: hours(36)}, "B1": {Last: hours(37), Proved: true},
		"C1": {Last: hours(1)}, "D1": {Last: hours(1)}, "330782": {Last: hours(1)}, "gone": {Last: hours(1)},
	}}
	want := Unions{Grassroots: 4, Fresh: 2, Late: 1, Never: 1, Proved: 1, WithinHours: 36, AskedAt: now}
	if got := c.count(t, q).Unions; got != want {
		t.Errorf("the city: %+v, want %+v", got, want)
	}
	q.Filter = []Condition{{ByCounty, []string{"330702"}}}
	q.FreshWithin = 48 * time.Hour
	want = Unions{Grassroots: 2, Fresh: 1, Never: 1, Proved: 1, WithinHours: 48, AskedAt: now}
	if got := c.count(t, q).Unions; got != want {
		t.Errorf("one county, 48 hours: %+v, want %+v", got, want)
	}
	q.Filter = []Condition{{ByUnion, []string{"A1", "C1"}}}
	if got := c.count(t, q).Unions; got.Grassroots != 1 || got.Fresh != 1 {
		t.Errorf("named unions, one dissolved since: %+v", got)
	}
	q.Contacts["A1"] = Contact{Last: hours(-24 * 400), Proved: true}
	if got := c.count(t, q).Unions; got.Fresh != 0 || got.Late != 1 || got.Proved != 0 {
		t.Errorf("a note that a clock a year ahead wrote: %+v, want it not called fresh", got)
	}
	q.Contacts["A1"] = Contact{Last: now + 60}
	if got := c.count(t, q).Unions; got.Fresh != 1 {
		t.Errorf("a note of a node whose clock is a minute ahead: %+v", got)
	}
}

func TestBadQueries(t *testing.T) {
	c := newStepper(t)
	c.step(smallCity()...)
	for _, x := range []struct {
		why  string
		q    Query
		code syncproto.Code
	}{
		{"unknown dimension", Query{By: []Dimension{"height"}}, syncproto.CodeCountDimension},
		{"one twice", Query{By: []Dimension{BySex, BySex}}, syncproto.CodeCountDimension},
		{"unknown dimension in a filter", Query{Filter: []Condition{{Dimension: "x"}}}, syncproto.CodeCountDimension},
		{"four", Query{By: []Dimension{BySex, ByAge, ByMigrant, ByGroup}}, syncproto.CodeCountTooMany},
		{"unknown union", Query{Filter: []Condition{{ByUnion, []string{"Z9"}}}}, syncproto.CodeCountCode},
		{"a code of education is no level", Query{Filter: []Condition{{ByEducationLevel, []string{"31"}}}}, syncproto.CodeCountCode},
		{"bands overlap", Query{Bands: []Band{{From: 16, To: 30}, {From: 30, To: 40}}}, syncproto.CodeCountBands},
		{"a band ends before it begins", Query{Bands: []Band{{From: 30, To: 20}}}, syncproto.CodeCountBands},
		{"an open band before another", Query{Bands: []Band{{From: 30}, {From: 40}}}, syncproto.CodeCountBands},
		{"before the first position", Query{Known: syncproto.MakePosition(1, 0)}, syncproto.CodeCountTooOld},
		{"a position to come", Query{Known: syncproto.MakePosition(1, 99)}, syncproto.CodeCountAhead},
	} {
		if _, err := c.Count(x.q); syncproto.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want E%d", x.why, err, x.code)
		}
	}
}

func TestLabels(t *testing.T) {
	c := newStepper(t)
	c.step(smallCity()...)
	a := c.count(t, Query{Day: day("2024-09-30"), By: []Dimension{ByCounty, ByGroup}, Filter: []Condition{{ByUnion, []string{"A1"}}, {BySex, []string{"2"}}}})
	want := []Key{{ByCounty, "330782", "义乌市", "Yiwu"}, {ByGroup, "3", "快递员", "courier"}}
	if len(a.Rows) != 1 || !gocmp.Equal(a.Rows[0].Keys, want) {
		t.Errorf("rows %+v, want one of %+v", a.Rows, want)
	}
	for _, d := range Dimensions() {
		if l := d.Label(); l.Zh == string(d) || l.En == "" {
			t.Errorf("dimension %s has no label", d)
		}
	}
	if l := (Band{From: 55}).label(); l.Zh != "55-" {
		t.Errorf("a band without a label is called %q", l.Zh)
	}
}

// TestTooLarge: the product of the dimensions is bounded before anything is counted.
func TestTooLarge(t *testing.T) {
	c := newStepper(t)
	for i := range MaxCells/(14*45) + 1 {
		c.people.unions.number(string(rune('A'+i%26)) + time.Duration(i).String())
	}
	c.step(aUnit("A", "330782"))
	_, err := c.Count(Query{By: []Dimension{ByUnion, ByGroup, ByEducation}})
	if syncproto.CodeOf(err) != syncproto.CodeCountTooLarge {
		t.Errorf("%v", err)
	}
}

func TestSchemaSaysWhatIsMissing(t *testing.T) {
	files := map[string][]byte{}
	for _, f := range kind.Embedded().Files() {
		if f.Kind == "member" || f.Kind == "membership-event" {
			files[f.Name] = f.Data
		}
	}
	set, err := kind.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(Config{Kinds: set, Key: testKey})
	if syncproto.CodeOf(err) != syncproto.CodeCountKinds {
		t.Errorf("without org-unit: %v", err)
	}
	if _, err := New(Config{Kinds: kind.Embedded(), Key: []byte("short")}); err == nil {
		t.Error("a short key passed")
	}
}

// TestAllHeld: a member of whom everything is held is not counted, nor is his event, until
// something of the record has come.
func TestAllHeld(t *testing.T) {
	c := newStepper(t)
	c.step(aUnit("B1", "330702"), plain{kind: "member", union: "B1", id: "held"},
		anEvent("B1", "held1", "held", EventJoin, "2024-01-01"), plain{kind: "member", union: "B1", id: "alone"})
	q := Query{Day: day("2024-09-30")}
	if a := c.count(t, q); a.Total != (Numbers{}) {
		t.Errorf("nothing of them is applied, and they count as %+v", a.Total)
	}
	c.step(aMember("B1", "held", "sex", "2"))
	if a := c.count(t, q); a.Total != (Numbers{Members: 1}) {
		t.Errorf("after the record has come: %+v", a.Total)
	}
}
