package kind

import (
	"strconv"
	"strings"
	"time"

	"unionsync/syncproto"
)

// Forms of canonical dates.
const (
	dayForm   = "2006-01-02"
	monthForm = "2006-01"
)

// Serial numbers of days that are believed: 1927-05-18 to 2099-12-31. Smaller numbers in a
// date column are years or slips, not days.
const (
	minSerial = 10000
	maxSerial = 73050
)

// dateForms are the ways of writing a day that are known besides the canonical one, after
// 年 and 月 became dashes. Digits without separators come first: 20240930.
var dateForms = []string{"20060102", "2006-1-2", "2006.1.2", "2006/1/2"}

// monthForms are the same for a month.
var monthForms = []string{"200601", "2006-1", "2006.1", "2006/1"}

// date reads a day, or a month where only that is known.
func (p *parsing) date() (string, *Problem) {
	if isDate(p.s) {
		return p.s, nil
	}
	p.narrow()
	if isDate(p.s) {
		return p.s, nil
	}
	s := chineseDate(p.s)
	if day, ok := anyForm(s, dateForms, dayForm); ok {
		p.change(day, syncproto.CodeNoteDate)
		return day, nil
	}
	if month, ok := anyForm(s, monthForms, monthForm); ok {
		p.change(month, syncproto.CodeNoteDate)
		return month, nil
	}
	if day, ok := serialDate(s); ok {
		p.change(day, syncproto.CodeNoteSerial)
		return day, nil
	}
	return "", p.refuse(syncproto.CodeNotDate)
}

// month reads a month; a day's month counts.
func (p *parsing) month() (string, *Problem) {
	if isMonth(p.s) {
		return p.s, nil
	}
	day, problem := p.date()
	if problem != nil {
		return "", p.refuse(syncproto.CodeNotMonth)
	}
	p.change(day[:len(monthForm)], syncproto.CodeNoteDate)
	return p.s, nil
}

// chineseDate turns 2024年9月30日 into 2024-9-30 and leaves out a time of midnight.
func chineseDate(s string) string {
	s = strings.NewReplacer("年", "-", "月", "-", "日", "", "号", "").Replace(s)
	s = strings.TrimSuffix(s, "-")
	for _, midnight := range []string{"T00:00:00Z", "T00:00:00", "00:00:00", "0:00:00", "00:00", "0:00"} {
		if t, ok := strings.CutSuffix(s, midnight); ok && len(t) >= len("2006-1-2") {
			return t
		}
	}
	return s
}

// anyForm reads s in the first form that fits.
func anyForm(s string, forms []string, out string) (string, bool) {
	for _, form := range forms {
		if t, err := time.Parse(form, s); err == nil && yearKnown(t) {
			return t.Format(out), true
		}
	}
	return "", false
}

// yearKnown keeps years within what a record may speak of.
func yearKnown(t time.Time) bool { return t.Year() >= 1900 && t.Year() < 2200 }

// serialDate reads a spreadsheet's number of a day, counted from 1899-12-30.
func serialDate(s string) (string, bool) {
	whole, _, _ := strings.Cut(s, ".")
	n, err := strconv.Atoi(whole)
	if err != nil || len(whole) != 5 || n < minSerial || n > maxSerial || !allDigits(strings.Replace(s, ".", "", 1)) {
		return "", false
	}
	return time.Date(1899, 12, 30+n, 0, 0, 0, 0, time.UTC).Format(dayForm), true
}

// isDate reports a canonical date, of a day or of a month only.
func isDate(s string) bool {
	if isMonth(s) {
		return true
	}
	t, err := time.Parse(dayForm, s)
	return err == nil && len(s) == len(dayForm) && yearKnown(t)
}

// isMonth reports a canonical month.
func isMonth(s string) bool {
	t, err := time.Parse(monthForm, s)
	return err == nil && len(s) == len(monthForm) && yearKnown(t)
}
