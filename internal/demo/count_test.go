package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestSameCells: the first group that differs is named, also one that only one side has.
func TestSameCells(t *testing.T) {
	want := map[string]int{"330702 1": 30, "330702 2": 31}
	for _, c := range []struct {
		name string
		got  map[string]int
		says string // of the error; empty: none
	}{
		{"equal", map[string]int{"330702 1": 30, "330702 2": 31}, ""},
		{"one member more", map[string]int{"330702 1": 31, "330702 2": 31}, `group "330702 1": the centre says 31, the recount of the input files says 30`},
		{"a group is missing", map[string]int{"330702 1": 30}, `group "330702 2": the centre says 0`},
		{"a group that nobody typed", map[string]int{"330702 1": 30, "330702 2": 31, "KFQ 1": 1}, `group "KFQ 1": the centre says 1`},
	} {
		err := sameCells(c.got, want)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

// TestCheck: a number that differs from the recount ends the demo, and is not printed as
// checked.
func TestCheck(t *testing.T) {
	var out bytes.Buffer
	d := &demo{out: &out}
	if err := d.check("a file", number{"rows", 111, 111}, number{"refused", 21, 21}); err != nil || d.checked != 2 {
		t.Errorf("%d checked, %v", d.checked, err)
	}
	out.Reset()
	err := d.check("a file", number{"rows", 111, 111}, number{"refused", 20, 21})
	if err == nil || !strings.Contains(err.Error(), "a file: refused: the programs say 20, the recount of the input files says 21") {
		t.Errorf("error %v", err)
	}
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}
}

// TestPad: Chinese characters take two columns.
func TestPad(t *testing.T) {
	for s, want := range map[string]string{"义乌市": "义乌市    ", "Yiwu": "Yiwu      ", "金华经济技术开发区": "金华经济技术开发区"} {
		if got := pad(s, 10); got != want {
			t.Errorf("pad(%q) = %q, want %q", s, got, want)
		}
	}
}
