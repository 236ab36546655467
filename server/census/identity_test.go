package census

import (
	"testing"

	"unionsync/syncproto"
)

func TestIdentity(t *testing.T) {
	ids := newIdentities(testKey, []string{"111", "901"})
	a, b := shortID("a"), shortID("b")
	for _, c := range []struct {
		why                  string
		type1, no1, type2, n string
		same                 bool
	}{
		{"the same card", "111", "330782199003070013", "111", "330782199003070013", true},
		{"15 digits are the same card", "111", "330702851231042", "111", "330702198512310429", true},
		{"full-width digits, blanks and a small x", "111", "１１０１０５ 19491231002x", "111", "11010519491231002X", true},
		{"another number", "111", "330782199003070013", "111", "330784200002290039", false},
		{"the same number of another document", "111", "330782199003070013", "901", "330782199003070013", false},
		{"a wrong check digit is no number: nobody is joined by it", "111", "330782199003070014", "111", "330782199003070014", false},
		{"zeros stand for nobody", "111", "000000000000000000", "111", "000000000000000000", false},
		{"no number", "111", "", "111", "", false},
		{"a passport", "414", "E1234 5678", "414", "e12345678", true},
		{"a passport's dashes do not count", "414", "E-12345678", "414", "E12345678", true},
		{"a placeholder is no passport", "414", "E0000000", "414", "E0000000", false},
		{"a word is no number", "999", "无", "999", "无", false},
		{"three digits could be anything", "999", "第123号", "999", "第123号", false},
		{"an officer's certificate", "999", "军字第12345678号", "999", "军字第 12345678 号", true},
	} {
		got := ids.key("A", a, c.type1, c.no1) == ids.key("B", b, c.type2, c.n)
		if got != c.same {
			t.Errorf("%s: same person %v, want %v", c.why, got, c.same)
		}
	}
	if ids.key("A", a, "111", "") != ids.key("A", a, "414", "?") {
		t.Error("a record without a number is not the same person as itself")
	}
	if ids.key("A", a, "111", "") == ids.key("B", a, "111", "") || ids.key("A", a, "111", "") == ids.key("A", b, "111", "") {
		t.Error("records without a number are one person")
	}
	other := newIdentities([]byte("another city's key of 32 bytes!!"), []string{"111"})
	if ids.key("A", a, "111", "330782199003070013") == other.key("A", a, "111", "330782199003070013") {
		t.Error("the key does not matter")
	}
	var zero personKey
	if ids.key("A", syncproto.RecordID{}, "", "") == zero {
		t.Error("a person without a name")
	}
}
