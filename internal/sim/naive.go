package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// naive is one record: for each field the values that stand, with the changes that gave
// them. What was ever named stays known, so that order does not matter to it.
type naive struct {
	fields map[syncproto.FieldNumber]*naiveField
	pos    syncproto.Position
}

type naiveField struct {
	set     bool
	values  []naiveValue // the current one first; of a set in order of bytes
	named   map[syncproto.Dot]bool
	removed map[naiveElement]bool
}

type naiveValue struct {
	value   string
	cleared bool
	dots    []syncproto.Dot
}

type naiveElement struct {
	value string
	dot   syncproto.Dot
}

type classOf func(syncproto.KindNumber, syncproto.FieldNumber) syncproto.MergeClass

func (r *naive) field(n syncproto.FieldNumber) *naiveField {
	f := r.fields[n]
	if f == nil {
		f = &naiveField{named: map[syncproto.Dot]bool{}, removed: map[naiveElement]bool{}}
		r.fields[n] = f
	}
	return f
}

// merge takes a change in, edit by edit.
func (r *naive) merge(class classOf, c *syncproto.Change, dot syncproto.Dot) {
	for _, e := range c.Edits {
		f := r.field(e.Field)
		if e.IsSet() {
			f.mergeSet(e, dot)
			continue
		}
		for _, d := range e.Overwrote {
			f.named[d] = true
		}
		for _, x := range c.Resolves {
			if x.Field == e.Field {
				f.named[x.Dot] = true
			}
		}
		f.mergeValue(class(c.Kind, e.Field) == syncproto.ClassLatest, e, dot)
	}
}

func (f *naiveField) mergeValue(latest bool, e syncproto.Edit, dot syncproto.Dot) {
	at := -1
	var keep []naiveValue
	for _, v := range f.values {
		v.dots = slices.DeleteFunc(slices.Clone(v.dots), func(d syncproto.Dot) bool { return f.named[d] })
		if len(v.dots) > 0 {
			keep = append(keep, v)
		} else if at < 0 {
			at = len(keep)
		}
	}
	f.values = keep
	if f.named[dot] {
		return
	}
	i := slices.IndexFunc(keep, func(v naiveValue) bool { return v.value == string(e.Value) && v.cleared == e.Cleared })
	switch {
	case i >= 0:
		keep[i].dots = sorted(append(keep[i].dots, dot))
	case at < 0:
		i = len(keep)
		keep = append(keep, naiveValue{string(e.Value), e.Cleared, []syncproto.Dot{dot}})
	default:
		i = at
		keep = slices.Insert(keep, at, naiveValue{string(e.Value), e.Cleared, []syncproto.Dot{dot}})
	}
	if latest {
		v := keep[i]
		keep = slices.Insert(slices.Delete(keep, i, i+1), 0, v)
	}
	f.values = keep
}

// mergeSet keeps every element that has an addition which nobody removed.
func (f *naiveField) mergeSet(e syncproto.Edit, dot syncproto.Dot) {
	f.set = true
	for _, x := range e.Remove {
		for _, d := range x.Dots {
			f.removed[naiveElement{string(x.Element), d}] = true
		}
	}
	all := map[string][]syncproto.Dot{}
	for _, v := range f.values {
		all[v.value] = v.dots
	}
	for _, a := range e.Add {
		all[string(a)] = sorted(append(slices.Clone(all[string(a)]), dot))
	}
	f.values = nil
	for _, value := range slices.Sorted(maps.Keys(all)) {
		dots := slices.DeleteFunc(slices.Clone(all[value]), func(d syncproto.Dot) bool { return f.removed[naiveElement{value, d}] })
		if len(dots) > 0 {
			f.values = append(f.values, naiveValue{value: value, dots: dots})
		}
	}
}

func sorted(dots []syncproto.Dot) []syncproto.Dot {
	slices.SortFunc(dots, syncproto.Dot.Compare)
	return slices.Compact(dots)
}

func (r *naive) empty() bool {
	for _, f := range r.fields {
		if len(f.values) > 0 {
			return false
		}
	}
	return true
}

// hash is what docs/protocol.md says that a digest covers of a record.
func (r *naive) hash(key syncproto.RecordKey) syncproto.Hash {
	if r.empty() {
		return syncproto.Hash{}
	}
	b := binary.BigEndian.AppendUint16(nil, uint16(key.Kind))
	b = append(b, key.ID[:]...)
	for _, n := range slices.Sorted(maps.Keys(r.fields)) {
		f := r.fields[n]
		if len(f.values) == 0 {
			continue
		}
		b = binary.BigEndian.AppendUint16(b, uint16(n))
		b = binary.BigEndian.AppendUint16(b, uint16(len(f.values)))
		for _, v := range f.values {
			form := byte(0)
			if f.set {
				form = 2
			} else if v.cleared {
				form = 1
			}
			b = append(b, form)
			b = lengthed(b, v.value)
			b = binary.BigEndian.AppendUint16(b, uint16(len(v.dots)))
			for _, d := range v.dots {
				b = binary.BigEndian.AppendUint64(b, uint64(d.Journal))
				b = binary.BigEndian.AppendUint64(b, d.Seq)
				b = binary.BigEndian.AppendUint32(b, d.Tag)
			}
		}
	}
	return sha256.Sum256(b)
}

// naiveOf reads a record of the product into the same form. Nothing is worked out.
func naiveOf(rec *merge.Record) *naive {
	r := &naive{fields: map[syncproto.FieldNumber]*naiveField{}}
	if rec == nil {
		return r
	}
	for _, f := range rec.Fields {
		n := r.field(f.Number)
		for _, e := range f.Entries {
			n.values = append(n.values, naiveValue{string(e.Value), e.Cleared, e.Dots})
		}
		for _, e := range f.Elements {
			n.set = true
			n.values = append(n.values, naiveValue{value: string(e.Value), dots: e.Dots})
		}
	}
	r.pos = rec.Pos
	return r
}

// String writes a record for a violation; no person in these worlds exists.
func (r *naive) String() string {
	var b strings.Builder
	for _, n := range slices.Sorted(maps.Keys(r.fields)) {
		for _, v := range r.fields[n].values {
			fmt.Fprintf(&b, "%d=%q%v ", n, v.value, v.dots)
		}
	}
	return b.String()
}

// ask gives the fields of class ask that hold several values, ascending.
func (r *naive) ask(k *kind.Kind) iter.Seq2[syncproto.FieldNumber, *naiveField] {
	return func(yield func(syncproto.FieldNumber, *naiveField) bool) {
		for _, n := range slices.Sorted(maps.Keys(r.fields)) {
			f := r.fields[n]
			if len(f.values) > 1 && !f.set && k.Class(n) == syncproto.ClassAsk && !yield(n, f) {
				return
			}
		}
	}
}
