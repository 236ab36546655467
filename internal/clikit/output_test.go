package clikit

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func session(out, errs *bytes.Buffer) *Session {
	return &Session{IO: IO{Stdout: out, Stderr: errs, Now: time.Now}}
}

func TestPrintTable(t *testing.T) {
	var out bytes.Buffer
	err := session(&out, nil).PrintTable(Table{
		Head: []string{"姓名", "人数", "电话", "rate"},
		Rows: [][]string{
			{"张三", "7", "13800000000", "12.5%"},
			{"阿依古丽·买买提", "1,335", "0579-1", "—"},
			{"a\tb\x1b[31mc", "", "", "100%"}, // no cell moves the cursor or colours the screen
			{"short row"},
		},
	})
	want := "" +
		"姓名              人数  电话          rate\n" +
		"张三                 7  13800000000  12.5%\n" +
		"阿依古丽·买买提  1,335  0579-1           —\n" +
		"a b[31mc             —  —             100%\n" +
		"short row            —  —                —\n"
	if diff := cmp.Diff(want, out.String()); diff != "" || err != nil {
		t.Errorf("error %v, table (-want +got)\n%s", err, diff)
	}
}

func TestPrintFields(t *testing.T) {
	var out bytes.Buffer
	if err := session(&out, nil).PrintFields([][2]string{{"姓名", "张三"}, {"id", ""}, {"会员证号", "1"}}); err != nil {
		t.Fatal(err)
	}
	want := "姓名      张三\nid        —\n会员证号  1\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// TestTableLinesUp: whatever the cells hold, the last column begins in the same place.
func TestTableLinesUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.StringOf(rapid.RuneFrom([]rune("ab张　Ａ·é\u0301—")))
		var rows [][]string
		for _, c := range rapid.SliceOfN(cell, 1, 6).Draw(t, "cells") {
			rows = append(rows, []string{c, "|"})
		}
		var out bytes.Buffer
		if err := session(&out, nil).PrintTable(Table{Head: []string{"h", "|"}, Rows: rows}); err != nil {
			t.Fatal(err)
		}
		at := -1
		for line := range strings.Lines(out.String()) {
			before, _, ok := strings.Cut(line, "|")
			if !ok || at >= 0 && Width(before) != at {
				t.Fatalf("not lined up:\n%s", out.String())
			}
			at = Width(before)
		}
	})
}

func TestWidth(t *testing.T) {
	for s, want := range map[string]int{
		"": 0, "abc": 3, "张三": 4, "Ａ": 2, "·": 1, "e\u0301": 1, "𠮷": 2, "ﾊ": 1,
	} {
		if got := Width(s); got != want {
			t.Errorf("Width(%q) = %d, want %d", s, got, want)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestPrintingTellsOfABrokenPipe(t *testing.T) {
	s := &Session{IO: IO{Stdout: brokenWriter{}}}
	for name, err := range map[string]error{
		"table":  s.PrintTable(Table{Head: []string{"a"}}),
		"fields": s.PrintFields([][2]string{{"a", "b"}}),
		"json":   s.PrintJSON(1),
		"line":   s.Println("a"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestProgress(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, tc := range []struct {
		why      string
		terminal bool
		wait     []time.Duration // before each step
		want     string
	}{
		{"short work stays silent", true, []time.Duration{time.Second}, ""},
		{"no terminal", false, []time.Duration{time.Minute}, ""},
		{"after two seconds", true, []time.Duration{3 * time.Second}, "\r导入 1/4 (25%)\r              \r"},
		{"not more often than the eye can follow", true,
			[]time.Duration{3 * time.Second, time.Millisecond, time.Second},
			"\r导入 1/4 (25%)\r导入 3/4 (75%)\r              \r"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			var errs bytes.Buffer
			s := &Session{IO: IO{Stderr: &errs, Terminal: tc.terminal, Now: func() time.Time { return now }}}
			p := s.Progress("导入")
			for i, wait := range tc.wait {
				now = now.Add(wait)
				p.Step(i+1, 4)
			}
			p.Done()
			if got := errs.String(); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestProgressWithoutTotal(t *testing.T) {
	now := time.Unix(1000, 0)
	var errs bytes.Buffer
	s := &Session{IO: IO{Stderr: &errs, Terminal: true, Now: func() time.Time { return now }}}
	p := s.Progress("x")
	now = now.Add(time.Minute)
	p.Step(7, 0)
	if got := errs.String(); got != "\rx 7" {
		t.Errorf("%q", got)
	}
}

func TestMask(t *testing.T) {
	for _, tc := range []struct{ in, number, phone string }{
		{"330102199001011234", "330102********1234", "330***********1234"},
		{"13812340000", "*********00", "138****0000"},
		{"E12345678", "*******78", "E1****678"},
		{"12345", "****5", "****5"},
		{"1", "*", "*"},
		{"", "", ""},
		{"证件号码甲乙", "****甲乙", "证****乙"},
	} {
		if got := MaskNumber(tc.in); got != tc.number {
			t.Errorf("MaskNumber(%q) = %q, want %q", tc.in, got, tc.number)
		}
		if got := MaskPhone(tc.in); got != tc.phone {
			t.Errorf("MaskPhone(%q) = %q, want %q", tc.in, got, tc.phone)
		}
	}
}

// TestMaskHides: at least four characters are hidden, or all of a shorter text.
func TestMaskHides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[0-9X]{0,24}`).Draw(t, "text")
		for _, masked := range []string{MaskNumber(s), MaskPhone(s)} {
			if hidden := strings.Count(masked, "*"); len(masked) != len(s) || hidden < min(4, len(s)) {
				t.Fatalf("%q became %q", s, masked)
			}
		}
	})
}
