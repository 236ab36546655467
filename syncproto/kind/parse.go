package kind

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"unionsync/internal/cnid"
	"unionsync/syncproto"
)

// Limits of what one cell may hold.
const (
	defaultMaxText = 2000    // characters of a text that gives no max
	maxDocument    = 30      // characters of a document number
	maxCell        = 8 << 10 // bytes of a typed value; longer ones are refused unread
)

// parsing is one value on its way to canonical bytes, with what was changed so far.
type parsing struct {
	f     *Field
	raw   string
	s     string
	codes []syncproto.Code
}

// Parse turns text as a person typed it, or as it stands in a sheet's cell, into canonical
// bytes. What it changed on the way is listed in notes, to be shown. Blank text gives no
// value, no note and no problem.
func (f *Field) Parse(text string) (value []byte, notes []Note, problem *Problem) {
	p := &parsing{f: f, raw: text, s: text}
	if len(text) > maxCell {
		return nil, nil, p.refuse(syncproto.CodeTooLong, "max", strconv.Itoa(f.maxChars()))
	}
	if !utf8.ValidString(text) {
		return nil, nil, p.refuse(syncproto.CodeNotText)
	}
	p.trim()
	if p.s == "" {
		return nil, nil, nil
	}
	out, problem := p.parse(f.Type)
	if problem != nil || out == "" { // separators only make no set
		return nil, nil, problem
	}
	for _, c := range p.codes {
		notes = append(notes, Note{Code: c, Field: f, From: text, To: f.Format([]byte(out), "zh")})
	}
	return []byte(out), notes, nil
}

// parse dispatches on the type.
func (p *parsing) parse(t Type) (string, *Problem) {
	switch t {
	case TypeCode:
		return p.code()
	case TypeDate:
		return p.date()
	case TypeMonth:
		return p.month()
	case TypeInteger:
		return p.integer()
	case TypeMoney:
		return p.money()
	case TypeYesNo:
		return p.yesNo()
	case TypeCitizenID:
		return p.document()
	case TypeCreditCode:
		return p.credit()
	case TypePhone:
		return p.phone()
	case TypeReference:
		return p.reference()
	case TypeSet:
		return p.setOf()
	}
	return p.text()
}

// refuse makes a problem of this value.
func (p *parsing) refuse(code syncproto.Code, args ...string) *Problem {
	return &Problem{Code: code, Field: p.f, Args: args}
}

// change replaces the text, with a note if it differs.
func (p *parsing) change(s string, code syncproto.Code) {
	if s == p.s {
		return
	}
	p.s = s
	p.note(code)
}

// note lists that something was changed.
func (p *parsing) note(code syncproto.Code) {
	if !slices.Contains(p.codes, code) {
		p.codes = append(p.codes, code)
	}
}

// trim removes what spreadsheets and keyboards leave around a value: a byte order mark, a
// leading apostrophe or tab, blanks.
func (p *parsing) trim() {
	p.s = strings.TrimPrefix(p.s, "\ufeff")
	lead := strings.TrimLeftFunc(p.s, isBlank)
	if rest := strings.TrimLeft(lead, "'’‘`"); rest != lead && rest != "" {
		p.change(strings.TrimLeftFunc(rest, isBlank), syncproto.CodeNoteApostrophe)
	} else if strings.HasPrefix(p.s, "\t") && lead != "" {
		p.change(lead, syncproto.CodeNoteApostrophe)
	}
	p.change(strings.TrimFunc(p.s, isBlank), syncproto.CodeNoteTrim)
}

// isBlank reports white space, zero-width and no-break characters.
func isBlank(r rune) bool {
	return unicode.IsSpace(r) || r == '\u200b' || r == '\u2060' || r == '\ufeff' || r == '\u200e' || r == '\u200f'
}

// narrow folds full-width characters to ordinary ones and removes all blanks: for values
// that are digits and letters only.
func (p *parsing) narrow() {
	p.change(norm.NFKC.String(p.s), syncproto.CodeNoteWidth)
	p.change(dropBlanks(p.s), syncproto.CodeNoteSpaces)
}

// dropBlanks removes all blanks from s.
func dropBlanks(s string) string {
	return strings.Map(func(r rune) rune {
		if isBlank(r) {
			return -1
		}
		return r
	}, s)
}

// maxChars is how many characters a text may have.
func (f *Field) maxChars() int {
	switch {
	case f.Max > 0:
		return f.Max
	case f.Type == TypeCitizenID:
		return maxDocument
	}
	return defaultMaxText
}

// lineEnds makes all ends of lines the same; nobody sees a difference.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// text brings a text into NFC and checks its length and characters.
func (p *parsing) text() (string, *Problem) {
	p.s = lineEnds.Replace(p.s)
	p.change(norm.NFC.String(p.s), syncproto.CodeNoteForm)
	p.trim() // the canonical form of some letters is an apostrophe or a blank
	if p.f.Style == StyleName {
		p.name()
	}
	for _, r := range p.s {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || r == utf8.RuneError {
			return "", p.refuse(syncproto.CodeNotText)
		}
	}
	if utf8.RuneCountInString(p.s) > p.f.maxChars() {
		return "", p.refuse(syncproto.CodeTooLong, "max", strconv.Itoa(p.f.maxChars()))
	}
	return p.s, nil
}

// middleDot is the dot inside names of many minorities, and dotLikes what keyboards and
// old encodings put in its place. An ordinary full stop counts between two Han characters.
const (
	middleDot = '·'
	dotLikes  = "•‧・．∙･⋅●"
)

// name normalises a person's name.
func (p *parsing) name() {
	han, latin := false, false
	for _, r := range p.s {
		han = han || unicode.Is(unicode.Han, r)
		latin = latin || unicode.Is(unicode.Latin, r)
	}
	p.change(dots([]rune(p.s)), syncproto.CodeNoteDot)
	if han && !latin {
		p.change(dropBlanks(p.s), syncproto.CodeNoteSpaces)
	}
	if latin {
		p.change(width.Fold.String(p.s), syncproto.CodeNoteWidth)
	}
}

// dots replaces look-alikes of the middle dot.
func dots(r []rune) string {
	for i, c := range r {
		between := i > 0 && i+1 < len(r) && unicode.Is(unicode.Han, r[i-1]) && unicode.Is(unicode.Han, r[i+1])
		if strings.ContainsRune(dotLikes, c) || c == '.' && between {
			r[i] = middleDot
		}
	}
	return string(r)
}

// fold makes the key under which a table's word is looked up: width, case and blanks do
// not matter.
func fold(s string) string { return strings.ToLower(dropBlanks(norm.NFKC.String(s))) }

// code looks a word up in the field's table: its label, another usual word, an alias, or
// the code itself.
func (p *parsing) code() (string, *Problem) {
	c, noted := p.f.Table.find(p.s)
	if c == nil {
		return "", p.refuse(syncproto.CodeNotInTable)
	}
	if noted {
		p.note(syncproto.CodeNoteAlias)
	}
	return c.Code, nil
}

// find gives the row that a word means, and whether replacing it is worth a note.
func (t *Table) find(s string) (*Code, bool) {
	if w, ok := t.byWord[fold(s)]; ok {
		return w.code, w.noted
	}
	if c, ok := t.byCode[norm.NFKC.String(s)]; ok {
		return c, true
	}
	return nil, false
}

// document brings a document's number into form. Whether it is a citizen's number hangs on
// the field that names the document's type, so [Kind.Check] looks at that.
func (p *parsing) document() (string, *Problem) {
	p.narrow()
	p.change(strings.ToUpper(p.s), syncproto.CodeNoteUpper)
	if isExponent(p.s) {
		return "", p.refuse(syncproto.CodeIDNumeric)
	}
	if problem := p.f.documentForm(p.s); problem != nil {
		return "", problem
	}
	if p.f.TypeField != "" {
		return p.s, nil
	}
	if id, ok := cnid.FromOld(p.s); ok {
		p.change(id, syncproto.CodeNoteOldID)
	}
	return p.s, p.f.citizenProblem(p.s)
}

// isExponent reports a number as spreadsheets show it when it is too long: 3.30782E+17.
func isExponent(s string) bool {
	at := strings.IndexByte(s, 'E')
	if at <= 0 || !strings.Contains(s[:at], ".") && at+1 < len(s) && s[at+1] != '+' {
		return false
	}
	v, err := strconv.ParseFloat(s, 64)
	return err == nil && v >= 1e11
}

// credit brings a unified social credit code into form and checks it.
func (p *parsing) credit() (string, *Problem) {
	p.narrow()
	p.change(strings.ToUpper(p.s), syncproto.CodeNoteUpper)
	if isExponent(p.s) {
		return "", p.refuse(syncproto.CodeIDNumeric)
	}
	return p.s, p.f.Valid([]byte(p.s))
}

// elementEnds are the separators between elements of a set. No label in the table of a set
// may hold one: the loader sees to that.
const elementEnds = "、,，;；/|\n"

// setOf parses the elements of a set, written with any usual separator between them.
func (p *parsing) setOf() (string, *Problem) {
	var elements []string
	for _, e := range strings.FieldsFunc(p.s, func(r rune) bool { return strings.ContainsRune(elementEnds, r) }) {
		q := &parsing{f: p.f, s: strings.TrimFunc(e, isBlank)}
		if q.s == "" {
			continue
		}
		v, problem := q.parse(p.f.Elem)
		if problem != nil {
			return "", problem
		}
		elements = append(elements, v)
		for _, c := range q.codes {
			p.note(c)
		}
	}
	return string(JoinSet(elements)), nil
}

// sortUnique sorts a copy and drops what stands twice.
func sortUnique(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}
