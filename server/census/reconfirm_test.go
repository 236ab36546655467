package census

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestReconfirming: an answer says of each union and of the total that it is being confirmed
// again, where the filters leave that union in; when nothing is, it says nothing. Seen to fail
// with the filters passed over, and with unions left out that the tree does not know yet.
func TestReconfirming(t *testing.T) {
	c := newStepper(t)
	c.step(smallCity()...)
	since := time.Date(2024, 10, 7, 9, 30, 0, 0, china).Unix()
	for _, row := range []struct {
		why    string
		marked []string
		filter []Condition
		total  int
		rows   string // unions marked among the rows
	}{
		{"nothing is", nil, nil, 0, ""},
		{"one union", []string{"A1"}, nil, 1, "A1"},
		{"a filter by union leaves it out", []string{"A1"}, []Condition{{ByUnion, []string{"B1"}}}, 0, ""},
		{"a filter by union keeps it", []string{"A1", "B1"}, []Condition{{ByUnion, []string{"B1"}}}, 1, "B1"},
		{"a filter by people does not say which unions", []string{"A1"}, []Condition{{BySex, []string{"2"}}}, 1, "A1"},
		{"one that nothing has come of yet", []string{"Z9"}, nil, 1, ""},
		{"the same, beside a filter by union", []string{"Z9"}, []Condition{{ByUnion, []string{"A1"}}}, 0, ""},
	} {
		q := Query{Day: day("2024-09-30"), By: []Dimension{ByUnion}, Zeros: true, Filter: row.filter, Reconfirming: map[string]bool{}, ReconfirmingSince: since}
		for _, code := range row.marked {
			q.Reconfirming[code] = true
		}
		a := c.count(t, q)
		var marked []string
		for _, r := range a.Rows {
			if r.Reconfirming {
				marked = append(marked, r.Keys[0].Code)
			}
		}
		if got := strings.Join(marked, " "); a.Unions.Reconfirming != row.total || got != row.rows || (a.Unions.ReconfirmingSince != 0) != (row.total > 0) {
			t.Errorf("%s: %d in all, rows %q, since %d; want %d, %q", row.why, a.Unions.Reconfirming, got, a.Unions.ReconfirmingSince, row.total, row.rows)
		}
		said := a.Facts("en")[0][0]
		if says := strings.Contains(said, "re-confirmed since the centre was restored on 2024-10-07 09:30"); says != (row.total > 0) {
			t.Errorf("%s: the first fact is %q", row.why, said)
		}
		checkMarkedTable(t, row.why, &a)
	}
}

func checkMarkedTable(t *testing.T, why string, a *Answer) {
	t.Helper()
	for _, lang := range []string{"zh", "en"} {
		head, rows := a.Table(lang)
		for _, r := range rows {
			if len(r) != len(head) {
				t.Errorf("%s: row %q has not the %d cells of %q", why, r, len(head), head)
			}
		}
		var b bytes.Buffer
		if err := a.WriteCSV(&b, lang); err != nil {
			t.Fatal(err)
		}
		word := wordsOf(lang)[7]
		if strings.Contains(b.String(), word) != (a.Unions.Reconfirming > 0) {
			t.Errorf("%s: %q in\n%s", why, word, &b)
		}
	}
}
