package kind

import (
	"bytes"
	"slices"
	"strings"

	"unionsync/internal/cnid"
	"unionsync/syncproto"
)

// Complete prepares the values of a new record: it fills in defaults, then derives.
func (k *Kind) Complete(values Values) []Note {
	for _, f := range k.Fields {
		if f.Default != "" && len(values[f.Number]) == 0 {
			values[f.Number] = []byte(f.Default)
		}
	}
	return k.Derive(values)
}

// Derive fills in what follows from other values: 18 characters from an old number of 15
// digits, birth and sex from a citizen's number, a day of birth of which only the month was
// given. It never replaces a value that says something else: [Kind.Check] finds those.
func (k *Kind) Derive(values Values) []Note {
	var notes []Note
	for _, f := range k.Fields {
		if id, ok := cnid.FromOld(values.Text(f)); ok && f.isCitizen(k, values) {
			notes = append(notes, Note{Code: syncproto.CodeNoteOldID, Field: f, From: values.Text(f), To: id})
			values[f.Number] = []byte(id)
		}
	}
	for _, f := range k.Fields {
		want, ok := k.derived(f, values)
		if !ok {
			continue
		}
		have := values.Text(f)
		if len(have) == len(monthForm) && f.Type == TypeDate && strings.HasPrefix(want, have) {
			notes = append(notes, Note{Code: syncproto.CodeNoteDate, Field: f, From: have, To: want})
			have = ""
		}
		if have == "" {
			values[f.Number] = []byte(want)
		}
	}
	return notes
}

// derived gives what the value of f must be, if that follows from another field.
func (k *Kind) derived(f *Field, values Values) (string, bool) {
	if f.Derive == nil {
		return "", false
	}
	from := k.byName[f.Derive.From]
	id := values.Text(from)
	if !from.isCitizen(k, values) || cnid.CheckCitizen(id) != nil {
		return "", false
	}
	if f.Derive.What == "birth" {
		return cnid.BirthOf(id), true
	}
	return cnid.SexOf(id), true
}

// isCitizen reports whether f holds a citizen's number in this record: always, or by the
// type of document beside it.
func (f *Field) isCitizen(k *Kind, values Values) bool {
	if f.Type != TypeCitizenID || len(values[f.Number]) == 0 {
		return false
	}
	if f.TypeField == "" {
		return true
	}
	return slices.Contains(f.Citizen, values.Text(k.byName[f.TypeField]))
}

// Same reports whether two values of the field mean the same: equal bytes, or a date of
// which one side knows the month only.
func (f *Field) Same(a, b []byte) bool {
	if f.Type == TypeDate && len(a) != len(b) && len(a) > 0 && len(b) > 0 {
		return bytes.HasPrefix(a, b) || bytes.HasPrefix(b, a)
	}
	return bytes.Equal(a, b)
}
