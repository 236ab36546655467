package testcity

import (
	"bytes"
	"encoding/csv"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"

	"unionsync/internal/cnid"
)

func TestEqualSeedsGiveEqualCities(t *testing.T) {
	o := Options{Unions: 12, Members: 40}
	if diff := cmp.Diff(New(7, o), New(7, o)); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(New(7, o), New(8, o)) {
		t.Error("two seeds give the same city")
	}
}

var phone = regexp.MustCompile(`^1[3-9]\d{9}$`)

// TestRowsAreValid: the door would let every row in. The numbers are checked by the product's
// own package here, which the generator does not use.
func TestRowsAreValid(t *testing.T) {
	c := New(1, Options{Unions: 22})
	on := map[string][]string{}
	for _, r := range c.Rosters {
		here := map[string]bool{}
		for _, row := range r.Rows {
			if err := cnid.CheckCitizen(row.ID); err != nil {
				t.Fatalf("%s: %v", row.ID, err)
			}
			if cnid.BirthOf(row.ID) != row.Birth || cnid.SexOf(row.ID) != row.Sex {
				t.Errorf("%s contradicts birth %s, sex %s", row.ID, row.Birth, row.Sex)
			}
			if Age(row.Birth, row.Joined) < 16 || row.Joined > "2026-06-30" {
				t.Errorf("born %s, joined %s", row.Birth, row.Joined)
			}
			if !phone.MatchString(row.Phone) {
				t.Errorf("telephone %s", row.Phone)
			}
			if here[row.ID] {
				t.Errorf("%s stands twice on one roster", row.ID)
			}
			here[row.ID] = true
			on[row.ID] = append(on[row.ID], r.Union)
		}
	}
	for id, unions := range on {
		if len(unions) > 2 {
			t.Errorf("%s stands on %v", id, unions)
		}
	}
}

// TestShape: the city looks like the real one, as far as the options say.
func TestShape(t *testing.T) {
	c := New(3, Options{Unions: 200})
	rows, women, newForm, second := 0, 0, 0, 0
	seen := map[string]bool{}
	for _, r := range c.Rosters {
		for _, row := range r.Rows {
			rows++
			if row.Sex == "2" {
				women++
			}
			if row.NewForm != "0" {
				newForm++
			}
			if seen[row.ID] {
				second++
			}
			seen[row.ID] = true
		}
	}
	near := func(what string, got, want, within float64) {
		if math.Abs(got-want) > within {
			t.Errorf("%s %.3f, want about %.3f", what, got, want)
		}
	}
	near("members a union", float64(rows)/200, 115, 10)
	near("women", float64(women)/float64(rows), 0.43, 0.02)
	near("new forms", float64(newForm)/float64(rows), 0.14, 0.02)
	near("second rows", float64(second)/float64(rows), 0.04, 0.01)
	if units := len(c.Units); units != 1+11+200 {
		t.Errorf("%d units", units)
	}
	types := map[string]int{}
	for _, e := range c.Events {
		types[e.Type]++
	}
	for _, want := range []string{"3", "4", "6", "7", "8"} {
		if types[want] == 0 {
			t.Errorf("no event of type %s among %v", want, types)
		}
	}
}

func TestSmallCities(t *testing.T) {
	for _, o := range []Options{{Counties: 1, Unions: 1, Members: 1}, {Counties: 99}, {Counties: 9, Unions: 3, Members: 2}} {
		c := New(5, o)
		for _, u := range c.Unions() {
			if r := c.Roster(u.Code); r == nil || len(r.Rows) == 0 {
				t.Errorf("%+v: union %s has no roster", o, u.Code)
			}
		}
		if c.Roster("nosuch") != nil {
			t.Error("a roster of nobody")
		}
	}
}

// TestTreeIsOrdered: whoever reads the units in order knows each parent already.
func TestTreeIsOrdered(t *testing.T) {
	known := map[string]bool{"": true}
	for _, u := range New(1, Options{Unions: 40}).Units {
		if !known[u.Parent] || known[u.Code] {
			t.Errorf("unit %s under %s", u.Code, u.Parent)
		}
		known[u.Code] = true
	}
}

func TestWithCheckDigit(t *testing.T) {
	for _, want := range []string{"11010519491231002X", "440524188001010014", "330782199003070013"} {
		if got := WithCheckDigit(want[:17]); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestEncode(t *testing.T) {
	cells := New(1, Options{Unions: 1, Members: 30}).Rosters[0].Table()
	for _, format := range []Format{XLSX, CSV, CSVBOM, GB18030} {
		b, err := Encode(cells, format)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(cells, decode(t, b, format)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", format, diff)
		}
		again, err := Encode(cells, format)
		if err != nil || format != XLSX && !bytes.Equal(b, again) {
			t.Errorf("%s: a second time other bytes (%v)", format, err)
		}
	}
}

func decode(t *testing.T, b []byte, format Format) [][]string {
	t.Helper()
	if format == XLSX {
		f, err := excelize.OpenReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := f.GetRows("Sheet1")
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows { // trailing empty cells are not stored
			for len(rows[i]) < len(rosterHead) {
				rows[i] = append(rows[i], "")
			}
		}
		return rows[titleRows:]
	}
	if format == GB18030 {
		var err error
		if b, err = simplifiedchinese.GB18030.NewDecoder().Bytes(b); err != nil {
			t.Fatal(err)
		}
	}
	if format == CSVBOM {
		if !bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
			t.Error("no byte order mark")
		}
		b = b[3:]
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestOrgTable(t *testing.T) {
	cells := New(1, Options{Counties: 2, Unions: 2, Members: 1}).OrgTable()
	var codes []string
	for _, row := range cells[1:] {
		codes = append(codes, strings.Join([]string{row[0], row[2], row[3], row[4], row[7]}, " "))
	}
	want := []string{
		"330700 city  SBJ 否",
		"330702 county 330700 330702 否", "330702-00001 union 330702 330702 是",
		"330782 county 330700 330782 否", "330782-00001 union 330782 330782 是",
	}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Error(diff)
	}
}

func TestRecount(t *testing.T) {
	c := &City{
		Units: []Unit{{Code: "A", County: "x"}, {Code: "B", County: "y"}},
		Rosters: []Roster{
			{Union: "A", Rows: []Row{
				{ID: "stays", Joined: "2020-01-10", Sex: "1"},
				{ID: "moves", Joined: "2020-01-10", Sex: "2"},
				{ID: "same day", Joined: "2021-01-01", Sex: "2"},
				{ID: "moves at once", Joined: "2025-01-01", Sex: "2"},
				{ID: "retained", Joined: "2020-01-10", Sex: "1"},
				{ID: "left", Joined: "2020-01-10", Sex: "1"},
				{ID: "out of the city", Joined: "2020-01-10", Sex: "1"},
			}},
			{Union: "B", Rows: []Row{
				{ID: "moves", Joined: "2022-05-01", Sex: "2"},
				{ID: "same day", Joined: "2021-01-01", Sex: "2"},
				{ID: "moves at once", Joined: "2025-01-01", Sex: "2"},
			}},
		},
		Events: []Event{
			{Union: "A", ID: "moves", Type: "4", Date: "2022-03-01", Destination: "B"},
			{Union: "A", ID: "moves at once", Type: "4", Date: "2025-01-01", Destination: "B"},
			{Union: "A", ID: "retained", Type: "8", Date: "2024-01-01"}, // out of order
			{Union: "A", ID: "retained", Type: "3", Date: "2023-01-01"},
			{Union: "A", ID: "left", Type: "6", Date: "2023-01-01"},
			{Union: "A", ID: "out of the city", Type: "4", Date: "2023-01-01"},
		},
	}
	for _, tc := range []struct {
		why, on string
		unions  []string
		want    map[string]int
	}{
		{"before anybody", "2020-01-09", nil, map[string]int{}},
		{"the day of joining counts", "2020-01-10", nil, map[string]int{"A": 5}},
		{"same day in both: the lower code", "2021-01-01", nil, map[string]int{"A": 6}},
		{"on the way: still the old union", "2022-04-30", nil, map[string]int{"A": 6}},
		{"arrived", "2022-05-01", nil, map[string]int{"A": 5, "B": 1}},
		{"the day of an end counts no more", "2023-01-01", nil, map[string]int{"A": 2, "B": 1}},
		{"restored", "2024-01-01", nil, map[string]int{"A": 3, "B": 1}},
		{"joined both and left the lower code on one day: the one not left", "2025-01-01", nil, map[string]int{"A": 3, "B": 2}},
		{"B has not been heard of", "2022-05-01", []string{"A"}, map[string]int{"A": 6}},
		{"A has not been heard of", "2022-05-01", []string{"B"}, map[string]int{"B": 2}},
		{"nobody has", "2022-05-01", []string{}, map[string]int{}},
	} {
		if diff := cmp.Diff(tc.want, c.Recount(tc.on, tc.unions, Dims["union"])); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.why, diff)
		}
	}
	two := c.Recount("2022-05-01", nil, Dims["county"], Dims["sex"])
	if diff := cmp.Diff(map[string]int{"x 1": 4, "x 2": 1, "y 2": 1}, two); diff != "" {
		t.Error(diff)
	}
}

// TestSumsAgree: whatever the city, each person counts once however the count is split.
func TestSumsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New(rapid.Uint64().Draw(t, "seed"), Options{Unions: 5, Members: 12, Twice: 200, Transfers: 200, Ended: 200})
		on := rapid.SampledFrom(c.DaysWorthAsking("2026-06-30", 20)).Draw(t, "day")
		people := map[string]bool{}
		for _, m := range c.InForce(on, nil) {
			if people[m.ID] {
				t.Fatalf("%s counted twice on %s", m.ID, on)
			}
			people[m.ID] = true
		}
		for name, dim := range Dims {
			sum := 0
			for _, n := range c.Recount(on, nil, dim) {
				sum += n
			}
			if sum != len(people) {
				t.Fatalf("by %s: %d, in all %d", name, sum, len(people))
			}
		}
	})
}

func TestAge(t *testing.T) {
	for _, tc := range []struct {
		birth, on string
		want      int
	}{
		{"1990-05-10", "2026-05-09", 35},
		{"1990-05-10", "2026-05-10", 36},
		{"2000-02-29", "2025-02-28", 24},
		{"2000-02-29", "2025-03-01", 25},
		{"2000-02-29", "2024-02-29", 24},
		{"2000-12-31", "2001-01-01", 0},
	} {
		if got := Age(tc.birth, tc.on); got != tc.want {
			t.Errorf("Age(%s, %s) = %d, want %d", tc.birth, tc.on, got, tc.want)
		}
	}
}

func TestBands(t *testing.T) {
	band := Bands(30, 40)
	var got []string
	for _, birth := range []string{"2000-01-01", "1996-01-01", "1987-01-01", "1986-01-01", "1900-01-01"} {
		got = append(got, band(Counted{Row: Row{Birth: birth}, Day: "2026-01-01"}))
	}
	if want := []string{"0-29", "30-39", "30-39", "40-", "40-"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
