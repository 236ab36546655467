package syncproto

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
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
	b = appendString(b, chUnion, c.Union)
	b = appendVarint(b, chKind, uint64(c.Kind))
	b = appendBytes(b, chID, c.ID[:])
	b = appendVarint(b, chKindVersion, uint64(c.KindVersion))
	b = appendString(b, chActor, c.Actor)
	b = appendVarint(b, chTime, protowire.EncodeZigZag(c.Time))
	b = appendFixed64(b, chGroup, c.Group)
	b = appendVarint(b, chBase, uint64(c.Base))
	for i := range c.Edits {
		b = appendBytes(b, chEdit, c.Edits[i].encode(own))
	}
	for _, r := range c.Resolves {
		b = appendBytes(b, chResolves, r.encode(own))
	}
	for _, s := range c.Saw {
		b = appendBytes(b, chSaw, s.encode(own))
	}
	b = appendVarint(b, chVerb, uint64(c.Verb))
	return appendString(b, chNote, c.Note)
}

func (e *Edit) encode(own JournalID) []byte {
	b := make([]byte, 0, 32+len(e.Value))
	b = appendVarint(b, edField, uint64(e.Field))
	b = appendBytes(b, edValue, e.Value)
	if e.Cleared {
		b = appendVarint(b, edCleared, 1)
	}
	for _, d := range e.Overwrote {
		b = appendBytes(b, edOverwrote, d.encode(own))
	}
	for _, a := range e.Add {
		b = appendBytes(b, edAdd, a)
	}
	for _, r := range e.Remove {
		m := appendBytes(nil, elElement, r.Element)
		for _, d := range r.Dots {
			m = appendBytes(m, elDots, d.encode(own))
		}
		b = appendBytes(b, edRemove, m)
	}
	return b
}

func (d Dot) encode(own JournalID) []byte {
	var b []byte
	if d.Journal != own {
		b = appendFixed64(b, dotJournal, uint64(d.Journal))
	}
	b = appendVarint(b, dotSeq, d.Seq)
	b = protowire.AppendTag(b, dotTag, protowire.Fixed32Type)
	return protowire.AppendFixed32(b, d.Tag)
}

func (f FieldDot) encode(own JournalID) []byte {
	b := appendVarint(nil, fdField, uint64(f.Field))
	return appendBytes(b, fdDot, f.Dot.encode(own))
}

// DecodeChange reads a change of journal own. The values it gives share b's memory.
func DecodeChange(b []byte, own JournalID) (*Change, error) {
	if len(b) > MaxChangeBytes {
		return nil, fmt.Errorf("decode change: %d bytes, want at most %d", len(b), MaxChangeBytes)
	}
	c := new(Change)
	err := eachField(b, func(n protowire.Number, v fieldValue) error { return c.set(n, v, own) })
	if err != nil {
		return nil, fmt.Errorf("decode change: %w", err)
	}
	return c, nil
}

func (c *Change) set(n protowire.Number, v fieldValue, own JournalID) error {
	var err error
	switch n {
	case chUnion:
		c.Union = string(v.bytes)
	case chKind:
		c.Kind, err = narrow[KindNumber](v.num)
	case chID:
		if len(v.bytes) != len(c.ID) {
			return fmt.Errorf("record id of %d bytes", len(v.bytes))
		}
		copy(c.ID[:], v.bytes)
	case chKindVersion:
		c.KindVersion, err = narrow[uint32](v.num)
	case chActor:
		c.Actor = string(v.bytes)
	case chTime:
		c.Time = protowire.DecodeZigZag(v.num)
	case chGroup:
		c.Group = v.num
	case chBase:
		c.Base = Position(v.num)
	case chEdit:
		var e Edit
		e, err = decodeEdit(v.bytes, own)
		c.Edits = append(c.Edits, e)
	case chResolves:
		c.Resolves, err = appendFieldDot(c.Resolves, v.bytes, own)
	case chSaw:
		c.Saw, err = appendFieldDot(c.Saw, v.bytes, own)
	case chVerb:
		c.Verb, err = narrow[Verb](v.num)
	case chNote:
		c.Note = string(v.bytes)
	}
	return err
}

func decodeEdit(b []byte, own JournalID) (Edit, error) {
	var e Edit
	err := eachField(b, func(n protowire.Number, v fieldValue) error {
		var err error
		switch n {
		case edField:
			e.Field, err = narrow[FieldNumber](v.num)
		case edValue:
			e.Value = v.bytes
		case edCleared:
			e.Cleared = v.num != 0
		case edOverwrote:
			e.Overwrote, err = appendDot(e.Overwrote, v.bytes, own)
		case edAdd:
			e.Add = append(e.Add, v.bytes)
		case edRemove:
			var r ElementDots
			r, err = decodeElement(v.bytes, own)
			e.Remove = append(e.Remove, r)
		}
		return err
	})
	return e, err
}

func decodeElement(b []byte, own JournalID) (ElementDots, error) {
	var r ElementDots
	err := eachField(b, func(n protowire.Number, v fieldValue) error {
		var err error
		switch n {
		case elElement:
			r.Element = v.bytes
		case elDots:
			r.Dots, err = appendDot(r.Dots, v.bytes, own)
		}
		return err
	})
	return r, err
}

func appendFieldDot(to []FieldDot, b []byte, own JournalID) ([]FieldDot, error) {
	f := FieldDot{Dot: Dot{Journal: own}}
	err := eachField(b, func(n protowire.Number, v fieldValue) error {
		var err error
		switch n {
		case fdField:
			f.Field, err = narrow[FieldNumber](v.num)
		case fdDot:
			var d []Dot
			d, err = appendDot(nil, v.bytes, own)
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
	err := eachField(b, func(n protowire.Number, v fieldValue) error {
		var err error
		switch n {
		case dotJournal:
			d.Journal = JournalID(v.num)
		case dotSeq:
			d.Seq = v.num
		case dotTag:
			d.Tag, err = narrow[uint32](v.num)
		}
		return err
	})
	return append(to, d), err
}

var errTruncated = errors.New("bytes are cut short or malformed")
