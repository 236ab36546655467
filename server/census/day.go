package census

import (
	"fmt"
	"math"
	"time"

	"unionsync/syncproto"
)

// Day is a day of the calendar, counted from 1970-01-01 = 0.
type Day int32

// Days that are before and after all others. A stretch that has not ended ends at Open.
const (
	Always Day = math.MinInt32
	Open   Day = math.MaxInt32
)

const (
	secondsPerDay = 24 * 60 * 60
	dayForm       = "2006-01-02"
	monthForm     = "2006-01"
)

// MakeDay gives the day of a date. A date that the calendar does not have counts on, as in
// 31 April = 1 May.
func MakeDay(year, month, day int) Day {
	return Day(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay)
}

// ParseDay reads a day as 2006-01-02.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(dayForm, s)
	if err != nil {
		return 0, syncproto.Fail(syncproto.CodeCountDay, "parse day", nil, "day", clip(s))
	}
	return dayOf(t), nil
}

// String gives the day as 2006-01-02.
func (d Day) String() string {
	switch d {
	case Always:
		return "always"
	case Open:
		return "open"
	}
	return d.time().Format(dayForm)
}

func (d Day) time() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// DayAt gives the day in China at a moment, in Unix seconds.
func DayAt(unix int64) Day { return Day((unix + chinaOffset) / secondsPerDay) }

func dayOf(t time.Time) Day { return Day(t.Unix() / secondsPerDay) }

// recordDay reads the canonical bytes of a date. A date known to the month only stands for
// the first day of that month: a person who joined in September is a member on 30 September.
func recordDay(b []byte) (Day, bool) {
	form := dayForm
	if len(b) == len(monthForm) {
		form = monthForm
	}
	t, err := time.Parse(form, string(b))
	if err != nil {
		return 0, false
	}
	return dayOf(t), true
}

// bornBy gives the last birth day of those who are at least n years old on day d. Who was
// born on 29 February has a birthday on 1 March of other years.
func (d Day) bornBy(n int) Day {
	t := d.time()
	year, month, day := t.Year()-n, t.Month(), t.Day()
	if month == time.February && day == 29 && !isLeap(year) {
		day = 28
	}
	return MakeDay(year, int(month), day)
}

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

// clip keeps what was typed short enough for a sentence.
func clip(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return fmt.Sprintf("%s…", string(r[:most]))
	}
	return s
}
