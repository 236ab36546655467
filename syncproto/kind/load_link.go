package kind

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// linkFields resolves tables, references and derivations of the kind's fields.
func (d *document) linkFields(s *Set) error {
	for i, f := range d.kind.Fields {
		if err := d.linkField(s, f, &d.file.Fields[i], fmt.Sprintf("$.fields[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

// link resolves what else the kind says of itself and of other kinds, once the fields of
// all kinds are linked.
func (d *document) link(s *Set) error {
	if d.kind.byName[d.kind.Title] == nil {
		return d.fail("$.title", "title: no field %q", d.kind.Title)
	}
	for i, name := range d.kind.Key {
		if d.kind.byName[name] == nil {
			return d.fail(fmt.Sprintf("$.key[%d]", i), "key: no field %q", name)
		}
	}
	if err := d.linkCompanion(s); err != nil {
		return err
	}
	if err := d.checkHeadings(); err != nil {
		return err
	}
	return d.checkRules()
}

// linkField resolves a field's table, reference, derivation and default.
func (d *document) linkField(s *Set, f *Field, ff *fieldFile, path string) error {
	if ff.Table != "" {
		if f.Table = d.findTable(s, ff.Table); f.Table == nil {
			return d.fail(path+".table", "field %q: unknown table %q", f.Name, ff.Table)
		}
	}
	if f.Type == TypeSet && f.Table != nil {
		for _, c := range f.Table.Codes {
			if strings.ContainsAny(c.Zh+c.En, elementEnds) {
				return d.fail(path+".table", "field %q: the label %q holds a separator of sets", f.Name, c.Zh)
			}
		}
	}
	if f.Ref != "" && f.Ref != RefUnion && s.byName[f.Ref] == nil {
		return d.fail(path+".ref", "field %q: reference to unknown kind %q", f.Name, f.Ref)
	}
	if f.TypeField != "" {
		t := d.kind.byName[f.TypeField]
		if t == nil || t.Type != TypeCode {
			return d.fail(path+".type_field", "field %q: type_field: no code field %q", f.Name, f.TypeField)
		}
	}
	if f.Derive != nil {
		from := d.kind.byName[f.Derive.From]
		if from == nil || from.Type != TypeCitizenID {
			return d.fail(path+".derive.from", "field %q: derivation from unknown field %q: want a citizenid", f.Name, f.Derive.From)
		}
	}
	if f.Default != "" {
		if p := f.Valid([]byte(f.Default)); p != nil {
			return d.fail(path+".default", "field %q: default %q is no canonical value", f.Name, f.Default)
		}
	}
	return nil
}

// findTable finds a table of this kind, or of another one as kind.table.
func (d *document) findTable(s *Set, name string) *Table {
	k := d.kind
	if other, rest, ok := strings.Cut(name, "."); ok {
		k, name = s.byName[other], rest
	}
	if k == nil {
		return nil
	}
	t, _ := k.Table(name)
	return t
}

// checkHeadings sees to it that a sheet's heading means one field only.
func (d *document) checkHeadings() error {
	seen := map[string]string{}
	note := func(path, field string, words ...string) error {
		for _, w := range words {
			key := Heading(w)
			if old, ok := seen[key]; ok && old != field {
				return d.fail(path, "heading %q means %q and %q", w, old, field)
			}
			seen[key] = field
		}
		return nil
	}
	for i, f := range d.kind.Fields {
		words := append([]string{f.Name, f.Label.Zh, f.Label.En}, f.Aliases...)
		if err := note(fmt.Sprintf("$.fields[%d]", i), f.Name, words...); err != nil {
			return err
		}
	}
	if c := d.kind.Companion; c != nil {
		for i, col := range c.Columns {
			if err := note(fmt.Sprintf("$.companion.columns[%d]", i), "companion "+col.Field, col.Aliases...); err != nil {
				return err
			}
		}
	}
	return nil
}

// linkCompanion checks the companion against its kind.
func (d *document) linkCompanion(s *Set) error {
	c := d.kind.Companion
	if c == nil {
		return nil
	}
	k := s.byName[c.Kind]
	if k == nil {
		return d.fail("$.companion.kind", "companion: unknown kind %q", c.Kind)
	}
	if f := k.byName[c.Link]; f == nil || f.Ref != d.kind.Name {
		return d.fail("$.companion.link", "companion: %q is no reference from %s to %s", c.Link, c.Kind, d.kind.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Set)) {
		f := k.byName[name]
		if f == nil || f.Valid([]byte(c.Set[name])) != nil {
			return d.fail("$.companion.set", "companion: %q = %q does not fit kind %s", name, c.Set[name], c.Kind)
		}
	}
	for i := range c.Columns {
		col := &c.Columns[i]
		f := k.byName[col.Field]
		if f == nil {
			return d.fail(fmt.Sprintf("$.companion.columns[%d]", i), "companion: kind %s has no field %q", c.Kind, col.Field)
		}
		if col.Label == (Label{}) {
			col.Label = f.Label
		}
		col.Aliases = append([]string{col.Label.Zh, col.Label.En}, col.Aliases...)
	}
	return nil
}

// checkRules checks what the rules say beside their expressions.
func (d *document) checkRules() error {
	seen := map[string]bool{}
	for i, r := range d.kind.Rules {
		path := fmt.Sprintf("$.rules[%d]", i)
		switch {
		case r.ID == "" || seen[r.ID]:
			return d.fail(path, "rule %q: want an id of its own", r.ID)
		case !slices.Contains([]string{"A", "B", "C", "D"}, r.Class):
			return d.fail(path+".class", "rule %s: class is A, B, C or D, have %q", r.ID, r.Class)
		case r.Message.Zh == "" || r.Message.En == "":
			return d.fail(path+".message", "rule %s: message: zh and en are both wanted", r.ID)
		case r.Source == "":
			return d.fail(path, "rule %s: source is wanted", r.ID)
		case r.Expr == "":
			return d.fail(path, "rule %s: expr is wanted", r.ID)
		}
		for j, name := range r.Optional {
			if !d.isVariable(name) {
				return d.fail(fmt.Sprintf("%s.optional[%d]", path, j), "rule %s: no field %q", r.ID, name)
			}
		}
		seen[r.ID], r.line = true, d.line(path+".expr")
	}
	return nil
}

// isVariable reports whether a rule of this kind may name the field: one of its own, or
// reference.field of a record that it refers to.
func (d *document) isVariable(name string) bool {
	own, theirs, dotted := strings.Cut(name, ".")
	f := d.kind.byName[own]
	if f == nil || !dotted {
		return f != nil
	}
	k := d.kind.set.byName[f.Ref]
	return k != nil && f.Ref != RefUnion && k.byName[theirs] != nil
}
