package kind

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"unionsync/internal/cnid"
	"unionsync/syncproto"
)

// Valid reports what is wrong with canonical bytes of this field, or nil. An empty value
// is none: a field without a value is cleared.
func (f *Field) Valid(value []byte) *Problem {
	if len(value) == 0 {
		return &Problem{Code: syncproto.CodeMissing, Field: f}
	}
	if f.Type == TypeSet {
		return f.validSet(value)
	}
	return f.validAs(f.Type, string(value))
}

// validSet checks the elements of a set and their order.
func (f *Field) validSet(value []byte) *Problem {
	elements := SplitSet(value)
	for _, e := range elements {
		if e == "" {
			return &Problem{Code: syncproto.CodeMissing, Field: f}
		}
		if p := f.validAs(f.Elem, e); p != nil {
			return p
		}
	}
	if string(JoinSet(elements)) != string(value) {
		return &Problem{Code: syncproto.CodeNotText, Field: f}
	}
	return nil
}

// ValidElement reports what is wrong with one element of a set.
func (f *Field) ValidElement(element []byte) *Problem {
	if len(element) == 0 {
		return &Problem{Code: syncproto.CodeMissing, Field: f}
	}
	return f.validAs(f.Elem, string(element))
}

// validAs checks one value of type t.
func (f *Field) validAs(t Type, s string) *Problem {
	bad := func(ok bool, code syncproto.Code) *Problem {
		if ok {
			return nil
		}
		return &Problem{Code: code, Field: f}
	}
	switch t {
	case TypeCode:
		_, ok := f.Table.byCode[s]
		return bad(ok, syncproto.CodeNotInTable)
	case TypeDate:
		return bad(isDate(s), syncproto.CodeNotDate)
	case TypeMonth:
		return bad(isMonth(s), syncproto.CodeNotMonth)
	case TypeInteger:
		v, ok := wholeNumber(s)
		return bad(ok && v == s, syncproto.CodeNotInteger)
	case TypeMoney:
		v, ok := wholeNumber(s)
		return bad(ok && v == s, syncproto.CodeNotMoney)
	case TypeYesNo:
		return bad(s == "1" || s == "0", syncproto.CodeNotYesNo)
	case TypeCitizenID:
		return f.validDocument(s)
	case TypeCreditCode:
		return f.creditProblem(s)
	case TypePhone:
		return bad(isPhone(s), syncproto.CodeNotPhone)
	case TypeReference:
		return bad(f.validReference(s), syncproto.CodeNotReference)
	}
	return f.validText(s)
}

// validText checks form, characters and length of a text.
func (f *Field) validText(s string) *Problem {
	if !utf8.ValidString(s) || !norm.NFC.IsNormalString(s) || strings.TrimFunc(s, isBlank) == "" || strings.Contains(s, "\r") {
		return &Problem{Code: syncproto.CodeNotText, Field: f}
	}
	p := parsing{f: f, s: s}
	if f.Type == TypeSet && strings.Contains(s, setSeparator) {
		return p.refuse(syncproto.CodeNotText)
	}
	_, problem := p.text()
	return problem
}

// validReference reports a record id, or a union's code.
func (f *Field) validReference(s string) bool {
	if f.Ref == RefUnion {
		return isUnionCode(s)
	}
	return len(s) == len(syncproto.RecordID{})
}

// isUnionCode reports 1 to 32 bytes of 0-9, A-Z, a-z and dash.
func isUnionCode(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' {
			return false
		}
	}
	return s != "" && len(s) <= syncproto.MaxUnionCode
}

// reference reads a record id in its usual form, or a union's code.
func (p *parsing) reference() (string, *Problem) {
	p.narrow()
	if p.f.Ref == RefUnion {
		return p.s, p.f.Valid([]byte(p.s))
	}
	id, err := syncproto.ParseRecordID(p.s)
	if err != nil {
		return "", p.refuse(syncproto.CodeNotReference)
	}
	return string(id[:]), nil
}

// validDocument checks a document number: its characters, and as a citizen's number if the
// field can hold no other.
func (f *Field) validDocument(s string) *Problem {
	if p := f.documentForm(s); p != nil || f.TypeField != "" {
		return p
	}
	return f.citizenProblem(s)
}

// documentForm checks what every document's number has: at most 30 capitals, digits and
// some signs.
func (f *Field) documentForm(s string) *Problem {
	if utf8.RuneCountInString(s) > f.maxChars() {
		return &Problem{Code: syncproto.CodeTooLong, Field: f, Args: []string{"max", strconv.Itoa(f.maxChars())}}
	}
	for _, r := range s {
		ok := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-()/.", r) || r >= 0x4e00
		if !ok {
			return &Problem{Code: syncproto.CodeNotDocument, Field: f}
		}
	}
	return nil
}

// citizenProblem checks a citizen's number.
func (f *Field) citizenProblem(s string) *Problem {
	err := cnid.CheckCitizen(s)
	if err == nil {
		return nil
	}
	p := &Problem{Field: f}
	switch {
	case errors.Is(err, cnid.ErrLength):
		p.Code, p.Args = syncproto.CodeIDLength, []string{"length", strconv.Itoa(utf8.RuneCountInString(s))}
	case errors.Is(err, cnid.ErrProvince):
		p.Code = syncproto.CodeIDProvince
	case errors.Is(err, cnid.ErrBirth):
		p.Code = syncproto.CodeIDBirth
	case errors.Is(err, cnid.ErrCheck):
		p.Code = syncproto.CodeIDCheck
	default:
		p.Code = syncproto.CodeIDChar
	}
	return p
}

// creditProblem checks a unified social credit code.
func (f *Field) creditProblem(s string) *Problem {
	switch err := cnid.CheckCredit(s); {
	case err == nil:
		return nil
	case errors.Is(err, cnid.ErrCreditLength):
		return &Problem{Code: syncproto.CodeCreditLength, Field: f}
	case errors.Is(err, cnid.ErrCreditCheck):
		return &Problem{Code: syncproto.CodeCreditCheck, Field: f}
	}
	return &Problem{Code: syncproto.CodeCreditChar, Field: f}
}
