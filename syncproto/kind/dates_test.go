package kind

import "testing"

func TestYearsBetween(t *testing.T) {
	for _, c := range []struct {
		why, from, to string
		want          int
	}{
		{"birthday", "1990-03-07", "2006-03-07", 16},
		{"day before", "1990-03-07", "2006-03-06", 15},
		{"month of the birthday counts as reached", "1990-03-07", "2006-03", 16},
		{"born some day of the month", "1990-03", "2006-03-01", 16},
		{"born 29 February", "2000-02-29", "2016-02-28", 15},
		{"born 29 February, day after", "2000-02-29", "2017-03-01", 17},
		{"before birth", "1990-03-07", "1989-03-07", -1},
	} {
		if got, err := yearsBetween(c.from, c.to); err != nil || got != c.want {
			t.Errorf("%s: %d, %v, want %d", c.why, got, err, c.want)
		}
	}
}

func TestAddDays(t *testing.T) {
	for _, c := range []struct {
		date string
		n    int
		want string
	}{
		{"2026-02-27", 2, "2026-03-01"}, {"2024-02-27", 2, "2024-02-29"}, {"2026-12-31", 1, "2027-01-01"},
		{"2026-04", 1, "2026-05-01"}, {"2026-03-01", -1, "2026-02-28"},
	} {
		if got, err := addDays(c.date, c.n); err != nil || got != c.want {
			t.Errorf("%s + %d: %s, %v, want %s", c.date, c.n, got, err, c.want)
		}
	}
	if got, err := addYears("2024-02-29", 1); err != nil || got != "2025-03-01" {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := daysBetween("2026-04-01", "2026-05-01"); err != nil || got != 30 {
		t.Errorf("%d, %v", got, err)
	}
	for _, bad := range []string{"", "2026", "2026-13-01", "2026-02-30x"} {
		if _, err := addDays(bad, 1); err == nil {
			t.Errorf("%q passed as a date", bad)
		}
		if _, err := yearsBetween(bad, "2026-01-01"); err == nil {
			t.Errorf("%q passed as a date", bad)
		}
		if _, err := daysBetween("2026-01-01", bad); err == nil {
			t.Errorf("%q passed as a date", bad)
		}
	}
}

func TestHeading(t *testing.T) {
	for in, want := range map[string]string{
		"证件号码（必填）*": "证件号码", "* 姓 名": "姓名", "联系\n电话": "联系电话", "Date of Birth": "dateofbirth", "技术（技能）等级": "技术(技能)等级",
		"【必填】姓名": "【必填】姓名", "身份证号【18位】": "身份证号", "姓名：": "姓名", "（姓名）": "(姓名)", "": "", "*": "",
	} {
		if got := Heading(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
