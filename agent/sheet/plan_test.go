package sheet_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/agent/sheet"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

const (
	heads = "姓名,证件号码,民族,学历,移动电话,工作单位,入会日期"
	good  = "张三,330782199003070013,汉族,大专,13307225249,某某公司,2010-05-01"
)

// makePlan plans CSV text as members.
func makePlan(t testing.TB, text string, o sheet.Options) *sheet.Plan {
	t.Helper()
	table, err := read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return planOf(t, table, o)
}

func planOf(t testing.TB, table *sheet.Table, o sheet.Options) *sheet.Plan {
	t.Helper()
	o.Today = today
	p, err := sheet.Make(table, kind.Embedded(), "member", o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// value gives a planned value as text.
func value(t testing.TB, k *kind.Kind, v kind.Values, name string) string {
	t.Helper()
	f, err := k.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return v.Text(f)
}

// TestGroup: a new row gives the member and its event of joining, complete but for the link.
func TestGroup(t *testing.T) {
	p := makePlan(t, heads+"\n"+good+"\n", sheet.Options{})
	r := p.Rows[0]
	if r.Verdict != sheet.Accept || r.Update || r.Number != 2 {
		t.Fatalf("%s, update %v, row %d: %v", r.Verdict, r.Update, r.Number, codes(r))
	}
	for name, want := range map[string]string{"name": "张三", "id_type": "111", "sex": "1", "birth": "1990-03-07", "education": "31", "new_form": "0", "migrant": ""} {
		if got := value(t, p.Kind, r.Record, name); got != want {
			t.Errorf("member %s = %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"type": "1", "date": "2010-05-01", "member": "", "reason": ""} {
		if got := value(t, p.Companion, r.Companion, name); got != want {
			t.Errorf("event %s = %q, want %q", name, got, want)
		}
	}
}

// TestVerdicts: single rows below the usual headings, each with its one reason.
func TestVerdicts(t *testing.T) {
	change := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	for _, c := range []struct {
		why, row string
		verdict  sheet.Verdict
		want     []syncproto.Code
	}{
		{"good", good, sheet.Accept, nil},
		{"joined with an unknown date", change("2010-05-01", "不详"), sheet.Refuse, []syncproto.Code{syncproto.CodeNotDate}},
		{"no date of joining", change("2010-05-01", ""), sheet.Refuse, []syncproto.Code{syncproto.CodeMissing}},
		{"joined before 16", change("2010-05-01", "2006-03-06"), sheet.Refuse, []syncproto.Code{syncproto.CodeRule}},
		{"an old number", change("330782199003070013", "330702851231042"), sheet.Normalise, []syncproto.Code{syncproto.CodeNoteOldID}},
		{"exponent in a text column", change("某某公司", "1.23457E+12"), sheet.Refuse, []syncproto.Code{syncproto.CodeIDNumeric}},
		{"two things wrong are both told", change("大专", "博古通今") + "x", sheet.Refuse, []syncproto.Code{syncproto.CodeNotInTable, syncproto.CodeNotDate}},
		{"only a name", "李四,,,,,,", sheet.Refuse, []syncproto.Code{210, 210, 210, 210, 210, 210}},
	} {
		p := makePlan(t, heads+"\n"+c.row+"\n", sheet.Options{})
		if len(p.Rows) != 1 || p.Rows[0].Verdict != c.verdict {
			t.Errorf("%s: %d rows, %v", c.why, len(p.Rows), p.Rows)
			continue
		}
		if diff := cmp.Diff(c.want, codes(p.Rows[0])); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.why, diff)
		}
	}
}

func TestTwice(t *testing.T) {
	p := makePlan(t, heads+"\n"+good+"\n"+strings.Replace(good, "33078", "'33078", 1)+"\n"+strings.Replace(good, "大专", "博古通今", 1)+"\n", sheet.Options{})
	for i, want := range []sheet.Verdict{sheet.Accept, sheet.Refuse, sheet.Refuse} {
		if p.Rows[i].Verdict != want {
			t.Errorf("row %d: %s, want %s", i, p.Rows[i].Verdict, want)
		}
	}
	f := p.Rows[1].Refused()[0]
	if f.Code != syncproto.CodeRowTwice || f.Err().Args["first"] != "2" {
		t.Errorf("E%d %v", f.Code, f.Err().Args)
	}
}

// TestHeader: where headings are looked for, and how they may be written.
func TestHeader(t *testing.T) {
	for _, c := range []struct {
		why, text string
		rows      int
		unknown   []string
	}{
		{"under title rows", "某公司会员名册,,\n填报单位：某公司,,\n\n" + heads + "\n" + good, 1, nil},
		{"other usual words", "序号,会员姓名,身份证号码*,民 族,文化程度,手机（必填）,单位,入会时间\n1," + good, 1, nil},
		{"English ones", "No.,Name,Document number,Ethnic group,Education,Mobile,Employer,Joined on\n1," + good, 1, nil},
		{"unknown and repeated columns", heads + ",血型,手机\n" + good + ",A,1", 1, []string{"H 血型 false", "I 手机 true"}},
		{"notes and totals below", heads + "\n" + good + "\n合计：1人\n填表说明：用文本格式\n,,,,,审核人：王五,\n", 1, nil},
		{"notes in the first column, signatures in others", heads + "\n" + good + "\n负责人签字：,,,,填表日期：2026-01-01\n", 1, nil},
	} {
		p := makePlan(t, c.text, sheet.Options{})
		var unknown []string
		for _, u := range p.Unknown {
			unknown = append(unknown, u.Letter()+" "+u.Text+" "+strconv.FormatBool(u.Twice))
		}
		if diff := cmp.Diff(c.unknown, unknown); diff != "" || p.Count(sheet.Accept) != c.rows || len(p.Rows) != c.rows {
			t.Errorf("%s: %d of %d rows accepted: %v\n%s", c.why, p.Count(sheet.Accept), len(p.Rows), p.Rows, diff)
		}
	}
}

func TestHeaderMissing(t *testing.T) {
	for why, text := range map[string]string{
		"three headings are too few": "姓名,证件号码,民族\n张三,330782199003070013,汉族",
		"below row 15":               strings.Repeat("标题\n", 15) + heads + "\n" + good,
	} {
		table, err := read([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sheet.Make(table, kind.Embedded(), "member", sheet.Options{Today: today}); syncproto.CodeOf(err) != syncproto.CodeSheetNoHeader {
			t.Errorf("%s: %v", why, err)
		}
	}
	if _, err := sheet.Make(&sheet.Table{}, kind.Embedded(), "nothing", sheet.Options{}); syncproto.CodeOf(err) != syncproto.CodeUnknownKind {
		t.Errorf("unknown kind: %v", err)
	}
	p := makePlan(t, strings.Replace(heads, "入会日期", "日子", 1)+"\n"+good, sheet.Options{})
	if len(p.General) != 1 || p.General[0].Code != syncproto.CodeSheetNoColumns || p.General[0].Args["field"] != "date" {
		t.Errorf("a missing column is not told: %v", p.General)
	}
}

// cellsOf makes a row of inline strings; a cell that begins with # is a number.
func cellsOf(cells ...string) string {
	var b strings.Builder
	b.WriteString("<row>")
	for _, c := range cells {
		switch {
		case c == "":
			b.WriteString("<c/>")
		case strings.HasPrefix(c, "#"):
			style, number, _ := strings.Cut(c[1:], ":")
			b.WriteString(`<c s="` + style + `"><v>` + number + `</v></c>`)
		case c == "!":
			b.WriteString(`<c t="e"><v>#N/A</v></c>`)
		default:
			b.WriteString(`<c t="inlineStr"><is><t>` + c + `</t></is></c>`)
		}
	}
	return b.String() + "</row>"
}

// TestWorkbookCells: what only workbooks can do to a roster.
func TestWorkbookCells(t *testing.T) {
	row := func(at int, cell string) string {
		cells := strings.Split(good, ",")
		cells[at] = cell
		return cellsOf(cells...)
	}
	for _, c := range []struct {
		why, row string
		verdict  sheet.Verdict
		want     []syncproto.Code
	}{
		{"text", row(0, "张三"), sheet.Accept, nil},
		{"an id that is a number", row(1, "#0:3.30782199003070E+17"), sheet.Refuse, []syncproto.Code{syncproto.CodeIDNumeric}},
		{"the same with all digits shown", row(1, "#0:330782199003070000"), sheet.Refuse, []syncproto.Code{syncproto.CodeIDNumeric}},
		{"even when it would pass the check", row(1, "#0:330782199003070013"), sheet.Refuse, []syncproto.Code{syncproto.CodeIDNumeric}},
		{"15 digits are exact", row(1, "#0:330702851231042"), sheet.Normalise, []syncproto.Code{syncproto.CodeNoteOldID}},
		{"a mobile that is a number", row(4, "#0:13307225249"), sheet.Accept, nil},
		{"a day", row(6, "#1:43651"), sheet.Normalise, []syncproto.Code{syncproto.CodeNoteSerial}},
		{"a day with a time", row(6, "#1:43651.5"), sheet.Normalise, []syncproto.Code{syncproto.CodeNoteSerial}},
		{"a month that is shown as a month", row(6, "#2:43647"), sheet.Accept, nil},
		{"a day in a text column is shown as one", row(5, "#1:43651"), sheet.Accept, nil},
		{"2024.1 may have been 2024.10", row(6, "#0:2024.1"), sheet.Refuse, []syncproto.Code{syncproto.CodeNotDate}},
		{"an error of a formula", row(3, "!"), sheet.Refuse, []syncproto.Code{syncproto.CodeRowError}},
	} {
		table, err := read(workbook(t, cellsOf(strings.Split(heads, ",")...)+c.row, part{"xl/styles.xml", styles}))
		if err != nil {
			t.Fatal(err)
		}
		p := planOf(t, table, sheet.Options{})
		if p.Rows[0].Verdict != c.verdict {
			t.Errorf("%s: %s %v", c.why, p.Rows[0].Verdict, codes(p.Rows[0]))
		}
		if diff := cmp.Diff(c.want, codes(p.Rows[0])); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.why, diff)
		}
	}
}

// TestDate1904Plan: in a workbook of the other calendar, a day's number means the same day
// whether it is shown as a day or not.
func TestDate1904Plan(t *testing.T) {
	old := strings.Replace(book, "<workbookPr/>", `<workbookPr date1904="true"/>`, 1)
	for _, cell := range []string{"#1:42189", "#0:42189"} {
		cells := strings.Split(good, ",")
		cells[6] = cell
		table, err := read(workbook(t, cellsOf(strings.Split(heads, ",")...)+cellsOf(cells...), part{"xl/workbook.xml", old}, part{"xl/styles.xml", styles}))
		if err != nil {
			t.Fatal(err)
		}
		p := planOf(t, table, sheet.Options{})
		if got := value(t, p.Companion, p.Rows[0].Companion, "date"); got != "2019-07-05" {
			t.Errorf("%s is %s", cell, got)
		}
	}
}

// TestMergedCells: headings over two rows, and merged cells below them: filled down where
// the same text for all is what they mean, else refused.
func TestMergedCells(t *testing.T) {
	second := strings.Replace(good, "330782199003070013", "330702198512310429", 1)
	merged := func(merges string, rows ...string) *sheet.Plan {
		body := `<worksheet><sheetData>` + strings.Join(rows, "") + `</sheetData><mergeCells>` + merges + `</mergeCells></worksheet>`
		table, err := read(workbook(t, "", part{"xl/worksheets/sheet1.xml", body}))
		if err != nil {
			t.Fatal(err)
		}
		return planOf(t, table, sheet.Options{})
	}
	split := func(s string) []string { return strings.Split(s, ",") }
	two := split(second)
	two[5] = ""
	p := merged(`<mergeCell ref="F2:F3"/>`, cellsOf(split(heads)...), cellsOf(split(good)...), cellsOf(two...))
	if got := value(t, p.Kind, p.Rows[1].Record, "employer"); got != "某某公司" || p.Count(sheet.Accept) != 2 {
		t.Errorf("a merged employer is %q, %d accepted", got, p.Count(sheet.Accept))
	}
	two = split(second)
	two[6] = ""
	p = merged(`<mergeCell ref="G2:G3"/>`, cellsOf(split(heads)...), cellsOf(split(good)...), cellsOf(two...))
	if diff := cmp.Diff([]syncproto.Code{syncproto.CodeRowMerged}, codes(p.Rows[1])); diff != "" || p.Rows[0].Verdict != sheet.Accept {
		t.Errorf("a merged date (-want +got)\n%s", diff)
	}
	top := []string{"姓名", "证件号码", "民族", "学历", "联系方法", "", "入会日期"}
	sub := []string{"", "", "", "", "手机", "工作单位", ""}
	p = merged(`<mergeCell ref="A1:A2"/><mergeCell ref="B1:B2"/><mergeCell ref="C1:C2"/><mergeCell ref="D1:D2"/><mergeCell ref="E1:F1"/><mergeCell ref="G1:G2"/>`,
		cellsOf(top...), cellsOf(sub...), cellsOf(split(good)...))
	if len(p.Rows) != 1 || p.Rows[0].Verdict != sheet.Accept || len(p.Unknown) != 0 {
		t.Errorf("headings over two rows: %d rows, unknown %v", len(p.Rows), p.Unknown)
	}
}

// TestSeveralSheets: each sheet with headings is planned, the others are named.
func TestSeveralSheets(t *testing.T) {
	two := `<workbook><sheets><sheet name="说明" r:id="rId1"/><sheet name="名册" r:id="rId2"/></sheets></workbook>`
	split := func(s string) []string { return strings.Split(s, ",") }
	table, err := read(workbook(t, cellsOf("填写说明"), part{"xl/workbook.xml", two},
		part{"xl/worksheets/sheet2.xml", `<worksheet><sheetData>` + cellsOf(split(heads)...) + cellsOf(split(good)...) + `</sheetData></worksheet>`}))
	if err != nil {
		t.Fatal(err)
	}
	p := planOf(t, table, sheet.Options{})
	if len(p.Rows) != 1 || p.Rows[0].Sheet != "名册" || len(p.Aside) != 1 || p.Aside[0] != "说明" {
		t.Errorf("rows %v, aside %v", p.Rows, p.Aside)
	}
}

// stored answers with records that are kept already.
func stored(records ...sheet.Existing) func([]string) []sheet.Existing {
	return func(key []string) []sheet.Existing {
		var found []sheet.Existing
		for _, r := range records {
			if strings.Join(key, "/") == "111/"+string(r.Values[12]) {
				found = append(found, r)
			}
		}
		return found
	}
}

func TestUpdate(t *testing.T) {
	first := makePlan(t, heads+"\n"+good+"\n", sheet.Options{}).Rows[0]
	kept := sheet.Existing{ID: syncproto.HashedID("a"), Values: first.Record, Companion: first.Companion}
	for _, c := range []struct {
		why, row string
		verdict  sheet.Verdict
		edits    map[string]string
		hints    []syncproto.Code
	}{
		{"nothing differs", good, sheet.Unchanged, nil, nil},
		{"nothing differs after a normalisation", "'" + strings.Replace(good, "张三", "张 三", 1), sheet.Unchanged, nil, nil},
		{"a new telephone", strings.Replace(good, "13307225249", "13307225250", 1), sheet.Accept, map[string]string{"mobile": "13307225250"}, nil},
		{"a new name with a blank", strings.Replace(good, "张三", "张 四", 1), sheet.Normalise, map[string]string{"name": "张四"}, nil},
		{"blank cells delete nothing", ",330782199003070013,,,,,", sheet.Unchanged, nil, nil},
		{"another day of joining is only told", strings.Replace(good, "2010-05-01", "2011-05-01", 1), sheet.Unchanged, nil, []syncproto.Code{syncproto.CodeRowEventKept}},
		{"the month of joining is the same", strings.Replace(good, "2010-05-01", "2010-05", 1), sheet.Unchanged, nil, nil},
		{"what is wrong is refused", strings.Replace(good, "大专", "博古通今", 1), sheet.Refuse, nil, nil},
	} {
		p := makePlan(t, heads+"\n"+c.row+"\n", sheet.Options{Existing: stored(kept)})
		r := p.Rows[0]
		if r.Verdict != c.verdict || !r.Update || r.ID != kept.ID || r.Companion != nil {
			t.Errorf("%s: %s, update %v: %v", c.why, r.Verdict, r.Update, codes(r))
		}
		got := map[string]string(nil)
		for n, v := range r.Record {
			f, _ := p.Kind.FieldByNumber(n)
			if got == nil {
				got = map[string]string{}
			}
			got[f.Name] = string(v)
		}
		if diff := cmp.Diff(c.edits, got); diff != "" {
			t.Errorf("%s: edits (-want +got)\n%s", c.why, diff)
		}
		if c.hints != nil && (len(r.Findings) != 1 || r.Findings[0].Code != c.hints[0]) {
			t.Errorf("%s: findings %v", c.why, r.Findings)
		}
	}
	t.Run("two records for one number", func(t *testing.T) {
		p := makePlan(t, heads+"\n"+good+"\n", sheet.Options{Existing: stored(kept, kept)})
		if diff := cmp.Diff([]syncproto.Code{syncproto.CodeRowAmbiguous}, codes(p.Rows[0])); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("an old fault does not stop a new telephone", func(t *testing.T) {
		faulty := sheet.Existing{ID: kept.ID, Values: kind.Values{}, Companion: kept.Companion}
		for n, v := range kept.Values {
			faulty.Values[n] = v
		}
		delete(faulty.Values, 17) // education, which is required
		row := ",330782199003070013,,,13307225250,,"
		p := makePlan(t, heads+"\n"+row+"\n", sheet.Options{Existing: stored(faulty)})
		if p.Rows[0].Verdict != sheet.Accept {
			t.Errorf("%s %v", p.Rows[0].Verdict, codes(p.Rows[0]))
		}
	})
}

// TestCompanionColumn: a roster with the kind of change takes joining only.
func TestCompanionColumn(t *testing.T) {
	head := heads + ",会籍变化类型"
	p := makePlan(t, head+"\n"+good+",入会\n"+strings.Replace(good, "330782199003070013", "330702198512310429", 1)+",退会\n", sheet.Options{})
	if p.Rows[0].Verdict != sheet.Accept {
		t.Errorf("joining: %s %v", p.Rows[0].Verdict, codes(p.Rows[0]))
	}
	if diff := cmp.Diff([]syncproto.Code{syncproto.CodeRowCompanion}, codes(p.Rows[1])); diff != "" {
		t.Errorf("leaving (-want +got)\n%s", diff)
	}
}

// TestPlanHoldsNoSecretsInErrors: findings go to logs; ids and names do not.
func TestPlanHoldsNoSecretsInErrors(t *testing.T) {
	p := plan(t, "roster-messy.xlsx")
	for _, r := range p.Rows {
		for _, f := range r.Findings {
			e := f.Err()
			for _, a := range e.Args {
				for _, v := range r.Record {
					if len(v) > 4 && strings.Contains(a, string(v)) {
						t.Errorf("row %d: E%d shows a value", r.Number, e.Code)
					}
				}
			}
		}
	}
}

// FuzzMake: no CSV makes planning panic, and rows that are not refused are canonical.
func FuzzMake(f *testing.F) {
	f.Add(heads + "\n" + good + "\n")
	f.Add("序号," + heads + "\n,,合计\n1," + good + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := read([]byte(text))
		if err != nil {
			return
		}
		p, err := sheet.Make(table, kind.Embedded(), "member", sheet.Options{Today: today})
		if err != nil {
			return
		}
		for _, r := range p.Rows {
			if r.Verdict == sheet.Refuse {
				continue
			}
			for n, v := range r.Record {
				if fd, ok := p.Kind.FieldByNumber(n); !ok || fd.Valid(v) != nil {
					t.Errorf("row %d: field %d is not canonical", r.Number, n)
				}
			}
		}
	})
}
