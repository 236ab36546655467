// Package merge settles concurrent edits: it takes a record and a change and gives the
// record after it. It is pure: equal records and changes give equal results on every
// machine. It owns the record's form, its bytes and its digest hash, and imports nothing
// but syncproto.
package merge

import (
	"bytes"
	"slices"

	"unionsync/syncproto"
)

// Record is the state of one record: for each field the values that stand, and what is
// needed to settle what has yet to come. A Record that was given away is never changed;
// [Merge] makes a new one.
type Record struct {
	Fields []Field            // ascending by number
	Pos    syncproto.Position // position of the newest change that touched it; 0 at an agent's own changes
	By     syncproto.JournalID

	// Early holds (field, dot) pairs that were superseded before they arrived.
	Early []syncproto.FieldDot
	// EarlyRemoved holds set elements whose addition was removed before it arrived.
	EarlyRemoved []RemovedElement
	// VoidSaw holds what a standing void saw and what has not arrived yet.
	VoidSaw []VoidSaw
	// Doubts are the (void, field) pairs about which a person must be asked.
	Doubts []syncproto.FieldDot
}

// Field is one field's state. A field of class set has Elements, any other has Entries.
type Field struct {
	Number   syncproto.FieldNumber
	Entries  []Entry   // the first is current
	Elements []Element // ascending by value; only present ones
}

// Entry is one value of a field that nobody has superseded.
type Entry struct {
	Value   []byte
	Cleared bool            // cleared is a value of its own
	Dots    []syncproto.Dot // ascending: the changes that gave this value
}

// Element is one present element of a set.
type Element struct {
	Value []byte
	Dots  []syncproto.Dot // ascending: the additions that nobody removed
}

// RemovedElement names an addition that was removed before it arrived.
type RemovedElement struct {
	Field   syncproto.FieldNumber
	Element []byte
	Dot     syncproto.Dot
}

// VoidSaw says that a void knew of an edit which has not arrived yet.
type VoidSaw struct {
	Void syncproto.Dot
	Saw  syncproto.FieldDot
}

// Field finds the state of field n, or nil.
func (r *Record) Field(n syncproto.FieldNumber) *Field {
	if r == nil {
		return nil
	}
	i, ok := r.find(n)
	if !ok {
		return nil
	}
	return &r.Fields[i]
}

func (r *Record) find(n syncproto.FieldNumber) (int, bool) {
	return slices.BinarySearchFunc(r.Fields, n, func(f Field, n syncproto.FieldNumber) int { return int(f.Number) - int(n) })
}

// Value gives the current value of field n; ok is false when there is none or it is cleared.
func (r *Record) Value(n syncproto.FieldNumber) (value []byte, ok bool) {
	f := r.Field(n)
	if f == nil || len(f.Entries) == 0 || f.Entries[0].Cleared {
		return nil, false
	}
	return f.Entries[0].Value, true
}

// Text is Value as text, empty when there is none.
func (r *Record) Text(n syncproto.FieldNumber) string {
	v, _ := r.Value(n)
	return string(v)
}

// Set gives the present elements of a field of class set.
func (r *Record) Set(n syncproto.FieldNumber) [][]byte {
	f := r.Field(n)
	if f == nil {
		return nil
	}
	out := make([][]byte, len(f.Elements))
	for i := range f.Elements {
		out[i] = f.Elements[i].Value
	}
	return out
}

// Void reports whether the record is voided: it never was.
func (r *Record) Void() bool { _, ok := r.Value(syncproto.FieldVoid); return ok }

// Conflicts lists the fields of class ask that hold more than one value.
func (r *Record) Conflicts(class Classes) []syncproto.FieldNumber {
	var out []syncproto.FieldNumber
	for i := range r.Fields {
		f := &r.Fields[i]
		if len(f.Entries) > 1 && class(f.Number) == syncproto.ClassAsk {
			out = append(out, f.Number)
		}
	}
	return out
}

// SeenDots gives what an edit of field n must name as overwritten when its author saw r:
// the dots of the current entry or, for class latest, of all entries.
func (r *Record) SeenDots(n syncproto.FieldNumber, class syncproto.MergeClass) []syncproto.Dot {
	f := r.Field(n)
	if f == nil || len(f.Entries) == 0 {
		return nil
	}
	if class != syncproto.ClassLatest {
		return slices.Clone(f.Entries[0].Dots)
	}
	var out []syncproto.Dot
	for _, e := range f.Entries {
		out = append(out, e.Dots...)
	}
	slices.SortFunc(out, syncproto.Dot.Compare)
	return out
}

// SawAll gives what a void's author saw: every dot of every field's current entry.
func (r *Record) SawAll() []syncproto.FieldDot {
	if r == nil {
		return nil
	}
	var out []syncproto.FieldDot
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.Number == syncproto.FieldVoid || len(f.Entries) == 0 {
			continue
		}
		for _, d := range f.Entries[0].Dots {
			out = append(out, syncproto.FieldDot{Field: f.Number, Dot: d})
		}
	}
	return out
}

// Visible gives the record as a feed carries it: without the memory of what has yet to come.
func (r *Record) Visible() *Record {
	return &Record{Fields: r.Fields, Pos: r.Pos, By: r.By, Doubts: r.Doubts}
}

func (e *Entry) same(edit *syncproto.Edit) bool {
	return e.Cleared == edit.Cleared && bytes.Equal(e.Value, edit.Value)
}

func addDot(dots []syncproto.Dot, d syncproto.Dot) []syncproto.Dot {
	i, ok := slices.BinarySearchFunc(dots, d, syncproto.Dot.Compare)
	if ok {
		return dots
	}
	return slices.Insert(slices.Clone(dots), i, d)
}

func hasDot(dots []syncproto.Dot, d syncproto.Dot) bool {
	_, ok := slices.BinarySearchFunc(dots, d, syncproto.Dot.Compare)
	return ok
}

func anyOf(dots, of []syncproto.Dot) bool {
	return slices.ContainsFunc(dots, func(d syncproto.Dot) bool { return slices.Contains(of, d) })
}

func without(dots, gone []syncproto.Dot) []syncproto.Dot {
	return slices.DeleteFunc(slices.Clone(dots), func(d syncproto.Dot) bool { return slices.Contains(gone, d) })
}
