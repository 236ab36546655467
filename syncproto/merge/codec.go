package merge

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"unionsync/syncproto"
	"unionsync/syncproto/protofield"
)

// A record's bytes are protobuf's layout, written by hand so that equal records give equal
// bytes. All dots stand once in a table; entries name them by index. An entry that names
// no index has the table's first dot alone: so it is in every record made by one change.
const (
	recPos, recBy, recDot, recField, recEarly, recRemoved, recVoidSaw, recDoubt = 1, 2, 3, 4, 5, 6, 7, 8

	fieldNumber, fieldEntry, fieldElement = 1, 2, 3
	entryValue, entryCleared, entryDots   = 1, 2, 3
	memoField, memoElement, memoDot       = 1, 2, 3
	memoVoid                              = 4
)

// Encode gives r's bytes. Of r as it is stored: a feed carries r.Visible().
func (r *Record) Encode() []byte {
	var memory [3][128]byte // values are short
	e := encoder{fieldBuf: memory[0][:0], entryBuf: memory[1][:0], dotBuf: memory[2][:0]}
	e.collect(r)
	b := make([]byte, 0, r.size())
	b = protofield.AppendVarint(b, recPos, uint64(r.Pos))
	if r.By != 0 {
		b = protowire.AppendFixed64(protowire.AppendTag(b, recBy, protowire.Fixed64Type), uint64(r.By))
	}
	for _, d := range e.dots {
		e.dotBuf = appendDot(e.dotBuf[:0], d)
		b = protofield.AppendBytes(b, recDot, e.dotBuf)
	}
	for i := range r.Fields {
		if len(r.Fields[i].Entries)+len(r.Fields[i].Elements) > 0 {
			b = protofield.AppendBytes(b, recField, e.field(&r.Fields[i]))
		}
	}
	for _, f := range r.Early {
		b = protofield.AppendBytes(b, recEarly, e.memo(f.Field, nil, f.Dot))
	}
	for _, x := range r.EarlyRemoved {
		b = protofield.AppendBytes(b, recRemoved, e.memo(x.Field, x.Element, x.Dot))
	}
	for _, v := range r.VoidSaw {
		m := e.memo(v.Saw.Field, nil, v.Saw.Dot)
		b = protofield.AppendBytes(b, recVoidSaw, protofield.AppendVarint(m, memoVoid, uint64(e.index(v.Void))+1))
	}
	for _, d := range r.Doubts {
		b = protofield.AppendBytes(b, recDoubt, e.memo(d.Field, nil, d.Dot))
	}
	return b
}

// encoder holds the table of dots, and memory for the parts of a record that stand inside others.
type encoder struct {
	dots                       []syncproto.Dot
	fieldBuf, entryBuf, dotBuf []byte
}

// collect fills the table in ascending order.
func (e *encoder) collect(r *Record) {
	add := func(dots ...syncproto.Dot) {
		for _, d := range dots {
			if n := len(e.dots); n > 0 && e.dots[n-1] == d {
				continue // as of most fields: one change made them
			}
			if i, ok := slices.BinarySearchFunc(e.dots, d, syncproto.Dot.Compare); !ok {
				e.dots = slices.Insert(e.dots, i, d)
			}
		}
	}
	for i := range r.Fields {
		for _, x := range r.Fields[i].Entries {
			add(x.Dots...)
		}
		for _, x := range r.Fields[i].Elements {
			add(x.Dots...)
		}
	}
	for _, x := range r.Early {
		add(x.Dot)
	}
	for _, x := range r.EarlyRemoved {
		add(x.Dot)
	}
	for _, x := range r.VoidSaw {
		add(x.Void, x.Saw.Dot)
	}
	for _, x := range r.Doubts {
		add(x.Dot)
	}
}

func (e *encoder) index(d syncproto.Dot) int {
	i, _ := slices.BinarySearchFunc(e.dots, d, syncproto.Dot.Compare)
	return i
}

// field gives a field's bytes, which hold until the next call.
func (e *encoder) field(f *Field) []byte {
	b := protofield.AppendVarint(e.fieldBuf[:0], fieldNumber, uint64(f.Number))
	for i := range f.Entries {
		x := &f.Entries[i]
		m := protofield.AppendBytes(e.entryBuf[:0], entryValue, x.Value)
		if x.Cleared {
			m = protofield.AppendVarint(m, entryCleared, 1)
		}
		e.entryBuf = e.appendDots(m, x.Dots)
		b = protofield.AppendAlways(b, fieldEntry, e.entryBuf)
	}
	for i := range f.Elements {
		e.entryBuf = e.appendDots(protofield.AppendBytes(e.entryBuf[:0], entryValue, f.Elements[i].Value), f.Elements[i].Dots)
		b = protofield.AppendAlways(b, fieldElement, e.entryBuf)
	}
	e.fieldBuf = b
	return b
}

// size is about how many bytes r takes.
func (r *Record) size() int {
	const head, perField, perValue = 64, 8, 16
	n := head
	for i := range r.Fields {
		n += perField
		for k := range r.Fields[i].Entries {
			n += perValue + len(r.Fields[i].Entries[k].Value)
		}
		for k := range r.Fields[i].Elements {
			n += perValue + len(r.Fields[i].Elements[k].Value)
		}
	}
	return n
}

func (e *encoder) appendDots(b []byte, dots []syncproto.Dot) []byte {
	if len(dots) == 1 && e.index(dots[0]) == 0 {
		return b
	}
	var packed []byte
	for _, d := range dots {
		packed = protowire.AppendVarint(packed, uint64(e.index(d)))
	}
	return protofield.AppendAlways(b, entryDots, packed)
}

func (e *encoder) memo(f syncproto.FieldNumber, element []byte, d syncproto.Dot) []byte {
	b := protofield.AppendVarint(nil, memoField, uint64(f))
	b = protofield.AppendBytes(b, memoElement, element)
	return protofield.AppendVarint(b, memoDot, uint64(e.index(d))+1)
}

func appendDot(b []byte, d syncproto.Dot) []byte {
	b = protowire.AppendFixed64(protowire.AppendTag(b, 1, protowire.Fixed64Type), uint64(d.Journal))
	b = protofield.AppendVarint(b, 2, d.Seq)
	return protowire.AppendFixed32(protowire.AppendTag(b, 3, protowire.Fixed32Type), d.Tag)
}

// Decode reads a record's bytes; the values it gives share b's memory. It refuses dots and
// fields that are out of order or named without being there; unknown parts are skipped.
func Decode(b []byte) (*Record, error) {
	if len(b) > 2*syncproto.MaxRecordBytes {
		return nil, fmt.Errorf("decode record: %d bytes, want at most %d", len(b), 2*syncproto.MaxRecordBytes)
	}
	n := countFields(b)
	d := decoder{r: &Record{Fields: make([]Field, 0, n)}, room: make([]Entry, n)}
	if err := protofield.Each(b, d.top); err != nil {
		return nil, fmt.Errorf("decode record: %w", err)
	}
	return d.r, nil
}

// countFields gives room for all fields at once.
func countFields(b []byte) (n int) {
	_ = protofield.Each(b, func(field protowire.Number, _ protofield.Value) error { // what is malformed is found again
		if field == recField {
			n++
		}
		return nil
	})
	return n
}

type decoder struct {
	r    *Record
	dots []syncproto.Dot
	room []Entry // for the first entry of each field
}

func (d *decoder) top(n protowire.Number, v protofield.Value) error {
	switch n {
	case recPos:
		d.r.Pos = syncproto.Position(v.Num)
	case recBy:
		d.r.By = syncproto.JournalID(v.Num)
	case recDot:
		return d.addDot(v.Bytes)
	case recField:
		return d.addField(v.Bytes)
	case recEarly:
		fd, _, err := d.memo(v.Bytes)
		d.r.Early = append(d.r.Early, fd)
		return err
	case recRemoved:
		fd, m, err := d.memo(v.Bytes)
		d.r.EarlyRemoved = append(d.r.EarlyRemoved, RemovedElement{Field: fd.Field, Element: m.element, Dot: fd.Dot})
		return err
	case recVoidSaw:
		fd, m, err := d.memo(v.Bytes)
		if err != nil {
			return err
		}
		void, err := d.dot(m.void)
		d.r.VoidSaw = append(d.r.VoidSaw, VoidSaw{Void: void, Saw: fd})
		return err
	case recDoubt:
		fd, _, err := d.memo(v.Bytes)
		d.r.Doubts = append(d.r.Doubts, fd)
		return err
	}
	return nil
}

func (d *decoder) addDot(b []byte) error {
	var dot syncproto.Dot
	err := protofield.Each(b, func(n protowire.Number, v protofield.Value) error {
		switch n {
		case 1:
			dot.Journal = syncproto.JournalID(v.Num)
		case 2:
			dot.Seq = v.Num
		case 3:
			dot.Tag = uint32(v.Num)
		}
		return nil
	})
	if k := len(d.dots); err == nil && k > 0 && d.dots[k-1].Compare(dot) >= 0 {
		err = fmt.Errorf("dot %s is out of order", dot)
	}
	d.dots = append(d.dots, dot)
	return err
}

// dot gives the dot with 1-based index i; 0 is refused.
func (d *decoder) dot(i uint64) (syncproto.Dot, error) {
	if i == 0 || i > uint64(len(d.dots)) {
		return syncproto.Dot{}, fmt.Errorf("dot %d of %d", i, len(d.dots))
	}
	return d.dots[i-1], nil
}

type memo struct {
	element []byte
	void    uint64
}

func (d *decoder) memo(b []byte) (fd syncproto.FieldDot, m memo, err error) {
	var at uint64
	err = protofield.Each(b, func(n protowire.Number, v protofield.Value) error {
		switch n {
		case memoField:
			fd.Field = syncproto.FieldNumber(v.Num)
		case memoElement:
			m.element = v.Bytes
		case memoDot:
			at = v.Num
		case memoVoid:
			m.void = v.Num
		}
		return nil
	})
	if err == nil {
		fd.Dot, err = d.dot(at)
	}
	return fd, m, err
}

func (d *decoder) addField(b []byte) error {
	f := Field{}
	if len(d.room) > 0 {
		f.Entries, d.room = d.room[:0:1], d.room[1:]
	}
	err := protofield.Each(b, func(n protowire.Number, v protofield.Value) error {
		switch n {
		case fieldNumber:
			if v.Num > 0xffff {
				return fmt.Errorf("field number %d", v.Num)
			}
			f.Number = syncproto.FieldNumber(v.Num)
		case fieldEntry:
			e, err := d.entry(v.Bytes)
			f.Entries = append(f.Entries, e)
			return err
		case fieldElement:
			e, err := d.entry(v.Bytes)
			f.Elements = append(f.Elements, Element{Value: e.Value, Dots: e.Dots})
			return err
		}
		return nil
	})
	if k := len(d.r.Fields); err == nil && k > 0 && d.r.Fields[k-1].Number >= f.Number {
		err = fmt.Errorf("field %d is out of order", f.Number)
	}
	if len(f.Entries) == 0 {
		f.Entries = nil
	}
	d.r.Fields = append(d.r.Fields, f)
	return err
}

func (d *decoder) entry(b []byte) (e Entry, err error) {
	var packed []byte
	first := true // an entry that names no dot has the table's first one
	err = protofield.Each(b, func(n protowire.Number, v protofield.Value) error {
		switch n {
		case entryValue:
			e.Value = v.Bytes
		case entryCleared:
			e.Cleared = v.Num != 0
		case entryDots:
			packed, first = v.Bytes, false
		}
		return nil
	})
	if first && err == nil {
		if len(d.dots) == 0 {
			_, err = d.dot(1)
			return e, err
		}
		e.Dots = d.dots[:1:1] // shared: nobody changes one in place
		return e, nil
	}
	for len(packed) > 0 && err == nil {
		i, n := protowire.ConsumeVarint(packed)
		if n < 0 || i == ^uint64(0) {
			return e, protofield.ErrMalformed
		}
		packed = packed[n:]
		var dot syncproto.Dot
		dot, err = d.dot(i + 1)
		e.Dots = append(e.Dots, dot)
	}
	return e, err
}
