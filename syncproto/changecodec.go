package syncproto

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"unionsync/syncproto/protofield"
)

// The layout of a change is protobuf's, written by hand so that the same change always
// gives the same bytes: fields in ascending order, nothing that is zero. Numbers are
// permanent. Unknown fields are skipped when reading; the bytes themselves are kept as
// they came, so nothing of a newer program is lost.
const (
	chUnion, chKind, chID, chKindVersion, chActor, chTime, chGroup, chBase = 1, 2, 3, 4, 5, 6, 7, 8
	chEdit, chResolves, chSaw, chVerb, chNote                              = 9, 10, 11, 12, 13

	edField, edValue, edCleared, edOverwrote, edAdd, edRemove = 1, 2, 3, 4, 5, 6

	dotJournal, dotSeq, dotTag = 1, 2, 3
	fdField, fdDot             = 1, 2
	elElement, elDots          = 1, 2
)

// Encode gives c's bytes as a change of journal own: references to that journal are
// written without its name.
func (c *Change) Encode(own JournalID) []byte {
	b := make([]byte, 0, 256)
	b = protofield.AppendString(b, chUnion, c.Union)
	b = protofield.AppendVarint(b, chKind, uint64(c.Kind))
	b = protofield.AppendBytes(b, chID, c.ID[:])
	b = protofield.AppendVarint(b, chKindVersion, uint64(c.KindVersion))
	b = protofield.AppendString(b, chActor, c.Actor)
	b = protofield.AppendVarint(b, chTime, protowire.EncodeZigZag(c.Time))
	b = protofield.AppendFixed64(b, chGroup, c.Group)
	b = protofield.AppendVarint(b, chBase, uint64(c.Base))
	for i := range c.Edits {
		b = protofield.AppendBytes(b, chEdit, c.Edits[i].encode(own))
	}
	for _, r := range c.Resolves {
		b = protofield.AppendBytes(b, chResolves, r.encode(own))
	}
	for _, s := range c.Saw {
		b = protofield.AppendBytes(b, chSaw, s.encode(own))
	}
	b = protofield.AppendVarint(b, chVerb, uint64(c.Verb))
	return protofield.AppendString(b, chNote, c.Note)
}

func (e *Edit) encode(own JournalID) []byte {
	b := make([]byte, 0, 32+len(e.Value))
	b = protofield.AppendVarint(b, edField, uint64(e.Field))
	b = protofield.AppendBytes(b, edValue, e.Value)
	if e.Cleared {
		b = protofield.AppendVarint(b, edCleared, 1)
	}
	for _, d := range e.Overwrote {
		b = protofield.AppendBytes(b, edOverwrote, d.encode(own))
	}
	for _, a := range e.Add {
		b = protofield.AppendBytes(b, edAdd, a)
	}
	for _, r := range e.Remove {
		m := protofield.AppendBytes(nil, elElement, r.Element)
		for _, d := range r.Dots {
			m = protofield.AppendBytes(m, elDots, d.encode(own))
		}
		b = protofield.AppendBytes(b, edRemove, m)
	}
	return b
}

func (d Dot) encode(own JournalID) []byte {
	var b []byte
	if d.Journal != own {
		b = protofield.AppendFixed64(b, dotJournal, uint64(d.Journal))
	}
	b = protofield.AppendVarint(b, dotSeq, d.Seq)
	b = protowire.AppendTag(b, dotTag, protowire.Fixed32Type)
	return protowire.AppendFixed32(b, d.Tag)
}

func (f FieldDot) encode(own JournalID) []byte {
	b := protofield.AppendVarint(nil, fdField, uint64(f.Field))
	return protofield.AppendBytes(b, fdDot, f.Dot.encode(own))
}

// DecodeChange reads a change of journal own. The values it gives share b's memory.
func DecodeChange(b []byte, own JournalID) (*Change, error) {
	if len(b) > MaxChangeBytes {
		return nil, fmt.Errorf("decode change: %d bytes, want at most %d", len(b), MaxChangeBytes)
	}
	c := &Change{Edits: make([]Edit, 0, countEdits(b))}
	err := protofield.Each(b, func(n protowire.Number, v protofield.Value) error { return c.set(n, v, own) })
	if err != nil {
		return nil, fmt.Errorf("decode change: %w", err)
	}
	return c, nil
}

// ChangeKey reads of a change's bytes which record it changes, and nothing else. What cannot
// be decoded may pass here.
func ChangeKey(b []byte) (RecordKey, error) {
	c := new(Change)
	err := protofield.Each(b, func(n protowire.Number, v protofield.Value) error {
		if n != chKind && n != chID {
			return nil
		}
		if err := c.set(n, v, 0); err != nil {
			return err
		}
		if c.Kind != 0 && c.ID != (RecordID{}) {
			return errFound
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFound) {
		return RecordKey{}, fmt.Errorf("read change's record: %w", err)
	}
	return c.Key(), nil
}

// errFound ends a reading that has found what it wants.
var errFound = errors.New("found")

// countEdits gives room for all edits at once.
func countEdits(b []byte) (n int) {
	_ = protofield.Each(b, func(field protowire.Number, _ protofield.Value) error { // what is malformed is found again
		if field == chEdit {
			n++
		}
		return nil
	})
	return n
}

func (c *Change) set(n protowire.Number, v protofield.Value, own JournalID) error {
	var err error
	switch n {
	case chUnion:
		c.Union = string(v.Bytes)
	case chKind:
		c.Kind, err = protofield.Narrow[KindNumber](v.Num)
	case chID:
		if len(v.Bytes) != len(c.ID) {
			return fmt.Errorf("record id of %d bytes", len(v.Bytes))
		}
		copy(c.ID[:], v.Bytes)
	case chKindVersion:
		c.KindVersion, err = protofield.Narrow[uint32](v.Num)
	case chActor:
		c.Actor = string(v.Bytes)
	case chTime:
		c.Time = protowire.DecodeZigZag(v.Num)
	case chGroup:
		c.Group = v.Num
	case chBase:
		c.Base = Position(v.Num)
	case chEdit:
		var e Edit
		e, err = decodeEdit(v.Bytes, own)
		c.Edits = append(c.Edits, e)
	case chResolves:
		c.Resolves, err = appendFieldDot(c.Resolves, v.Bytes, own)
	case chSaw:
		c.Saw, err = appendFieldDot(c.Saw, v.Bytes, own)
	case chVerb:
		c.Verb, err = protofield.Narrow[Verb](v.Num)
	case chNote:
		c.Note = string(v.Bytes)
	}
	return err
}

func decodeEdit(b []byte, own JournalID) (Edit, error) {
	var e Edit
	err := protofield.Each(b, func(n protowire.Number, v protofield.Value) error {
		var err error
		switch n {
		case edField:
			e.Field, err = protofield.Narrow[FieldNumber](v.Num)
		case edValue:
			e.Value = v.Bytes
		case edCleared:
			e.Cleared = v.Num != 0
		case edOverwrote:
			e.Overwrote, err = appendDot(e.Overwrote, v.Bytes, own)
		case edAdd:
			e.Add = append(e.Add, v.Bytes)
		case edRemove:
			var r ElementDots
			r, err = decodeElement(v.Bytes, own)
			e.Remove = append(e.Remove, r)
		}
		return err
	})
	return e, err
}

func decodeElement(b []byte, own JournalID) (ElementDots, error) {
	var r ElementDots
	err := protofield.Each(b, func(n protowire.Number, v protofield.Value) error {
		var err error
		switch n {
		case elElement:
			r.Element = v.Bytes
		case elDots:
			r.Dots, err = appendDot(r.Dots, v.Bytes, own)
		}
		return err
	})
	return r, err
}

func appendFieldDot(to []FieldDot, b []byte, own JournalID) ([]FieldDot, error) {
	f := FieldDot{Dot: Dot{Journal: own}}
	err := protofield.Each(b, func(n protowire.Number, v protofield.Value) error {
		var err error
		switch n {
		case fdField:
			f.Field, err = protofield.Narrow[FieldNumber](v.Num)
		case fdDot:
			var d []Dot
			d, err = appendDot(nil, v.Bytes, own)
			if err == nil {
				f.Dot = d[0]
			}
		}
		return err
	})
	return append(to, f), err
}

func appendDot(to []Dot, b []byte, own JournalID) ([]Dot, error) {
	d := Dot{Journal: own}
	err := protofield.Each(b, func(n protowire.Number, v protofield.Value) error {
		var err error
		switch n {
		case dotJournal:
			d.Journal = JournalID(v.Num)
		case dotSeq:
			d.Seq = v.Num
		case dotTag:
			d.Tag, err = protofield.Narrow[uint32](v.Num)
		}
		return err
	})
	return append(to, d), err
}
