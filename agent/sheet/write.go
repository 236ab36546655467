package sheet

import (
	"io"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Format is a file format that is written.
type Format string

// Formats of [Write].
const (
	XLSX Format = "xlsx"
	CSV  Format = "csv" // UTF-8 with a byte order mark, as Excel and WPS want it
)

// Exported is one record of a list.
type Exported struct {
	Record    kind.Values
	Companion kind.Values // the event that made it; may be nil
}

// Layout says how a list is written.
type Layout struct {
	Lang  string   // "zh" (also when empty) or "en"
	Names []string // fields to write, in this order; empty: all
	Mask  bool     // show sensitive values masked; such a list does not import again
}

// column is one column of a list.
type column struct {
	heading   string
	field     *kind.Field
	companion bool
}

// Write writes a list of one kind with a row of headings. Written in full it imports again
// to the same values: every cell is text, so that no spreadsheet cuts a number.
func Write(w io.Writer, format Format, set *kind.Set, name string, rows []Exported, l Layout) error {
	k, err := set.Find(name)
	if err != nil {
		return err
	}
	columns, err := l.columns(set, k, rows)
	if err != nil {
		return err
	}
	if format == CSV {
		err = writeCSV(w, columns, rows, l)
	} else {
		err = writeXLSX(w, k, columns, rows, l)
	}
	if err != nil {
		return syncproto.Fail(syncproto.CodeSheetWrite, "write spreadsheet", err)
	}
	return nil
}

// serialHeading is the first column of every list.
func serialHeading(lang string) string {
	if lang == "en" {
		return "No."
	}
	return "序号"
}

// columns chooses the fields to write: those named, or all of the kind and those of the
// companion that a row has.
func (l Layout) columns(set *kind.Set, k *kind.Kind, rows []Exported) ([]column, error) {
	var out []column
	for _, f := range k.Fields {
		out = append(out, column{heading: f.Label.In(l.Lang), field: f})
	}
	if k.Companion != nil {
		companion, _ := set.Kind(k.Companion.Kind) // checked when the set was loaded
		for _, c := range k.Companion.Columns {
			f, _ := companion.Field(c.Field)
			if used(rows, f) {
				out = append(out, column{heading: c.Label.In(l.Lang), field: f, companion: true})
			}
		}
	}
	if len(l.Names) == 0 {
		return out, nil
	}
	return pick(k, out, l.Names)
}

// used reports whether any companion has a value of the field.
func used(rows []Exported, f *kind.Field) bool {
	for _, r := range rows {
		if len(r.Companion[f.Number]) > 0 {
			return true
		}
	}
	return false
}

// pick puts the named columns into the order of the names.
func pick(k *kind.Kind, columns []column, names []string) ([]column, error) {
	var out []column
	for _, name := range names {
		found := false
		for _, c := range columns {
			if c.field.Name == name && !found {
				out, found = append(out, c), true
			}
		}
		if !found {
			if _, err := k.Find(name); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// text gives a cell's text.
func (l Layout) text(c column, row Exported) string {
	values := row.Record
	if c.companion {
		values = row.Companion
	}
	value := values[c.field.Number]
	if len(value) == 0 {
		return ""
	}
	if l.Mask {
		return c.field.Mask(value, l.Lang)
	}
	return c.field.Format(value, l.Lang)
}

// writeCSV writes CSV with CRLF. A tab stands before what a spreadsheet would take for a
// formula or a long number; import removes it visibly.
func writeCSV(w io.Writer, columns []column, rows []Exported, l Layout) error {
	var b strings.Builder
	b.WriteString("\ufeff" + quote(serialHeading(l.Lang)))
	for _, c := range columns {
		b.WriteString("," + quote(c.heading))
	}
	b.WriteString("\r\n")
	for i, row := range rows {
		b.WriteString(strconv.Itoa(i + 1))
		for _, c := range columns {
			b.WriteString("," + quote(guard(l.text(c, row))))
		}
		b.WriteString("\r\n")
		if b.Len() > 64<<10 {
			if _, err := io.WriteString(w, b.String()); err != nil {
				return err
			}
			b.Reset()
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// guard keeps spreadsheets from working on a text.
func guard(s string) string {
	long := len(s) >= 12 && strings.Trim(s, "0123456789") == ""
	if long || s != "" && strings.ContainsRune("=+-@", rune(s[0])) && !isNumber(s) {
		return "\t" + s
	}
	return s
}

// isNumber reports a short negative or decimal number, which needs no guard.
func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && len(s) < 12
}

// quote puts a cell into quotation marks if it needs them.
func quote(s string) string {
	if !strings.ContainsAny(s, "\",;\t\r\n") && strings.TrimSpace(s) == s {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// writeXLSX writes a workbook with one sheet, all cells text, the headings kept in view.
func writeXLSX(w io.Writer, k *kind.Kind, columns []column, rows []Exported, l Layout) error {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }() // only temporary files
	name := k.Label.In(l.Lang)
	if err := f.SetSheetName("Sheet1", name); err != nil {
		return err
	}
	const textFormat = 49 // "@"
	style, err := f.NewStyle(&excelize.Style{NumFmt: textFormat})
	if err != nil {
		return err
	}
	sw, err := f.NewStreamWriter(name)
	if err != nil {
		return err
	}
	if err := sw.SetColStyle(1, len(columns)+1, style); err != nil {
		return err
	}
	if err := sw.SetColWidth(2, len(columns)+1, 16); err != nil {
		return err
	}
	if err := sw.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	if err := writeRows(sw, style, columns, rows, l); err != nil {
		return err
	}
	if err := sw.Flush(); err != nil {
		return err
	}
	_, err = f.WriteTo(w)
	return err
}

// writeRows writes the headings and the rows.
func writeRows(sw *excelize.StreamWriter, style int, columns []column, rows []Exported, l Layout) error {
	cells := make([]any, len(columns)+1)
	set := func(i int, text string) {
		if cells[i] = nil; text != "" {
			cells[i] = excelize.Cell{StyleID: style, Value: text}
		}
	}
	set(0, serialHeading(l.Lang))
	for i, c := range columns {
		set(i+1, c.heading)
	}
	if err := sw.SetRow("A1", cells); err != nil {
		return err
	}
	for n, row := range rows {
		set(0, strconv.Itoa(n+1))
		for i, c := range columns {
			set(i+1, l.text(c, row))
		}
		if err := sw.SetRow("A"+strconv.Itoa(n+2), cells); err != nil {
			return err
		}
	}
	return nil
}
