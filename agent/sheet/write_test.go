package sheet_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/agent/sheet"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// write writes a list of members to memory.
func write(t testing.TB, format sheet.Format, name string, rows []sheet.Exported, l sheet.Layout) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := sheet.Write(&b, format, kind.Embedded(), name, rows, l); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// exported gives the rows of a plan as a list to write.
func exported(p *sheet.Plan) []sheet.Exported {
	var rows []sheet.Exported
	for _, r := range p.Rows {
		if r.Verdict != sheet.Refuse {
			rows = append(rows, sheet.Exported{Record: r.Record, Companion: r.Companion})
		}
	}
	return rows
}

// TestExportImportsAgain: a written roster gives the same members and events, in every
// format and language; against the stored ones it changes nothing.
func TestExportImportsAgain(t *testing.T) {
	rows := exported(plan(t, "roster-messy.xlsx"))
	existing := func(key []string) []sheet.Existing {
		for _, r := range rows {
			if string(r.Record[12]) == key[1] {
				return []sheet.Existing{{ID: syncproto.HashedID(key[1]), Values: r.Record, Companion: r.Companion}}
			}
		}
		return nil
	}
	for _, format := range []sheet.Format{sheet.XLSX, sheet.CSV} {
		for _, lang := range []string{"zh", "en"} {
			table, err := read(write(t, format, "member", rows, sheet.Layout{Lang: lang}))
			if err != nil {
				t.Fatal(err)
			}
			p := planOf(t, table, sheet.Options{})
			if len(p.Rows) != len(rows) || p.Count(sheet.Refuse) != 0 || len(p.Unknown) != 0 {
				t.Fatalf("%s %s: %d rows of %d, %d refused, unknown %v", format, lang, len(p.Rows), len(rows), p.Count(sheet.Refuse), p.Unknown)
			}
			for i, r := range p.Rows {
				if diff := cmp.Diff(rows[i], sheet.Exported{Record: r.Record, Companion: r.Companion}); diff != "" {
					t.Fatalf("%s %s row %d (-written +read)\n%s", format, lang, i, diff)
				}
			}
			again := planOf(t, table, sheet.Options{Existing: existing})
			if n := again.Count(sheet.Unchanged); n != len(rows) {
				t.Errorf("%s %s: %d of %d unchanged", format, lang, n, len(rows))
			}
		}
	}
}

// TestExportAnyText: whatever text a person typed comes back from both formats.
func TestExportAnyText(t *testing.T) {
	k, _ := kind.Embedded().Kind("member")
	f, _ := k.Field("remark")
	base := makePlan(t, heads+"\n"+good+"\n", sheet.Options{}).Rows[0]
	texts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"=1+1", "-a", "@x", "\"q\"", "a,b", "a\nb", "_x000D_", "'x", "\u1fefA", "+86", "-5", "123456789012"}))
	rapid.Check(t, func(rt *rapid.T) {
		value, _, problem := f.Parse(texts.Draw(rt, "text"))
		if problem != nil || value == nil {
			return
		}
		record := kind.Values{f.Number: value}
		for n, v := range base.Record {
			record[n] = v
		}
		rows := []sheet.Exported{{Record: record, Companion: base.Companion}}
		for _, format := range []sheet.Format{sheet.XLSX, sheet.CSV} {
			table, err := read(write(t, format, "member", rows, sheet.Layout{}))
			if err != nil {
				rt.Fatal(err)
			}
			p := planOf(t, table, sheet.Options{})
			if len(p.Rows) != 1 || !bytes.Equal(p.Rows[0].Record[f.Number], value) {
				rt.Fatalf("%s: %q became %q", format, value, p.Rows[0].Record[f.Number])
			}
		}
	})
}

// TestExportOtherKinds: other kinds' lists import again too.
func TestExportOtherKinds(t *testing.T) {
	for name, pairs := range map[string][]string{
		"org-unit":   {"code", "JH-1", "name", "某工会", "level", "union", "parent", "C1", "county", "330782", "grassroots", "1"},
		"disclosure": {"year", "2026", "category", "P1", "title", "经营情况", "channels", "1\n3", "start", "2026-03-01", "evidence", "photo"},
	} {
		k, _ := kind.Embedded().Kind(name)
		v := kind.Values{}
		for i := 0; i < len(pairs); i += 2 {
			f, err := k.Find(pairs[i])
			if err != nil {
				t.Fatal(err)
			}
			v[f.Number] = []byte(pairs[i+1])
		}
		for _, format := range []sheet.Format{sheet.XLSX, sheet.CSV} {
			table, err := read(write(t, format, name, []sheet.Exported{{Record: v}}, sheet.Layout{}))
			if err != nil {
				t.Fatal(err)
			}
			p, err := sheet.Make(table, kind.Embedded(), name, sheet.Options{Today: today})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v, p.Rows[0].Record); diff != "" || p.Rows[0].Verdict != sheet.Accept {
				t.Errorf("%s %s: %v (-written +read)\n%s", name, format, codes(p.Rows[0]), diff)
			}
		}
	}
}

// TestWriteCSV: the very bytes, with the mark, CRLF and the guards against spreadsheets.
func TestWriteCSV(t *testing.T) {
	r := makePlan(t, heads+",备注\n"+good+",=1+1\n", sheet.Options{}).Rows[0]
	l := sheet.Layout{Names: []string{"name", "id_no", "mobile", "date", "remark"}}
	want := "\ufeff序号,姓名,证件号码,移动电话,入会日期,备注\r\n1,张三,\"\t330782199003070013\",13307225249,2010-05-01,\"\t=1+1\"\r\n"
	rows := []sheet.Exported{{Record: r.Record, Companion: r.Companion}}
	if got := string(write(t, sheet.CSV, "member", rows, l)); got != want {
		t.Errorf("got %q", got)
	}
	l.Mask = true
	if got := string(write(t, sheet.CSV, "member", rows, l)); strings.Contains(got, "330782199003070013") || !strings.Contains(got, "330782********0013") {
		t.Errorf("masked: %q", got)
	}
}

// broken is a disk that is full.
type broken struct{}

// Write implements [io.Writer].
func (broken) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestWriteFails(t *testing.T) {
	rows := exported(plan(t, "roster-plain.xlsx"))
	for _, format := range []sheet.Format{sheet.XLSX, sheet.CSV} {
		if err := sheet.Write(broken{}, format, kind.Embedded(), "member", rows, sheet.Layout{}); syncproto.CodeOf(err) != syncproto.CodeSheetWrite {
			t.Errorf("%s: %v", format, err)
		}
	}
	if err := sheet.Write(broken{}, sheet.CSV, kind.Embedded(), "nothing", nil, sheet.Layout{}); syncproto.CodeOf(err) != syncproto.CodeUnknownKind {
		t.Error(err)
	}
	if err := sheet.Write(broken{}, sheet.CSV, kind.Embedded(), "member", nil, sheet.Layout{Names: []string{"nothing"}}); syncproto.CodeOf(err) != syncproto.CodeUnknownName {
		t.Error(err)
	}
}

// TestLargeRoster: 10,000 rows are read and planned, from a workbook and from CSV.
func TestLargeRoster(t *testing.T) {
	data, err := os.ReadFile("testdata/roster-plain.gb18030.csv")
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := bytes.Cut(data, []byte("\n"))
	many := append(append([]byte{}, head...), '\n')
	many = append(many, bytes.Repeat(append(bytes.TrimRight(body, "\r\n"), '\n'), 91)...)
	table, err := read(many)
	if err != nil {
		t.Fatal(err)
	}
	p := planOf(t, table, sheet.Options{})
	if p.Count(sheet.Accept) != 111 || p.Count(sheet.Refuse) != 90*111 {
		t.Errorf("%d accepted, %d refused", p.Count(sheet.Accept), p.Count(sheet.Refuse))
	}
}
