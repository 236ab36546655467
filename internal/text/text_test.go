package text

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"unionsync/syncproto"
)

func catalogue(t *testing.T, yaml string) *Catalogue {
	t.Helper()
	c, err := Load(fstest.MapFS{"catalogue/a.yaml": {Data: []byte(yaml)}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const sample = `
- {code: 100, zh: 内部, en: inside}
- {code: 701, zh: "第 {seq} 条坏", en: "entry {seq} is bad", hint_zh: "看 {file}", hint_en: "see {file}"}
- {code: 210, zh: "“{label_zh}”没填", en: "{label_en} is missing"}
- {code: 232, zh: "{zh}", en: "{en}"}
- {id: error.unknown_code, zh: "未知 {code}", en: "unknown {code}"}
- {id: status.saved, zh: "已存 {n}", en: "saved {n}"}
`

func TestSentence(t *testing.T) {
	c := catalogue(t, sample)
	bad := syncproto.Fail(701, "open journal", nil, "seq", "7", "file", "{seq}")
	for _, tc := range []struct {
		why  string
		lang Lang
		err  error
		want string
		hint string
	}{
		{"filled", Chinese, bad, "第 7 条坏（E701）", "看 {seq}"}, // an argument is never read again
		{"English", English, bad, "entry 7 is bad (E701)", "see {seq}"},
		{"wrapped", Chinese, fmt.Errorf("start: %w", bad), "第 7 条坏（E701）", "看 {seq}"},
		{"joined", Chinese, errors.Join(errors.New("x"), bad), "第 7 条坏（E701）", "看 {seq}"},
		{"not filled", Chinese, syncproto.Fail(701, "x", nil), "第 — 条坏（E701）", "看 —"},
		{"a word of each language", English, syncproto.Fail(210, "x", nil, "label_zh", "姓名", "label_en", "name"), "name is missing (E210)", ""},
		{"no code: internal", English, errors.New("disk on fire"), "inside (E100)", ""},
		{"nil", English, nil, "inside (E100)", ""},
		{"a newer code", English, syncproto.Fail(999, "x", nil), "unknown 999 (E999)", ""},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if got := c.Sentence(tc.lang, tc.err); got != tc.want {
				t.Errorf("sentence %q, want %q", got, tc.want)
			}
			if got := c.Hint(tc.lang, tc.err); got != tc.hint {
				t.Errorf("hint %q, want %q", got, tc.hint)
			}
		})
	}
}

func TestOf(t *testing.T) {
	c := catalogue(t, sample)
	for _, tc := range []struct{ lang, id, want string }{
		{"zh", "status.saved", "已存 3"},
		{"en", "status.saved", "saved 3"},
		{"en", "no.such.id", "no.such.id"},
	} {
		if got := c.Of(Lang(tc.lang), tc.id, map[string]string{"n": "3"}); got != tc.want {
			t.Errorf("Of(%s, %s) = %q, want %q", tc.lang, tc.id, got, tc.want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, tc := range []struct{ why, yaml, want string }{
		{"neither code nor id", `- {zh: 甲, en: a}`, "either a code or an id"},
		{"both", `- {code: 1, id: a, zh: 甲, en: a}`, "either a code or an id"},
		{"one language", `- {code: 1, zh: 甲}`, "both languages"},
		{"hint in one language", `- {code: 1, zh: 甲, en: a, hint_en: b}`, "hint in both"},
		{"other placeholders", `- {code: 1, zh: "{a}", en: "{b}"}`, "different placeholders"},
		{"other placeholders in hint", `- {code: 1, zh: 甲, en: a, hint_zh: "{a}", hint_en: b}`, "hints have different"},
		{"the other language's word", `- {code: 1, zh: "{a_en}", en: "{a_en}"}`, "different placeholders"},
		{"code twice", "- {code: 1, zh: 甲, en: a}\n- {code: 1, zh: 乙, en: b}", "code 1: given twice"},
		{"id twice", "- {id: x, zh: 甲, en: a}\n- {id: x, zh: 乙, en: b}", "id x: given twice"},
		{"misspelt key", `- {code: 1, zh: 甲, en: a, hnit_en: b}`, "hnit_en"},
		{"code too large", `- {code: 70000, zh: 甲, en: a}`, "a.yaml"},
		{"not a list", `code: 1`, "a.yaml"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			_, err := Load(fstest.MapFS{"catalogue/a.yaml": {Data: []byte(tc.yaml)}})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

// TestLoadNamesAllFaults: whoever writes sentences sees every fault in one pass.
func TestLoadNamesAllFaults(t *testing.T) {
	_, err := Load(fstest.MapFS{
		"catalogue/a.yaml": {Data: []byte("- {code: 1, zh: 甲}\n- {code: 2, en: b}")},
		"catalogue/b.yaml": {Data: []byte(":")},
		"catalogue/c.yaml": {Data: nil}, // an empty file is fine
	})
	for _, want := range []string{"code 1", "code 2", "b.yaml"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, tc := range []struct {
		why, flag, env string
		want           Lang
	}{
		{"default", "", "", Chinese},
		{"environment", "", "en", English},
		{"flag wins", "zh", "en", Chinese},
		{"locale name", "", "en_US.UTF-8", English},
		{"upper case", "EN", "", English},
		{"unknown falls through", "fr", "en-GB", English},
		{"all unknown", "fr", "C", Chinese},
	} {
		if got := Choose(tc.flag, tc.env); got != tc.want {
			t.Errorf("%s: Choose(%q, %q) = %s, want %s", tc.why, tc.flag, tc.env, got, tc.want)
		}
	}
}
