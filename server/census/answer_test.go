package census

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-golden +got)\n%s", name, diff)
	}
}

func anAnswer(t *testing.T, by ...Dimension) Answer {
	c := newStepper(t)
	c.step(smallCity()...)
	return c.count(t, Query{
		Day: day("2024-09-30"), By: by, Filter: []Condition{{BySex, []string{"1", "2"}}},
		Now:      time.Date(2024, 10, 8, 8, 0, 0, 0, china).Unix(),
		Contacts: map[string]Contact{"A1": {Last: time.Date(2024, 10, 8, 2, 0, 0, 0, china).Unix(), Proved: true}},
	})
}

// TestForms keeps the forms that programs and spreadsheets read.
func TestForms(t *testing.T) {
	a := anAnswer(t, ByCounty, BySex)
	var b bytes.Buffer
	if err := a.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "answer.json.golden", b.Bytes())
	for _, lang := range []string{"zh", "en"} {
		b.Reset()
		if err := a.WriteCSV(&b, lang); err != nil {
			t.Fatal(err)
		}
		golden(t, "answer."+lang+".csv.golden", b.Bytes())
	}
	b.Reset()
	all := anAnswer(t)
	if err := all.WriteCSV(&b, "zh"); err != nil {
		t.Fatal(err)
	}
	golden(t, "total.zh.csv.golden", b.Bytes())
}

func TestEmptyAnswerHasLists(t *testing.T) {
	c := newStepper(t)
	a := c.count(t, Query{Day: day("2024-09-30")})
	var b bytes.Buffer
	if err := a.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "null") {
		t.Errorf("a program would have to ask for null:\n%s", &b)
	}
}

func TestTable(t *testing.T) {
	a := anAnswer(t, ByUnion)
	head, rows := a.Table("zh")
	for _, r := range rows {
		if len(r) != len(head) {
			t.Errorf("row %q has not the %d cells of %q", r, len(head), head)
		}
	}
	if want := []string{"工会 代码", "工会", "会员数"}; !gocmp.Equal(head[:3], want) {
		t.Errorf("head %q, want %q", head, want)
	}
	if want := []string{"合计", "", "4", "1", "1", "1", "1"}; !gocmp.Equal(rows[len(rows)-1], want) {
		t.Errorf("last row %q, want %q", rows[len(rows)-1], want)
	}
}

// TestInert: a name that a spreadsheet would run stays a name.
func TestInert(t *testing.T) {
	c := newStepper(t)
	c.step(aUnit("A", "330782", "name", `=HYPERLINK("http://x","工会")`), aMember("A", "m"), anEvent("A", "e", "m", EventJoin, "2024-01-01"))
	a := c.count(t, Query{Day: day("2024-09-30"), By: []Dimension{ByUnion}})
	var b bytes.Buffer
	if err := a.WriteCSV(&b, "zh"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"'=HYPERLINK`) {
		t.Errorf("%s", &b)
	}
}

func TestWriteFails(t *testing.T) {
	a := anAnswer(t, BySex)
	full := failing{errors.New("disk full")}
	if err := a.WriteJSON(full); !errors.Is(err, full.err) {
		t.Errorf("JSON: %v", err)
	}
	if err := a.WriteCSV(full, "zh"); !errors.Is(err, full.err) {
		t.Errorf("CSV: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
