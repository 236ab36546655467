package census

import (
	"testing"

	"unionsync/syncproto"
)

func TestParseDay(t *testing.T) {
	for _, c := range []struct{ why, in, want string }{
		{"the epoch", "1970-01-01", "1970-01-01"},
		{"before the epoch", "1949-10-01", "1949-10-01"},
		{"leap day", "2024-02-29", "2024-02-29"},
	} {
		d, err := ParseDay(c.in)
		if err != nil || d.String() != c.want {
			t.Errorf("%s: %s gives %s, %v", c.why, c.in, d, err)
		}
	}
	for _, c := range []struct{ why, in string }{
		{"no leap year", "2023-02-29"}, {"month only: a question names a day", "2024-09"}, {"dots", "2024.9.30"}, {"empty", ""},
	} {
		if _, err := ParseDay(c.in); syncproto.CodeOf(err) != syncproto.CodeCountDay {
			t.Errorf("%s: %q gives %v", c.why, c.in, err)
		}
	}
	if Always.String() != "always" || Open.String() != "open" || day("1970-01-02") != 1 || day("1969-12-31") != -1 {
		t.Error("days are not counted from 1970-01-01")
	}
}

func TestRecordDay(t *testing.T) {
	for _, c := range []struct {
		why, in, want string
		ok            bool
	}{
		{"a day", "2024-09-30", "2024-09-30", true},
		{"a month stands for its first day", "2024-09", "2024-09-01", true},
		{"no date", "2024", "", false},
		{"a day that does not exist", "2024-02-30", "", false},
		{"empty", "", "", false},
	} {
		d, ok := recordDay([]byte(c.in))
		if ok != c.ok || ok && d.String() != c.want {
			t.Errorf("%s: %q gives %s, %v", c.why, c.in, d, ok)
		}
	}
}

func TestBornBy(t *testing.T) {
	for _, c := range []struct {
		why, day string
		years    int
		want     string
	}{
		{"who has a birthday today is a year older today", "2024-09-30", 25, "1999-09-30"},
		{"from leap day to a common year: those of 1 March are still younger", "2024-02-29", 25, "1999-02-28"},
		{"from leap day to leap day", "2024-02-29", 24, "2000-02-29"},
		{"on 28 February who was born on the 29th is not yet older", "2023-02-28", 23, "2000-02-28"},
		{"on 1 March they are", "2023-03-01", 23, "2000-03-01"},
	} {
		if got := day(c.day).bornBy(c.years); got.String() != c.want {
			t.Errorf("%s: got %s, want %s", c.why, got, c.want)
		}
	}
}
