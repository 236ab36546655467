package kind

import (
	"strings"
	"unicode/utf8"

	"unionsync/syncproto"
)

// Format shows canonical bytes to a person in language "zh" or "en": codes by their label,
// amounts in yuan, references in the usual form of an id. What it writes, [Field.Parse]
// reads again to the same bytes. It never fails: what it does not know it shows as it is.
func (f *Field) Format(value []byte, lang string) string {
	if f.Type != TypeSet {
		return f.formatAs(f.Type, string(value), lang)
	}
	elements := SplitSet(value)
	for i, e := range elements {
		elements[i] = f.formatAs(f.Elem, e, lang)
	}
	return strings.Join(elements, "、")
}

// formatAs shows one value of type t.
func (f *Field) formatAs(t Type, s, lang string) string {
	switch t {
	case TypeCode:
		if c, ok := f.Table.byCode[s]; ok {
			return Label{Zh: c.Zh, En: c.En}.In(lang)
		}
	case TypeYesNo:
		return yesNoLabel(s, lang)
	case TypeMoney:
		return yuan(s)
	case TypeReference:
		if f.Ref != RefUnion && len(s) == len(syncproto.RecordID{}) {
			return syncproto.RecordID([]byte(s)).String()
		}
	}
	return s
}

// yesNoLabel is yes or no in a language.
func yesNoLabel(s, lang string) string {
	switch {
	case s == "1" && lang == "en":
		return "yes"
	case s == "1":
		return "是"
	case s == "0" && lang == "en":
		return "no"
	case s == "0":
		return "否"
	}
	return s
}

// yuan shows fen as yuan with two decimals.
func yuan(fen string) string {
	if v, ok := wholeNumber(fen); !ok || v != fen {
		return fen
	}
	sign := ""
	if rest, ok := strings.CutPrefix(fen, "-"); ok {
		sign, fen = "-", rest
	}
	for len(fen) < 3 {
		fen = "0" + fen
	}
	return sign + fen[:len(fen)-2] + "." + fen[len(fen)-2:]
}

// Mask shows a sensitive value so that a person can recognise it and nobody can use it:
// 330102********1234, 138****0000. Values of fields that are not sensitive are shown whole.
func (f *Field) Mask(value []byte, lang string) string {
	s := f.Format(value, lang)
	if !f.Sensitive || s == "" {
		return s
	}
	switch f.Type {
	case TypeCitizenID:
		if len(s) == 18 {
			return hide(s, 6, 4)
		}
		return hide(s, 2, 2)
	case TypePhone:
		return hide(s, 3, 4)
	}
	return hide(s, 1, 0)
}

// hide puts asterisks between the first head and the last tail characters, and hides all of
// a text that is too short for that.
func hide(s string, head, tail int) string {
	r := []rune(s)
	if n := utf8.RuneCountInString(s); n <= head+tail {
		head, tail = min(1, n-1), 0
	}
	for i := head; i < len(r)-tail; i++ {
		r[i] = '*'
	}
	return string(r)
}
