package kind

import (
	"strconv"
	"strings"

	"unionsync/syncproto"
)

// maxDigits keeps integers and amounts within an int64.
const maxDigits = 15

// integer reads a whole number, with separators and a unit of counting if need be.
func (p *parsing) integer() (string, *Problem) {
	p.narrow()
	for _, unit := range []string{"人", "个", "名", "家", "次", "条", "项", "件", "票", "年", "天"} {
		p.change(strings.TrimSuffix(p.s, unit), syncproto.CodeNoteNumber)
	}
	p.change(dropCommas(p.s), syncproto.CodeNoteNumber)
	p.change(strings.TrimSuffix(p.s, ".0"), syncproto.CodeNoteNumber)
	if v, ok := wholeNumber(p.s); ok {
		p.change(v, syncproto.CodeNoteNumber)
		return v, nil
	}
	return "", p.refuse(syncproto.CodeNotInteger)
}

// wholeNumber gives the canonical text of a whole number: no plus, no leading zeros.
func wholeNumber(s string) (string, bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || len(digits) > maxDigits || !allDigits(digits) {
		return "", false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return strconv.FormatInt(n, 10), err == nil
}

// allDigits reports whether s has only ASCII digits.
func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// dropCommas removes separators of thousands where they stand right: 1,234,567.
func dropCommas(s string) string {
	head, tail, dotted := strings.Cut(s, ".")
	parts := strings.Split(head, ",")
	for i, part := range parts {
		if i > 0 && len(part) != 3 || i == 0 && (strings.Trim(part, "-") == "" || len(part) > 4) {
			return s
		}
	}
	if len(parts) == 1 {
		return s
	}
	if head = strings.Join(parts, ""); dotted {
		return head + "." + tail
	}
	return head
}

// money reads an amount in yuan, or in 万元 or 亿元, and gives fen.
func (p *parsing) money() (string, *Problem) {
	p.narrow()
	s := strings.TrimPrefix(strings.TrimPrefix(p.s, "¥"), "￥")
	s = strings.TrimSuffix(strings.TrimSuffix(s, "整"), "元")
	shift := 2
	if t, ok := strings.CutSuffix(s, "万"); ok {
		s, shift = t, 6
	} else if t, ok := strings.CutSuffix(s, "亿"); ok {
		s, shift = t, 10
	}
	s = dropCommas(s)
	fen, ok := shiftDecimal(s, shift)
	if !ok {
		return "", p.refuse(syncproto.CodeNotMoney)
	}
	p.change(s, syncproto.CodeNoteNumber)
	return fen, nil
}

// shiftDecimal moves the decimal point of s to the right; it reports false if decimals
// would be lost or s is no number.
func shiftDecimal(s string, shift int) (string, bool) {
	whole, part, _ := strings.Cut(s, ".")
	part = strings.TrimRight(part, "0")
	if len(part) > shift || strings.Trim(whole, "-") == "" || !allDigits(part) {
		return "", false
	}
	return wholeNumber(whole + part + strings.Repeat("0", shift-len(part)))
}

// yesWords and noWords are what people write for yes and no; the first ones are usual, the
// others are replaced visibly.
var (
	yesWords = map[string]bool{"是": false, "yes": false, "1": false, "true": false, "y": true, "有": true, "√": true, "✓": true, "对": true}
	noWords  = map[string]bool{"否": false, "no": false, "0": false, "false": false, "n": true, "无": true, "×": true, "不是": true, "没有": true}
)

// yesNo reads yes or no.
func (p *parsing) yesNo() (string, *Problem) {
	key := fold(p.s)
	value := "1"
	noted, ok := yesWords[key]
	if !ok {
		value = "0"
		noted, ok = noWords[key]
	}
	if !ok {
		return "", p.refuse(syncproto.CodeNotYesNo)
	}
	if noted {
		p.note(syncproto.CodeNoteAlias)
	}
	return value, nil
}

// phone reads a mobile number or a landline with area code.
func (p *parsing) phone() (string, *Problem) {
	p.narrow()
	if isExponent(strings.ToUpper(p.s)) {
		return "", p.refuse(syncproto.CodeIDNumeric)
	}
	s := strings.NewReplacer("(", "", ")", "-", "—", "-", "–", "-", "_", "-").Replace(p.s)
	s = strings.TrimPrefix(strings.TrimPrefix(s, "+86"), "-")
	bare := strings.ReplaceAll(s, "-", "")
	if len(bare) == 13 && strings.HasPrefix(bare, "861") {
		bare = bare[2:]
	}
	if strings.HasPrefix(bare, "1") {
		s = bare
	} else if s == bare && allDigits(s) {
		s = splitLandline(s)
	}
	p.change(s, syncproto.CodeNoteNumber)
	return s, p.f.Valid([]byte(s))
}

// splitLandline puts the dash behind the area code: three digits for 01x and 02x, else four.
func splitLandline(s string) string {
	n := 4
	if strings.HasPrefix(s, "01") || strings.HasPrefix(s, "02") {
		n = 3
	}
	if len(s) <= n {
		return s
	}
	return s[:n] + "-" + s[n:]
}

// isPhone reports whether s is a canonical telephone number.
func isPhone(s string) bool {
	if len(s) == 11 && s[0] == '1' && s[1] >= '3' && allDigits(s) {
		return true
	}
	parts := strings.Split(s, "-")
	if len(parts) < 2 || len(parts) > 3 || !allDigits(strings.Join(parts, "")) {
		return false
	}
	area, number := parts[0], parts[1]
	ok := len(area) >= 3 && len(area) <= 4 && area[0] == '0' && len(number) >= 7 && len(number) <= 8
	return ok && (len(parts) == 2 || len(parts[2]) >= 1 && len(parts[2]) <= 6)
}
