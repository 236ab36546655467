package sheet_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"unionsync/agent/sheet"
	"unionsync/syncproto"
)

func read(data []byte) (*sheet.Table, error) {
	return sheet.Read(bytes.NewReader(data), int64(len(data)))
}

// part is one part of a workbook made by hand.
type part struct{ name, body string }

// archive packs parts as a workbook's file.
func archive(t testing.TB, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range parts {
		w, err := z.Create(p.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, p.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	rels = `<Relationships><Relationship Id="rId1" Type="x" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="x" Target="/xl/worksheets/sheet2.xml"/></Relationships>`
	book = `<workbook xmlns:r="r"><workbookPr/><sheets><sheet name="名册" sheetId="1" r:id="rId1"/></sheets></workbook>`
)

// workbook packs a sheet's rows, and other parts that replace the usual ones.
func workbook(t testing.TB, rows string, more ...part) []byte {
	t.Helper()
	parts := map[string]string{
		"xl/workbook.xml": book, "xl/_rels/workbook.xml.rels": rels,
		"xl/worksheets/sheet1.xml": `<worksheet><sheetData>` + rows + `</sheetData></worksheet>`,
	}
	for _, p := range more {
		parts[p.name] = p.body
	}
	var list []part
	for _, name := range []string{"xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml", "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"} {
		if body, ok := parts[name]; ok {
			list = append(list, part{name, body})
		}
	}
	return archive(t, list...)
}

// TestReadRefuses: what is no roster is told by its content and named, whatever its name.
func TestReadRefuses(t *testing.T) {
	file := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	ole := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 600)
	wide := func(s string) string {
		out, err := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	protected := func() []byte {
		f := excelize.NewFile()
		defer func() { _ = f.Close() }()
		var b bytes.Buffer
		if err := f.Write(&b, excelize.Options{Password: "secret"}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	many := strings.Repeat("a\n", sheet.MaxRows+1)
	var zipped bytes.Buffer
	zipped.WriteString("PK\x03\x04 and then nothing of an archive")
	for _, c := range []struct {
		why  string
		data []byte
		want syncproto.Code
	}{
		{"no bytes", nil, syncproto.CodeSheetEmpty},
		{"blanks only", []byte(" \r\n,,,\r\n"), syncproto.CodeSheetEmpty},
		{"workbook without cells", workbook(t, ""), syncproto.CodeSheetEmpty},
		{"old .xls", file("roster-messy.xls"), syncproto.CodeSheetOldXLS},
		{"HTML named .xls", file("roster-messy-html.xls"), syncproto.CodeSheetHTML},
		{"HTML behind a mark and blanks", []byte("\xef\xbb\xbf \n<TABLE><tr>"), syncproto.CodeSheetHTML},
		{"XML of 2003", []byte(`<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">`), syncproto.CodeSheetOldXLS},
		{"a Word document of old", []byte(ole + wide("WordDocument")), syncproto.CodeNotSheet},
		{"protected by a password", protected(), syncproto.CodeSheetPassword},
		{"PDF", []byte("%PDF-1.7\n1 0 obj"), syncproto.CodeNotSheet},
		{"a picture", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), syncproto.CodeNotSheet},
		{"a program", []byte("MZ\x90\x00\x03\x00\x00\x00"), syncproto.CodeNotSheet},
		{"control characters in valid UTF-8", []byte("a,b\x01,c\n"), syncproto.CodeNotSheet},
		{"JSON", []byte(`{"a": 1}`), syncproto.CodeNotSheet},
		{"neither UTF-8 nor GB18030", []byte("name,\xff\xff\xff\n"), syncproto.CodeSheetEncoding},
		{"another zip archive", archive(t, part{"readme.txt", "x"}), syncproto.CodeNotSheet},
		{"a Word document", archive(t, part{"word/document.xml", "<x/>"}), syncproto.CodeNotSheet},
		{"OpenDocument", archive(t, part{"mimetype", "application/vnd.oasis.opendocument.spreadsheet"}, part{"content.xml", "<x/>"}), syncproto.CodeSheetODS},
		{"binary workbook", archive(t, part{"xl/workbook.bin", "x"}), syncproto.CodeSheetODS},
		{"zip cut off", zipped.Bytes(), syncproto.CodeSheetDamaged},
		{"XML cut off", workbook(t, "", part{"xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="1"><c r="A1"><v>1`}), syncproto.CodeSheetDamaged},
		{"rows out of order", workbook(t, `<row r="5"><c><v>1</v></c></row><row r="2"><c><v>1</v></c></row>`), syncproto.CodeSheetDamaged},
		{"cell of no column", workbook(t, `<row r="1"><c r="1A"><v>1</v></c></row>`), syncproto.CodeSheetDamaged},
		{"cell beyond the columns", workbook(t, `<row r="1"><c r="XFD1"><v>1</v></c></row>`), syncproto.CodeSheetTooWide},
		{"CSV beyond the columns", []byte(strings.Repeat(",", sheet.MaxColumns) + "x\n"), syncproto.CodeSheetTooWide},
		{"too many rows of CSV", []byte(many), syncproto.CodeSheetRows},
		{"too many rows of a workbook", workbook(t, strings.Repeat(`<row><c><v>1</v></c></row>`, sheet.MaxRows+1)), syncproto.CodeSheetRows},
		{"an open quotation mark", []byte("a,b\n1,\"2\n3,4\n"), syncproto.CodeSheetQuote},
	} {
		table, err := read(c.data)
		if got := syncproto.CodeOf(err); got != c.want || table != nil {
			t.Errorf("%s: %v, want E%d", c.why, err, c.want)
		}
	}
}

// endless reads as zeros for ever: a file that is larger than may be read is not read.
type endless struct{}

// ReadAt implements [io.ReaderAt].
func (endless) ReadAt(p []byte, _ int64) (int, error) { return len(p), nil }

func TestReadTooBig(t *testing.T) {
	_, err := sheet.Read(endless{}, sheet.MaxFileBytes+1)
	if syncproto.CodeOf(err) != syncproto.CodeSheetTooBig {
		t.Error(err)
	}
}

// TestReadBomb: a small file that unpacks to far more than a roster is given up early.
func TestReadBomb(t *testing.T) {
	for _, c := range []struct{ why, name, body string }{
		{"24 MiB that say nothing", "xl/sharedStrings.xml", "<sst>" + strings.Repeat("<c>"+strings.Repeat("0", 1<<20), 24)},
		{"one text of 8 MiB", "xl/sharedStrings.xml", "<sst><si><t>" + strings.Repeat("0", 8<<20)},
		{"one name of 8 MiB", "xl/workbook.xml", "<" + strings.Repeat("w", 8<<20)},
	} {
		data := workbook(t, `<row><c t="s"><v>0</v></c></row>`, part{c.name, c.body})
		if _, err := read(data); syncproto.CodeOf(err) != syncproto.CodeSheetUnpacked {
			t.Errorf("%s in %d bytes: %v", c.why, len(data), err)
		}
	}
}

// text gives a table's cells row by row, a bar between them.
func text(t *sheet.Table) []string {
	var out []string
	for _, s := range t.Sheets {
		for _, r := range s.Rows {
			var cells []string
			for _, c := range r.Cells {
				cells = append(cells, c.Text)
			}
			out = append(out, strconv.Itoa(r.Number)+":"+strings.Join(cells, "|"))
		}
	}
	return out
}

func TestReadCSV(t *testing.T) {
	gb := func(s string) []byte {
		out, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	utf16 := func(s string) []byte {
		out, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		why    string
		data   []byte
		format string
		want   []string
	}{
		{"UTF-8", []byte("姓名,性别\n张三,男\n"), "csv utf-8", []string{"1:姓名|性别", "2:张三|男"}},
		{"UTF-8 with a mark and CRLF", []byte("\xef\xbb\xbf姓名,性别\r\n张三,男"), "csv utf-8", []string{"1:姓名|性别", "2:张三|男"}},
		{"GB18030 with four bytes for one character", gb("姓名,性别\n王𬹼,男\n"), "csv gb18030", []string{"1:姓名|性别", "2:王𬹼|男"}},
		{"UTF-16 as Excel's Unicode text", utf16("姓名\t性别\r\n张三\t男\r\n"), "csv utf-16", []string{"1:姓名|性别", "2:张三|男"}},
		{"semicolons", []byte("a;b\n1;2\n"), "csv utf-8", []string{"1:a|b", "2:1|2"}},
		{"quotation marks", []byte("a,\"b,\"\"c\"\"\nd\",e\n\"\",f\n"), "csv utf-8", []string{"1:a|b,\"c\"\nd|e", "2:|f"}},
		{"stray quotation marks", []byte("a 5\" pipe,\"b\" c\",d\n"), "csv utf-8", []string{"1:a 5\" pipe|b\" c|d"}},
		{"blank rows count", []byte("a,b\n\n,,\n\r\n1,2\n"), "csv utf-8", []string{"1:a|b", "5:1|2"}},
		{"old Mac line ends", []byte("a,b\r1,2\r"), "csv utf-8", []string{"1:a|b", "2:1|2"}},
		{"rows of different lengths", []byte("a,b,c\n1\n"), "csv utf-8", []string{"1:a|b|c", "2:1"}},
	} {
		table, err := read(c.data)
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		if diff := cmp.Diff(c.want, text(table)); diff != "" || table.Format != c.format {
			t.Errorf("%s: %s (-want +got)\n%s", c.why, table.Format, diff)
		}
	}
}

const styles = `<styleSheet><numFmts><numFmt numFmtId="165" formatCode="yyyy\-mm\-dd"/><numFmt numFmtId="166" formatCode="yyyy&quot;年&quot;m&quot;月&quot;"/>` +
	`<numFmt numFmtId="167" formatCode="[h]:mm:ss"/><numFmt numFmtId="168" formatCode="[Red]0.00;&quot;day&quot;0"/></numFmts>` +
	`<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="165"/><xf numFmtId="166"/><xf numFmtId="167"/><xf numFmtId="14"/><xf numFmtId="168"/><xf numFmtId="57"/></cellXfs></styleSheet>`

// TestReadCells: what the cells of a workbook hold, and how.
func TestReadCells(t *testing.T) {
	row := func(cells string) string { return `<row r="1">` + cells + `</row>` }
	shared := part{"xl/sharedStrings.xml", `<sst><si><t>甲</t></si><si><r><t>乙</t></r><r><t xml:space="preserve"> 丙</t></r><rPh><t>yi</t></rPh></si><si><t>a_x000D_b</t></si></sst>`}
	for _, c := range []struct {
		why, cell string
		want      sheet.Cell
	}{
		{"shared string", `<c t="s"><v>0</v></c>`, sheet.Cell{Text: "甲"}},
		{"rich text without its phonetic guide", `<c t="s"><v>1</v></c>`, sheet.Cell{Text: "乙 丙"}},
		{"escaped control character", `<c t="s"><v>2</v></c>`, sheet.Cell{Text: "a\rb"}},
		{"shared string that is not there", `<c t="s"><v>9</v></c>`, sheet.Cell{Fault: true}},
		{"inline string", `<c t="inlineStr"><is><t>丁&amp;</t></is></c>`, sheet.Cell{Text: "丁&"}},
		{"result of a formula", `<c t="str"><f>A2</f><v>戊</v></c>`, sheet.Cell{Text: "戊"}},
		{"formula without result", `<c><f>A2</f></c>`, sheet.Cell{Fault: true}},
		{"error", `<c t="e"><v>#N/A</v></c>`, sheet.Cell{Fault: true}},
		{"truth", `<c t="b"><v>1</v></c>`, sheet.Cell{Text: "1"}},
		{"day of the standard", `<c t="d"><v>2024-09-30</v></c>`, sheet.Cell{Text: "2024-09-30"}},
		{"number", `<c><v>13307225249</v></c>`, sheet.Cell{Text: "13307225249", Numeric: true}},
		{"number with an exponent that is exact", `<c t="n"><v>1.3307225249E+10</v></c>`, sheet.Cell{Text: "13307225249", Numeric: true}},
		{"fraction", `<c><v>0.5</v></c>`, sheet.Cell{Text: "0.5", Numeric: true}},
		{"number that lost its digits", `<c t="n"><v>3.30782199608209E+017</v></c>`, sheet.Cell{Text: "3.30782199608209E+017", Numeric: true}},
		{"the same, written out", `<c><v>330782199608209000</v></c>`, sheet.Cell{Text: "330782199608209000", Numeric: true}},
		{"a day", `<c s="1"><v>43651</v></c>`, sheet.Cell{Text: "43651", Numeric: true, Day: true}},
		{"a built-in day", `<c s="4"><v>43651</v></c>`, sheet.Cell{Text: "43651", Numeric: true, Day: true}},
		{"a month", `<c s="2"><v>43647</v></c>`, sheet.Cell{Text: "43647", Numeric: true, Month: true}},
		{"a built-in Chinese month", `<c s="6"><v>43647</v></c>`, sheet.Cell{Text: "43647", Numeric: true, Month: true}},
		{"hours are no day", `<c s="3"><v>43651</v></c>`, sheet.Cell{Text: "43651", Numeric: true}},
		{"a colour and a word are no day", `<c s="5"><v>43651</v></c>`, sheet.Cell{Text: "43651", Numeric: true}},
		{"no number", `<c><v>abc</v></c>`, sheet.Cell{Fault: true}},
	} {
		table, err := read(workbook(t, row(c.cell), shared, part{"xl/styles.xml", styles}))
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		if diff := cmp.Diff(c.want, table.Sheets[0].Rows[0].Cells[0]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.why, diff)
		}
	}
}

func TestReadDate1904(t *testing.T) {
	old := strings.Replace(book, "<workbookPr/>", `<workbookPr date1904="1"/>`, 1)
	table, err := read(workbook(t, `<row><c s="1"><v>42189</v></c><c><v>42189</v></c></row>`, part{"xl/workbook.xml", old}, part{"xl/styles.xml", styles}))
	if err != nil {
		t.Fatal(err)
	}
	want := []sheet.Cell{{Text: "43651", Numeric: true, Day: true}, {Text: "42189", Numeric: true}}
	if diff := cmp.Diff(want, table.Sheets[0].Rows[0].Cells); diff != "" || !table.Sheets[0].Date1904 {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadSheets(t *testing.T) {
	two := `<workbook><sheets><sheet name="封面" r:id="rId1"/><sheet name="名册" r:id="rId2"/><sheet name="旧" state="hidden" r:id="rId1"/></sheets></workbook>`
	table, err := read(workbook(t, `<row r="3"><c r="C3"><v>1</v></c></row>`, part{"xl/workbook.xml", two},
		part{"xl/worksheets/sheet2.xml", `<worksheet><sheetData><row r="1"><c r="A1"><v>2</v></c></row><row r="2"/></sheetData></worksheet>`}))
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Sheets) != 2 || table.Sheets[0].Name != "封面" || table.Sheets[1].Name != "名册" {
		t.Errorf("sheets %v", table.Sheets)
	}
	if diff := cmp.Diff([]string{"3:||1", "1:2"}, text(table)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadMerged(t *testing.T) {
	body := `<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="2"><c r="C2"><v>2</v></c></row></sheetData>` +
		`<mergeCells><mergeCell ref="A1:B2"/><mergeCell ref="D9:E9"/><mergeCell ref="bad"/></mergeCells></worksheet>`
	table, err := read(workbook(t, "", part{"xl/worksheets/sheet1.xml", body}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1:1|1", "2:1|1|2"}, text(table)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	rows := table.Sheets[0].Rows
	got := []byte{rows[0].Cells[0].Merged, rows[0].Cells[1].Merged, rows[1].Cells[0].Merged, rows[1].Cells[1].Merged}
	if diff := cmp.Diff([]byte{0, 2, 1, 2}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("姓名,性别\n\"张,三\",男\n"))
	f.Add([]byte("\xff\xfea\x00,\x00"))
	f.Add([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
	f.Add(workbook(f, `<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>`, part{"xl/styles.xml", styles}))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := read(data)
		if (table == nil) != (err != nil) || err != nil && syncproto.CodeOf(err) == syncproto.CodeInternal {
			t.Errorf("table %v, error %v", table != nil, err)
		}
	})
}

// FuzzSheetXML: the parts of a workbook, which the archive around them hides from the other
// target.
func FuzzSheetXML(f *testing.F) {
	f.Add(`<worksheet><sheetData><row r="1"><c r="A1" s="1"><v>43651</v></c></row></sheetData><mergeCells><mergeCell ref="A1:B2"/></mergeCells></worksheet>`,
		`<sst><si><t>a_x000D_</t></si></sst>`, styles)
	f.Fuzz(func(t *testing.T, body, shared, style string) {
		table, err := read(workbook(t, "", part{"xl/worksheets/sheet1.xml", body}, part{"xl/sharedStrings.xml", shared}, part{"xl/styles.xml", style}))
		if (table == nil) != (err != nil) || err != nil && syncproto.CodeOf(err) == syncproto.CodeInternal {
			t.Errorf("table %v, error %v", table != nil, err)
		}
	})
}
