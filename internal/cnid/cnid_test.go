package cnid_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"unionsync/internal/cnid"
)

func TestCheckCitizen(t *testing.T) {
	for _, c := range []struct {
		why, id string
		want    error
	}{
		{"first sample printed in the standard", "11010519491231002X", nil},
		{"second sample printed in the standard", "440524188001010014", nil},
		{"a man of Yiwu", "330782199003070013", nil},
		{"made from 15 digits", "330702198512310429", nil},
		{"leap day", "330784200002290039", nil},
		{"check digit one off", "330782199003070014", cnid.ErrCheck},
		{"30 February", "411328199002306339", cnid.ErrBirth},
		{"29 February of a common year", "330784200102290030", cnid.ErrBirth},
		{"29 February 1900 is none", "330784190002290030", cnid.ErrBirth},
		{"month 13", "330782199013070013", cnid.ErrBirth},
		{"day 0", "330782199001000013", cnid.ErrBirth},
		{"17 characters", "33072719731129953", cnid.ErrLength},
		{"lower-case x is not canonical", "11010519491231002x", cnid.ErrChar},
		{"x inside", "1101051949123100X2", cnid.ErrChar},
		{"full-width digits are more bytes", "３30782199003070013", cnid.ErrLength},
		{"no such province", "990782199003070013", cnid.ErrProvince},
		{"empty", "", cnid.ErrLength},
	} {
		if got := cnid.CheckCitizen(c.id); !errors.Is(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.why, got, c.want)
		}
	}
}

func TestBirthAndSex(t *testing.T) {
	if got := cnid.BirthOf("330784200002290039"); got != "2000-02-29" {
		t.Errorf("birth %s", got)
	}
	if cnid.SexOf("330782199003070013") != cnid.Male || cnid.SexOf("330702198512310429") != cnid.Female {
		t.Error("sex is not read from the 17th digit")
	}
}

func TestFromOld(t *testing.T) {
	if got, ok := cnid.FromOld("330702851231042"); !ok || got != "330702198512310429" {
		t.Errorf("got %s, %v", got, ok)
	}
	for _, bad := range []string{"", "33070285123104", "33070285133104X", "330702851332042"} {
		if _, ok := cnid.FromOld(bad); ok {
			t.Errorf("%q passed", bad)
		}
	}
}

// TestCitizenOneDigit: the check digit finds every single wrong digit.
func TestCitizenOneDigit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old := rapid.StringMatching(`3307(02|82)[5-9][0-9](0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])[0-9]{3}`).Draw(t, "old")
		id, ok := cnid.FromOld(old)
		if !ok {
			t.Fatalf("a good number was refused")
		}
		at := rapid.IntRange(0, 16).Draw(t, "at")
		d := byte('0' + rapid.IntRange(0, 9).Draw(t, "digit"))
		if d == id[at] {
			return
		}
		if cnid.CheckCitizen(id[:at]+string(d)+id[at+1:]) == nil {
			t.Fatalf("a wrong digit at %d passed", at)
		}
	})
}

func TestCheckCredit(t *testing.T) {
	for _, c := range []struct {
		why, code string
		want      error
	}{
		{"the standard's own sample", "91350100M000100Y43", nil},
		{"enterprise", "91330784MA2HXTKTX6", nil},
		{"private non-enterprise unit", "52330702MJ9123452B", nil},
		{"mass organisation", "13330700MB0000123G", nil},
		{"union", "81330782MC0000012G", nil},
		{"union", "81330700MC12345665", nil},
		{"check character", "81330700MC12345666", cnid.ErrCreditCheck},
		{"two swapped", "91350100M00010Y043", cnid.ErrCreditCheck},
		{"letter I is not used", "9135010I0000100Y43", cnid.ErrCreditChar},
		{"lower case is not canonical", strings.ToLower("91350100M000100Y43"), cnid.ErrCreditChar},
		{"short", "91350100M000100Y4", cnid.ErrCreditLength},
	} {
		if got := cnid.CheckCredit(c.code); !errors.Is(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.why, got, c.want)
		}
	}
}

func FuzzChecks(f *testing.F) {
	for _, s := range []string{"", "11010519491231002X", "91350100M000100Y43", "330702851231042"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if cnid.CheckCitizen(s) == nil && (len(cnid.BirthOf(s)) != 10 || len(cnid.SexOf(s)) != 1) {
			t.Error("a good number without birth or sex")
		}
		if id, ok := cnid.FromOld(s); ok && cnid.CheckCitizen(id) != nil {
			t.Error("an old number became a bad one")
		}
		_ = cnid.CheckCredit(s) // must not panic
	})
}
