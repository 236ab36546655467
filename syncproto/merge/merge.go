package merge

import (
	"bytes"
	"slices"

	"unionsync/syncproto"
)

// Classes gives the merge class of a field of the record's kind; unknown fields are
// [syncproto.ClassAsk].
type Classes func(syncproto.FieldNumber) syncproto.MergeClass

// Result is what a merge came to.
type Result struct {
	Kind      syncproto.VerdictKind   // applied, parallel or conflict
	Conflicts []syncproto.FieldNumber // fields that this change touched and that now hold several values
	Doubts    []syncproto.FieldDot    // new doubts about a void
}

// Merge gives the record after change c, whose dot is dot, at position pos (0 for a
// change that is only pending on an agent). Before may be nil for a record that is new;
// it is not changed.
func Merge(class Classes, before *Record, c *syncproto.Change, dot syncproto.Dot, pos syncproto.Position) (*Record, Result) {
	m := merger{class: class, c: c, dot: dot, own: []syncproto.Dot{dot}, room: make([]Entry, len(c.Edits))}
	if before != nil {
		m.r = *before
		m.r.Fields = append(make([]Field, 0, len(before.Fields)+len(c.Edits)), before.Fields...)
	} else {
		m.r.Fields = make([]Field, 0, len(c.Edits))
	}
	m.parallel = before != nil && before.By != 0 && before.By != dot.Journal && before.Pos > c.Base
	arrived := make([]bool, len(c.Edits)) // arrived superseded
	for i := range c.Edits {
		if c.Edits[i].IsSet() {
			m.editSet(&c.Edits[i])
		} else {
			arrived[i] = m.editValue(&c.Edits[i])
		}
	}
	doubts := m.voidDoubts(arrived)
	if pos != 0 {
		m.r.Pos = pos
	}
	m.r.By = dot.Journal
	return &m.r, m.result(doubts)
}

type merger struct {
	r        Record
	class    Classes
	c        *syncproto.Change
	dot      syncproto.Dot
	own      []syncproto.Dot // dot alone: shared by all entries that it begins, since nobody changes one in place
	room     []Entry         // for the entries of fields that had none: one for each edit
	parallel bool
}

// field gives field n of the record being made, as a copy that may be changed.
func (m *merger) field(n syncproto.FieldNumber) *Field {
	i, ok := m.r.find(n)
	if !ok {
		m.r.Fields = slices.Insert(m.r.Fields, i, Field{Number: n})
	}
	return &m.r.Fields[i]
}

// editValue applies an edit of a value and reports whether it arrived superseded.
func (m *merger) editValue(e *syncproto.Edit) bool {
	f := m.field(e.Field)
	named := m.named(e)
	keep, at := m.supersede(f, named)
	if keep == nil && len(m.room) > 0 {
		keep, m.room = m.room[:0:1], m.room[1:]
	}
	if m.takeEarly(e.Field) {
		f.Entries = keep
		m.parallel = true
		return true
	}
	latest := m.class(e.Field) == syncproto.ClassLatest
	if len(keep) > 0 {
		m.parallel = true
	}
	me := slices.IndexFunc(keep, func(x Entry) bool { return x.same(e) })
	if me >= 0 {
		keep[me].Dots = addDot(keep[me].Dots, m.dot)
	} else {
		me = at
		if me < 0 {
			me = len(keep)
		}
		keep = slices.Insert(keep, me, Entry{Value: e.Value, Cleared: e.Cleared, Dots: m.own})
	}
	if latest && me > 0 {
		entry := keep[me]
		keep = slices.Insert(slices.Delete(keep, me, me+1), 0, entry)
	}
	f.Entries = keep
	return false
}

// named lists the dots that e supersedes in its field.
func (m *merger) named(e *syncproto.Edit) []syncproto.Dot {
	out := slices.Clone(e.Overwrote)
	for _, r := range m.c.Resolves {
		if r.Field == e.Field {
			out = append(out, r.Dot)
		}
	}
	return out
}

// supersede takes the named dots out of f's entries. It gives the entries that stay and
// the place of the first one that went, -1 if none did. Dots that have not arrived yet
// are remembered.
func (m *merger) supersede(f *Field, named []syncproto.Dot) (keep []Entry, at int) {
	at = -1
	if len(f.Entries) > 0 {
		keep = make([]Entry, 0, len(f.Entries)+1)
	}
	var found []syncproto.Dot
	for _, e := range f.Entries {
		if !anyOf(e.Dots, named) {
			keep = append(keep, e)
			continue
		}
		found = append(found, e.Dots...)
		if left := without(e.Dots, named); len(left) > 0 {
			keep = append(keep, Entry{Value: e.Value, Cleared: e.Cleared, Dots: left})
		} else if at < 0 {
			at = len(keep)
		}
	}
	for _, d := range named {
		if !slices.Contains(found, d) {
			m.parallel = true
			m.remember(syncproto.FieldDot{Field: f.Number, Dot: d})
		}
	}
	return keep, at
}

func compareFieldDot(a, b syncproto.FieldDot) int {
	if a.Field != b.Field {
		return int(a.Field) - int(b.Field)
	}
	return a.Dot.Compare(b.Dot)
}

func (m *merger) remember(fd syncproto.FieldDot) {
	i, ok := slices.BinarySearchFunc(m.r.Early, fd, compareFieldDot)
	if !ok {
		m.r.Early = slices.Insert(slices.Clone(m.r.Early), i, fd)
	}
}

// takeEarly reports whether this change's edit of field n was superseded before it came,
// and forgets it: a change arrives once.
func (m *merger) takeEarly(n syncproto.FieldNumber) bool {
	i, ok := slices.BinarySearchFunc(m.r.Early, syncproto.FieldDot{Field: n, Dot: m.dot}, compareFieldDot)
	if ok {
		m.r.Early = slices.Delete(slices.Clone(m.r.Early), i, i+1)
	}
	return ok
}

// editSet applies an edit of a set: removals take the dots that were seen, additions
// stand unless a removal that had seen them came before.
func (m *merger) editSet(e *syncproto.Edit) {
	f := m.field(e.Field)
	f.Elements = slices.Clone(f.Elements)
	for _, rem := range e.Remove {
		m.removeElement(f, rem)
	}
	for _, add := range e.Add {
		if m.takeEarlyRemoval(e.Field, add) {
			m.parallel = true
			continue
		}
		i, ok := slices.BinarySearchFunc(f.Elements, add, func(x Element, v []byte) int { return bytes.Compare(x.Value, v) })
		if ok {
			f.Elements[i].Dots = addDot(f.Elements[i].Dots, m.dot)
		} else {
			f.Elements = slices.Insert(f.Elements, i, Element{Value: add, Dots: []syncproto.Dot{m.dot}})
		}
	}
}

func (m *merger) removeElement(f *Field, rem syncproto.ElementDots) {
	i, ok := slices.BinarySearchFunc(f.Elements, rem.Element, func(x Element, v []byte) int { return bytes.Compare(x.Value, v) })
	var had []syncproto.Dot
	if ok {
		had = f.Elements[i].Dots
		left := without(had, rem.Dots)
		if len(left) > 0 {
			m.parallel = true
			f.Elements[i] = Element{Value: f.Elements[i].Value, Dots: left}
		} else {
			f.Elements = slices.Delete(f.Elements, i, i+1)
		}
	}
	for _, d := range rem.Dots {
		if !slices.Contains(had, d) {
			m.parallel = true
			m.rememberRemoval(RemovedElement{Field: f.Number, Element: rem.Element, Dot: d})
		}
	}
}

func compareRemoved(a, b RemovedElement) int {
	if a.Field != b.Field {
		return int(a.Field) - int(b.Field)
	}
	if c := bytes.Compare(a.Element, b.Element); c != 0 {
		return c
	}
	return a.Dot.Compare(b.Dot)
}

func (m *merger) rememberRemoval(r RemovedElement) {
	i, ok := slices.BinarySearchFunc(m.r.EarlyRemoved, r, compareRemoved)
	if !ok {
		m.r.EarlyRemoved = slices.Insert(slices.Clone(m.r.EarlyRemoved), i, r)
	}
}

func (m *merger) takeEarlyRemoval(n syncproto.FieldNumber, element []byte) bool {
	i, ok := slices.BinarySearchFunc(m.r.EarlyRemoved, RemovedElement{Field: n, Element: element, Dot: m.dot}, compareRemoved)
	if ok {
		m.r.EarlyRemoved = slices.Delete(slices.Clone(m.r.EarlyRemoved), i, i+1)
	}
	return ok
}

func (m *merger) result(doubts []syncproto.FieldDot) Result {
	res := Result{Kind: syncproto.VerdictApplied, Doubts: doubts}
	for i := range m.c.Edits {
		n := m.c.Edits[i].Field
		if f := m.r.Field(n); f != nil && len(f.Entries) > 1 && m.class(n) == syncproto.ClassAsk {
			res.Conflicts = append(res.Conflicts, n)
		}
	}
	switch {
	case len(res.Conflicts) > 0 || len(doubts) > 0:
		res.Kind = syncproto.VerdictConflict
	case m.parallel:
		res.Kind = syncproto.VerdictParallel
	}
	return res
}
