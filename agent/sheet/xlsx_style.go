package sheet

import (
	"encoding/xml"
	"strconv"
	"strings"
	"time"
)

// shown says as what a style shows a number.
type shown byte

const (
	shownNumber shown = iota
	shownDay
	shownMonth
)

// readStyles finds out which cell styles show a number as a day or a month.
func (w *workbook) readStyles() error {
	custom := map[string]shown{}
	inCells := false
	return w.each("xl/styles.xml", func(_ *xml.Decoder, e xml.StartElement) error {
		switch e.Name.Local {
		case "numFmt":
			custom[attr(e, "numFmtId")] = shownAs(attr(e, "formatCode"))
		case "cellXfs":
			inCells = true
		case "cellStyles", "dxfs", "cellStyleXfs":
			inCells = false
		case "xf":
			if inCells {
				w.formats = append(w.formats, formatOf(attr(e, "numFmtId"), custom))
			}
		}
		return nil
	})
}

// formatOf gives what a number format shows: its own code, or a built-in one. 27 to 36 and
// 50 to 58 are the built-in dates of Chinese versions.
func formatOf(id string, custom map[string]shown) shown {
	if s, ok := custom[id]; ok {
		return s
	}
	n, err := strconv.Atoi(id)
	switch {
	case err != nil:
		return shownNumber
	case n == 17 || n == 27 || n == 36 || n == 50 || n == 52 || n == 55 || n == 57:
		return shownMonth
	case n >= 14 && n <= 17, n == 22, n >= 28 && n <= 31, n == 51, n == 53, n == 54, n == 58:
		return shownDay
	}
	return shownNumber
}

// shownAs reads a number format's code: with a year and a day it shows a day, with a year
// and a month only a month.
func shownAs(code string) shown {
	year, month, day := false, false, false
	quoted, bracket := false, false
	for i := 0; i < len(code); i++ {
		switch c := code[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\\':
			i++
		case c == '[':
			bracket = true
		case c == ']':
			bracket = false
		case bracket:
		case c == ';':
			i = len(code) // the other sections are for negative numbers and text
		default:
			year = year || strings.ContainsRune("yYeE", rune(c))
			month = month || c == 'm' || c == 'M'
			day = day || c == 'd' || c == 'D'
		}
	}
	switch {
	case day && month:
		return shownDay
	case year && month && strings.ContainsAny(code, "yY"):
		return shownMonth
	}
	return shownNumber
}

// serialText shows a serial number of the calendar of 1900 as a day, or as a month.
func serialText(serial string, month bool) string {
	whole, _, _ := strings.Cut(serial, ".")
	n, err := strconv.Atoi(whole)
	if err != nil {
		return serial
	}
	day := time.Date(1899, 12, 30+n, 0, 0, 0, 0, time.UTC)
	if month {
		return day.Format("2006-01")
	}
	return day.Format("2006-01-02")
}

// laterSerial turns a serial number of the calendar of 1904 into one of 1900.
func laterSerial(serial string) string {
	n, err := strconv.Atoi(serial)
	if err != nil || len(serial) != 5 {
		return serial
	}
	return strconv.Itoa(n + days1904)
}
