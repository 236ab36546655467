package clikit

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Table is what a person gets where a program gets JSON. Columns are as wide as their
// widest cell; Chinese characters count twice. A column of numbers is aligned right.
type Table struct {
	Head []string
	Rows [][]string // each as long as Head
}

const (
	columnGap = 2
	emptyCell = "—"
)

// PrintTable writes t on Stdout.
func (s *Session) PrintTable(t Table) error {
	cells := append([][]string{t.Head}, t.Rows...)
	widths := make([]int, len(t.Head))
	for r, row := range cells {
		clean := make([]string, len(t.Head))
		for c := range clean {
			clean[c] = emptyCell
			if c < len(row) && row[c] != "" {
				clean[c] = printable(row[c])
			}
			widths[c] = max(widths[c], Width(clean[c]))
		}
		cells[r] = clean
	}
	var b strings.Builder
	right := numeric(cells[1:], len(t.Head))
	for _, row := range cells {
		writeRow(&b, row, widths, right)
	}
	if _, err := fmt.Fprint(s.Stdout, b.String()); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

// PrintFields writes one line for each pair of label and value, the values under each other.
func (s *Session) PrintFields(pairs [][2]string) error {
	widest := 0
	for _, p := range pairs {
		widest = max(widest, Width(p[0]))
	}
	var b strings.Builder
	for _, p := range pairs {
		value := emptyCell
		if p[1] != "" {
			value = printable(p[1])
		}
		fmt.Fprintf(&b, "%s%s%s\n", p[0], blanks(widest-Width(p[0])+columnGap), value)
	}
	if _, err := fmt.Fprint(s.Stdout, b.String()); err != nil {
		return fmt.Errorf("print fields: %w", err)
	}
	return nil
}

func writeRow(b *strings.Builder, row []string, widths []int, right []bool) {
	var line strings.Builder
	for c, cell := range row {
		pad := blanks(widths[c] - Width(cell))
		if right[c] {
			line.WriteString(pad + cell)
		} else {
			line.WriteString(cell + pad)
		}
		line.WriteString(blanks(columnGap))
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

func blanks(n int) string { return strings.Repeat(" ", max(n, 0)) }

var number = regexp.MustCompile(`^[-+]?[0-9][0-9,]*(\.[0-9]+)?%?$`)

// numeric tells which columns hold numbers and nothing else. Digits that are a name (a
// citizen's number, a telephone number, a code with a leading zero) are not numbers.
func numeric(rows [][]string, columns int) []bool {
	right := make([]bool, columns)
	for c := range right {
		filled := 0
		right[c] = true
		for _, row := range rows {
			if row[c] == emptyCell {
				continue
			}
			filled++
			name := len(row[c]) > 1 && row[c][0] == '0' && row[c][1] != '.' || len(row[c]) > 15
			right[c] = right[c] && !name && number.MatchString(row[c])
		}
		right[c] = right[c] && filled > 0
	}
	return right
}

// Width is how many columns s takes on a terminal: two for each East Asian wide character,
// none for combining marks.
func Width(s string) int {
	n := 0
	for _, r := range s {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			if !unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
				n++
			}
		}
	}
	return n
}

// printable replaces what would move the cursor or colour the terminal: a cell holds what
// somebody typed somewhere.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control):
			return -1
		default:
			return r
		}
	}, s)
}
