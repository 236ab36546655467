package kind

import (
	"fmt"
	"time"
)

// firstDay gives the day of a canonical date, of a month its first.
func firstDay(s string) (time.Time, error) {
	form := dayForm
	if len(s) == len(monthForm) {
		form = monthForm
	}
	t, err := time.Parse(form, s)
	if err != nil {
		return t, fmt.Errorf("read date: want %s", form)
	}
	return t, nil
}

// lastDay gives the day of a canonical date, of a month its last.
func lastDay(s string) (time.Time, error) {
	t, err := firstDay(s)
	if err == nil && len(s) == len(monthForm) {
		t = t.AddDate(0, 1, -1)
	}
	return t, err
}

// yearsBetween counts the full years between two dates, as an age is counted. Where only a
// month is known the count is the greatest possible, so that nobody is refused for what is
// not known. Who is born on 29 February has a birthday on 1 March of other years.
func yearsBetween(from, to string) (int, error) {
	a, err := firstDay(from)
	if err != nil {
		return 0, err
	}
	b, err := lastDay(to)
	if err != nil {
		return 0, err
	}
	years := b.Year() - a.Year()
	if b.Month() < a.Month() || b.Month() == a.Month() && b.Day() < a.Day() {
		years--
	}
	return years, nil
}

// daysBetween counts the days between two dates, the greatest possible like [yearsBetween].
func daysBetween(from, to string) (int, error) {
	a, err := firstDay(from)
	if err != nil {
		return 0, err
	}
	b, err := lastDay(to)
	if err != nil {
		return 0, err
	}
	return int(b.Sub(a).Hours()) / 24, nil
}

// addDays gives the date n days later, of a month from its last day on.
func addDays(date string, n int) (string, error) {
	t, err := lastDay(date)
	if err != nil {
		return "", err
	}
	return t.AddDate(0, 0, n).Format(dayForm), nil
}

// addYears gives the same day n years later, of a month from its last day on.
func addYears(date string, n int) (string, error) {
	t, err := lastDay(date)
	if err != nil {
		return "", err
	}
	return t.AddDate(n, 0, 0).Format(dayForm), nil
}
