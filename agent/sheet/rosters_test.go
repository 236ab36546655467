package sheet_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/agent/sheet"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

const today = "2026-11-23"

// readFile reads a file of testdata.
func readFile(t *testing.T, name string) *sheet.Table {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	table, err := sheet.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// plan plans a file of testdata as members, with nothing stored.
func plan(t *testing.T, name string) *sheet.Plan {
	t.Helper()
	p, err := sheet.Make(readFile(t, name), kind.Embedded(), "member", sheet.Options{Today: today})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type verdict struct {
	Row     int    `json:"row"`
	Verdict string `json:"verdict"`
	Why     string `json:"why"`
}

func expected(t *testing.T, name string) []verdict {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var v []verdict
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// reasons gives the code that each refusal or normalisation of the messy roster must name.
var reasons = map[string][]syncproto.Code{
	"inner spaces in a Han name":                              {syncproto.CodeNoteSpaces},
	"lower-case x / full-width digits / apostrophe in the id": {syncproto.CodeNoteApostrophe},
	"check digit of the id is wrong":                          {syncproto.CodeIDCheck},
	"id stored as a number: last digits lost":                 {syncproto.CodeIDNumeric},
	"birth date in the id does not exist":                     {syncproto.CodeIDBirth},
	"sex contradicts the id":                                  {syncproto.CodeContradicts},
	"name missing":                                            {syncproto.CodeMissing},
	"17 characters in the id":                                 {syncproto.CodeIDLength},
	"汉 for 汉族":                                                {syncproto.CodeNoteAlias},
	"date written another way":                                {syncproto.CodeNoteDate},
	"date as a spreadsheet serial":                            {syncproto.CodeNoteSerial},
	"same person twice in the file":                           {syncproto.CodeRowTwice},
	"look-alike of the name's middle dot":                     {syncproto.CodeNoteDot},
	"joined before the age of 16":                             {syncproto.CodeRule},
	"joined in the future":                                    {syncproto.CodeRule},
	"unknown education word":                                  {syncproto.CodeNotInTable},
}

// TestMessyRosters: both files give exactly the expected verdicts, row by row, each with
// its reason and no other.
func TestMessyRosters(t *testing.T) {
	for _, name := range []string{"roster-messy.xlsx", "roster-messy.gb18030.csv"} {
		t.Run(name, func(t *testing.T) {
			p := plan(t, name)
			want := expected(t, "roster-messy.expected.json")
			if len(p.Rows) != len(want) {
				t.Fatalf("%d rows, want %d", len(p.Rows), len(want))
			}
			for i, w := range want {
				r := p.Rows[i]
				if r.Serial != strconv.Itoa(w.Row) || string(r.Verdict) != w.Verdict {
					t.Errorf("row %s: %s, want row %d: %s (%s): %v", r.Serial, r.Verdict, w.Row, w.Verdict, w.Why, codes(r))
					continue
				}
				if w.Verdict == "accept" {
					continue
				}
				if diff := cmp.Diff(reasons[w.Why], codes(r)); diff != "" {
					t.Errorf("row %d (%s): reasons (-want +got)\n%s", w.Row, w.Why, diff)
				}
			}
			if len(p.Skipped) != 1 || len(p.Unknown) != 0 || len(p.Aside) != 0 || len(p.General) != 0 {
				t.Errorf("skipped %v, unknown %v, aside %v, general %v", p.Skipped, p.Unknown, p.Aside, p.General)
			}
		})
	}
}

// codes gives why a row is refused, or else what was normalised.
func codes(r sheet.Planned) []syncproto.Code {
	var out []syncproto.Code
	for _, f := range r.Refused() {
		out = append(out, f.Code)
	}
	if len(out) > 0 {
		return out
	}
	for _, n := range r.Notes {
		out = append(out, n.Code)
	}
	return out
}

// TestPlainRosters: all 111 rows of both files are accepted as they stand, and both files
// mean the same.
func TestPlainRosters(t *testing.T) {
	a, b := plan(t, "roster-plain.xlsx"), plan(t, "roster-plain.gb18030.csv")
	for _, p := range []*sheet.Plan{a, b} {
		if n := p.Count(sheet.Accept); n != 111 || len(p.Rows) != 111 {
			t.Errorf("%d of %d rows accepted, want 111", n, len(p.Rows))
			for _, r := range p.Rows {
				if r.Verdict != sheet.Accept {
					t.Errorf("row %d: %s %v", r.Number, r.Verdict, codes(r))
				}
			}
		}
	}
	for i := range a.Rows {
		if diff := cmp.Diff(a.Rows[i].Record, b.Rows[i].Record); diff != "" {
			t.Errorf("row %d: record (-xlsx +csv)\n%s", i, diff)
		}
		if diff := cmp.Diff(a.Rows[i].Companion, b.Rows[i].Companion); diff != "" {
			t.Errorf("row %d: event (-xlsx +csv)\n%s", i, diff)
		}
	}
}
