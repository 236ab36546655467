package kind

import (
	"fmt"
	"slices"
	"strings"

	"unionsync/syncproto"
)

// knownTypes are the types that a field may have.
var knownTypes = []Type{
	TypeText, TypeCode, TypeDate, TypeMonth, TypeInteger, TypeMoney, TypeYesNo, TypeCitizenID,
	TypeCreditCode, TypePhone, TypeReference, TypeSet,
}

// elemTypes are the types that a set's elements may have.
var elemTypes = []Type{TypeText, TypeCode, TypeDate, TypeMonth, TypeInteger, TypePhone}

// addFields makes the kind's fields; what they say of other kinds is linked later.
func (d *document) addFields() error {
	for i := range d.file.Fields {
		ff, path := &d.file.Fields[i], fmt.Sprintf("$.fields[%d]", i)
		if err := d.checkField(ff, path); err != nil {
			return err
		}
		f := &Field{
			Number: syncproto.FieldNumber(ff.Number), Name: ff.Name, Label: ff.Label, Help: ff.Help,
			Type: ff.Type, Elem: ff.Elem, Style: ff.Style, Need: ff.Required, Sensitive: ff.Sensitive,
			Ref: ff.Ref, TypeField: ff.TypeField, Citizen: ff.Citizen, Max: ff.Max, Default: ff.Default,
			Derive: ff.Derive, Aliases: ff.Aliases,
		}
		f.Class = mergeClass(ff)
		d.kind.Fields = append(d.kind.Fields, f)
		d.kind.byName[f.Name], d.kind.byNumber[f.Number] = f, f
	}
	return nil
}

// mergeClass gives the class that the file names, or the usual one of the type: ask for
// identity and legal facts, latest for telephones, set for sets.
func mergeClass(ff *fieldFile) syncproto.MergeClass {
	switch {
	case ff.Type == TypeSet:
		return syncproto.ClassSet
	case ff.Class == "latest", ff.Class == "" && ff.Type == TypePhone:
		return syncproto.ClassLatest
	}
	return syncproto.ClassAsk
}

// checkField checks what a field says of itself.
func (d *document) checkField(ff *fieldFile, path string) error {
	switch {
	case !isName(ff.Name) || strings.Contains(ff.Name, "-") || ff.Name == "today":
		return d.fail(path+".name", "field name: want a-z, 0-9 and _, not today, have %q", ff.Name)
	case d.kind.byName[ff.Name] != nil:
		return d.fail(path+".name", "field %q stands twice", ff.Name)
	case syncproto.FieldNumber(ff.Number) < syncproto.FirstFieldNumber:
		return d.fail(path+".number", "field %q: want a number from %d up", ff.Name, syncproto.FirstFieldNumber)
	case d.kind.byNumber[syncproto.FieldNumber(ff.Number)] != nil:
		return d.fail(path+".number", "field %q: number %d is taken by %q", ff.Name, ff.Number,
			d.kind.byNumber[syncproto.FieldNumber(ff.Number)].Name)
	case ff.Label.Zh == "" || ff.Label.En == "":
		return d.fail(path+".label", "field %q: label: zh and en are both wanted", ff.Name)
	case !slices.Contains(knownTypes, ff.Type):
		return d.fail(path+".type", "field %q: unknown type %q", ff.Name, ff.Type)
	case ff.Required != NeedNo && ff.Required != NeedHint && ff.Required != NeedYes:
		return d.fail(path+".required", "field %q: required is yes or hint, have %q", ff.Name, ff.Required)
	case !slices.Contains([]string{"", "ask", "latest", "set"}, ff.Class):
		return d.fail(path+".class", "field %q: unknown merge class %q", ff.Name, ff.Class)
	}
	return d.checkType(ff, path)
}

// checkType checks the attributes that go with the type.
func (d *document) checkType(ff *fieldFile, path string) error {
	set, coded := ff.Type == TypeSet, ff.Type == TypeCode || ff.Elem == TypeCode
	switch {
	case set && !slices.Contains(elemTypes, ff.Elem):
		return d.fail(path+".elem", "field %q: a set needs elem, one of %v", ff.Name, elemTypes)
	case !set && ff.Elem != "":
		return d.fail(path+".elem", "field %q: only a set has elem", ff.Name)
	case (ff.Class == "set" || ff.Class != "" && set) && !(set && ff.Class == "set"):
		return d.fail(path+".class", "field %q: class set goes with type set", ff.Name)
	case coded && ff.Table == "":
		return d.fail(path, "field %q: a code needs a table", ff.Name)
	case !coded && ff.Table != "":
		return d.fail(path+".table", "field %q: only a code has a table", ff.Name)
	case (ff.Type == TypeReference) != (ff.Ref != ""):
		return d.fail(path, "field %q: ref and type reference go together", ff.Name)
	case ff.Style != "" && (ff.Style != StyleName || ff.Type != TypeText):
		return d.fail(path+".style", "field %q: unknown style %q of a %s", ff.Name, ff.Style, ff.Type)
	case ff.Max < 0 || ff.Max > 0 && ff.Type != TypeText && ff.Type != TypeCitizenID:
		return d.fail(path+".max", "field %q: only a text has max, above 0", ff.Name)
	case (ff.TypeField != "" || len(ff.Citizen) > 0) && (ff.Type != TypeCitizenID || ff.TypeField == ""):
		return d.fail(path, "field %q: type_field and citizen belong to a citizenid", ff.Name)
	case ff.Derive != nil && ff.Derive.What != "birth" && ff.Derive.What != "sex":
		return d.fail(path+".derive.what", "field %q: derive birth or sex, have %q", ff.Name, ff.Derive.What)
	case ff.Derive != nil && (ff.Derive.What == "birth") != (ff.Type == TypeDate):
		return d.fail(path+".derive", "field %q: birth is a date, sex a code", ff.Name)
	}
	return nil
}

// addTables makes the kind's code tables.
func (d *document) addTables() error {
	for i := range d.file.Tables {
		tf, path := &d.file.Tables[i], fmt.Sprintf("$.tables[%d]", i)
		_, twice := d.kind.Table(tf.Name)
		switch {
		case !isName(tf.Name):
			return d.fail(path+".name", "table name: want a-z, 0-9, - and _, have %q", tf.Name)
		case twice:
			return d.fail(path+".name", "table %q stands twice", tf.Name)
		case tf.Source == "":
			return d.fail(path, "table %q: source is wanted", tf.Name)
		case len(tf.Codes) == 0:
			return d.fail(path, "table %q has no codes", tf.Name)
		}
		t := &Table{Name: tf.Name, Label: tf.Label, Source: tf.Source, Codes: tf.Codes,
			byCode: map[string]*Code{}, byWord: map[string]word{}}
		for j, c := range tf.Codes {
			if err := d.addCode(t, c, fmt.Sprintf("%s.codes[%d]", path, j)); err != nil {
				return err
			}
		}
		d.kind.Tables = append(d.kind.Tables, t)
	}
	return nil
}

// addCode puts one row and its words into a table. A word may mean one row only.
func (d *document) addCode(t *Table, c *Code, path string) error {
	switch {
	case c.Code == "" || len(c.Code) > 32:
		return d.fail(path, "table %q: a code has 1 to 32 bytes", t.Name)
	case t.byCode[c.Code] != nil:
		return d.fail(path+".code", "table %q: code %q stands twice", t.Name, c.Code)
	case c.Zh == "" || c.En == "":
		return d.fail(path, "table %q: code %q: zh and en are both wanted", t.Name, c.Code)
	}
	t.byCode[c.Code] = c
	for i, w := range slices.Concat([]string{c.Zh, c.En}, c.Words, c.Aliases) {
		key := fold(w)
		noted := i >= 2+len(c.Words)
		if old, ok := t.byWord[key]; ok && (old.code != c || old.noted != noted) {
			return d.fail(path, "table %q: the word %q means two codes, or stands twice", t.Name, w)
		}
		t.byWord[key] = word{code: c, noted: noted}
	}
	return nil
}
