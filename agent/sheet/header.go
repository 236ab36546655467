package sheet

import (
	"strings"

	"unionsync/syncproto/kind"
)

// How a header is looked for.
const (
	headerRows  = 15 // among so many first rows with something in them
	headerWords = 4  // so many headings must be known
)

// Column says what a column of a sheet means.
type Column struct {
	Index     int // from 0
	Heading   string
	Field     *kind.Field
	Companion bool // the field belongs to the companion
}

// header is the row of headings of one sheet.
type header struct {
	at      int // index of the last header row in Sheet.Rows
	columns []Column
	serial  int // index of the 序号 column, or -1
	unknown []Heading
}

// Heading is a column that is not imported.
type Heading struct {
	Sheet string
	Index int // from 0
	Text  string
	Twice bool // a second column for a field, not an unknown one
}

// Letter names the column as the spreadsheet does: A, B … Z, AA.
func (h Heading) Letter() string { return Letter(h.Index) }

// Letter names a column, counted from 0, as the spreadsheet does.
func Letter(index int) string {
	s := ""
	for n := index + 1; n > 0; n = (n - 1) / 26 {
		s = string(rune('A'+(n-1)%26)) + s
	}
	return s
}

// target is what a heading means.
type target struct {
	field     *kind.Field
	companion bool
}

// headings maps every known heading of a kind and its companion's columns to what it means.
func headings(k, companion *kind.Kind) map[string]target {
	known := map[string]target{}
	for _, f := range k.Fields {
		for _, w := range append([]string{f.Name, f.Label.Zh, f.Label.En}, f.Aliases...) {
			known[kind.Heading(w)] = target{field: f}
		}
	}
	if companion == nil {
		return known
	}
	for _, c := range k.Companion.Columns {
		f, _ := companion.Field(c.Field)
		for _, w := range c.Aliases {
			known[kind.Heading(w)] = target{field: f, companion: true}
		}
	}
	return known
}

// serialWords are headings of the column that numbers the rows.
var serialWords = map[string]bool{"序号": true, "编号": true, "no": true, "no.": true, "行号": true, "序": true}

// findHeader finds the row with the most known headings among the first ones. Where the
// headings take two rows, merged ones reach down into the second, which then knows most.
func findHeader(s *Sheet, known map[string]target) (*header, bool) {
	best, most := -1, headerWords-1
	for i := 0; i < len(s.Rows) && i < headerRows; i++ {
		if n := countKnown(s.Rows[i], known); n > most || n == most && best >= 0 && reachesDown(s.Rows[i]) {
			best, most = i, n
		}
	}
	if best < 0 {
		return nil, false
	}
	return readHeader(s, best, known), true
}

// countKnown counts the different fields that a row's cells name.
func countKnown(r Row, known map[string]target) int {
	seen := map[target]bool{}
	for _, c := range r.Cells {
		if t, ok := known[kind.Heading(c.Text)]; ok && c.Merged != mergedAcross {
			seen[t] = true
		}
	}
	return len(seen)
}

// reachesDown reports whether cells of the row above are merged into this one.
func reachesDown(r Row) bool {
	for _, c := range r.Cells {
		if c.Merged == mergedDown {
			return true
		}
	}
	return false
}

// readHeader reads the headings of row at.
func readHeader(s *Sheet, at int, known map[string]target) *header {
	h := &header{at: at, serial: -1}
	seen := map[target]bool{}
	for i, c := range s.Rows[at].Cells {
		text := strings.TrimSpace(c.Text)
		if text == "" || c.Merged == mergedAcross {
			continue
		}
		t, ok := known[kind.Heading(text)]
		switch {
		case ok && seen[t]:
			h.unknown = append(h.unknown, Heading{Sheet: s.Name, Index: i, Text: text, Twice: true})
		case ok:
			seen[t] = true
			h.columns = append(h.columns, Column{Index: i, Heading: text, Field: t.field, Companion: t.companion})
		case h.serial < 0 && serialWords[kind.Heading(text)]:
			h.serial = i
		default:
			h.unknown = append(h.unknown, Heading{Sheet: s.Name, Index: i, Text: text})
		}
	}
	return h
}
