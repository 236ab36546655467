package sheet

import (
	"encoding/xml"
	"math"
	"strconv"
	"strings"

	"unionsync/syncproto"
)

// area is a merged range, columns and rows from 0 and 1.
type area struct{ col1, row1, col2, row2 int }

// sheetReader reads one sheet.
type sheetReader struct {
	*workbook
	rows   []Row
	row    int // number of the row being read
	col    int // of the next cell that says no column
	merges []area
}

// readSheet reads the rows of a sheet that have something in them.
func (w *workbook) readSheet(part string) ([]Row, error) {
	r := &sheetReader{workbook: w}
	err := w.each(part, func(d *xml.Decoder, e xml.StartElement) error {
		switch e.Name.Local {
		case "row":
			return r.startRow(e)
		case "c":
			return r.cell(d, e)
		case "mergeCell":
			if m, ok := parseArea(attr(e, "ref")); ok && len(r.merges) < MaxRows {
				r.merges = append(r.merges, m)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.spread()
	return r.rows, nil
}

// startRow begins a row; its number may be left out.
func (r *sheetReader) startRow(e xml.StartElement) error {
	r.row++
	if s := attr(e, "r"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < r.row {
			return fail(syncproto.CodeSheetDamaged, err)
		}
		r.row = n
	}
	r.col = 0
	return nil
}

// cell reads one cell and keeps it if it is not blank.
func (r *sheetReader) cell(d *xml.Decoder, e xml.StartElement) error {
	col := r.col
	if ref := attr(e, "r"); ref != "" {
		c, _, ok := parseRef(ref)
		if !ok {
			return fail(syncproto.CodeSheetDamaged, nil)
		}
		col = c
	}
	r.col = col + 1
	raw, inline, formula, err := r.content(d)
	if err != nil {
		return err
	}
	c := r.value(attr(e, "t"), attr(e, "s"), raw, inline, formula)
	if strings.TrimSpace(c.Text) == "" && !c.Fault {
		return nil
	}
	if col >= MaxColumns {
		return fail(syncproto.CodeSheetTooWide, nil, "max", strconv.Itoa(MaxColumns))
	}
	return r.keep(col, c)
}

// keep puts a cell into its row.
func (r *sheetReader) keep(col int, c Cell) error {
	if n := len(r.rows); n == 0 || r.rows[n-1].Number != r.row {
		if r.workbook.rows++; r.workbook.rows > MaxRows {
			return fail(syncproto.CodeSheetRows, nil, "max", strconv.Itoa(MaxRows))
		}
		r.rows = append(r.rows, Row{Number: r.row, Cells: make([]Cell, 0, max(col+1, r.width()))})
	}
	row := &r.rows[len(r.rows)-1]
	for len(row.Cells) <= col {
		row.Cells = append(row.Cells, Cell{})
	}
	row.Cells[col] = c
	return r.spend(len(c.Text))
}

// width guesses a row's width by the row before.
func (r *sheetReader) width() int {
	if len(r.rows) == 0 {
		return 0
	}
	return len(r.rows[len(r.rows)-1].Cells)
}

// content reads what stands inside a cell's element: its value, or text of its own.
func (r *sheetReader) content(d *xml.Decoder) (raw, inline string, formula bool, err error) {
	inValue := false
	for {
		tok, err := r.next(d)
		if err != nil {
			return "", "", false, unexpectedEnd(err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			inValue = t.Name.Local == "v"
			formula = formula || t.Name.Local == "f"
			if t.Name.Local == "is" {
				if inline, err = r.readText(d, "is"); err != nil {
					return "", "", false, err
				}
			}
		case xml.EndElement:
			inValue = false
			if t.Name.Local == "c" {
				return raw, inline, formula, nil
			}
		case xml.CharData:
			if inValue {
				raw += string(t)
			}
		}
	}
}

// value makes a cell of what its element says.
func (r *sheetReader) value(kind, style, raw, inline string, formula bool) Cell {
	switch kind {
	case "s":
		n, err := strconv.Atoi(strings.TrimSpace(raw))
		if err != nil || n < 0 || n >= len(r.strings) {
			return Cell{Fault: raw != ""}
		}
		return Cell{Text: r.strings[n]}
	case "inlineStr":
		return Cell{Text: inline}
	case "str":
		return Cell{Text: unescape(raw)}
	case "b", "d":
		return Cell{Text: raw}
	case "e":
		return Cell{Fault: true}
	}
	if raw == "" {
		return Cell{Fault: formula}
	}
	return r.number(raw, style)
}

// number makes a cell of a number, which may be shown as a day.
func (r *sheetReader) number(raw, style string) Cell {
	c := Cell{Text: strings.TrimSpace(raw), Numeric: true}
	v, err := strconv.ParseFloat(c.Text, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return Cell{Fault: true}
	}
	if n, err := strconv.Atoi(style); err == nil && n >= 0 && n < len(r.formats) && v >= 1 && v < 2958466 {
		c.Day, c.Month = r.formats[n] == shownDay, r.formats[n] == shownMonth
	}
	if r.date1904 && (c.Day || c.Month) {
		v += days1904
	}
	switch {
	case v == math.Trunc(v) && math.Abs(v) < exactNumber:
		c.Text = strconv.FormatInt(int64(v), 10)
	case math.Abs(v) < exactNumber:
		c.Text = strconv.FormatFloat(v, 'f', -1, 64)
	}
	return c
}

// exactNumber is the first whole number of which a spreadsheet has lost digits.
const exactNumber = 1e15

// days1904 is how far the two calendars of spreadsheets lie apart.
const days1904 = 1462

// maxSpread is how many cells merged ranges may fill: enough for any roster, and no way to
// keep the program busy.
const maxSpread = 4 << 20

// spread writes the first cell of each merged range into its other cells.
func (r *sheetReader) spread() {
	byNumber := make(map[int]int, len(r.rows))
	for i := range r.rows {
		byNumber[r.rows[i].Number] = i
	}
	budget := maxSpread
	for _, m := range r.merges {
		at, ok := byNumber[m.row1]
		if !ok || m.col1 >= len(r.rows[at].Cells) {
			continue
		}
		first := r.rows[at].Cells[m.col1]
		for i := at; i < len(r.rows) && r.rows[i].Number <= m.row2 && budget > 0; i++ {
			budget -= min(m.col2, MaxColumns) - m.col1 + 1
			spreadRow(&r.rows[i], m, first)
		}
	}
}

// spreadRow fills the blank cells of one row inside a merged range.
func spreadRow(row *Row, m area, first Cell) {
	for col := m.col1; col <= min(m.col2, MaxColumns-1); col++ {
		if row.Number == m.row1 && col == m.col1 {
			continue
		}
		for len(row.Cells) <= col {
			row.Cells = append(row.Cells, Cell{})
		}
		if c := &row.Cells[col]; c.blank() {
			*c = first
			c.Merged = mergedAcross
			if col == m.col1 {
				c.Merged = mergedDown
			}
		}
	}
}

// parseRef reads a cell's name, as in B12, into a column from 0 and a row.
func parseRef(ref string) (col, row int, ok bool) {
	i := 0
	for i < len(ref) && i < 4 && ref[i] >= 'A' && ref[i] <= 'Z' {
		col = col*26 + int(ref[i]-'A') + 1
		i++
	}
	row, err := strconv.Atoi(ref[i:])
	return col - 1, row, err == nil && i > 0 && col <= 16384 && row > 0
}

// parseArea reads a range, as in A1:R1.
func parseArea(ref string) (area, bool) {
	from, to, ok := strings.Cut(ref, ":")
	if !ok {
		return area{}, false
	}
	c1, r1, ok1 := parseRef(from)
	c2, r2, ok2 := parseRef(to)
	return area{col1: c1, row1: r1, col2: c2, row2: r2}, ok1 && ok2 && c1 <= c2 && r1 <= r2
}

// unescape turns _x000D_ and its like, as workbooks keep control characters, into those.
func unescape(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], "_x") && i+7 <= len(s) && s[i+6] == '_' {
			if n, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil && (n < 0xd800 || n > 0xdfff) {
				b.WriteRune(rune(n))
				i += 6
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
