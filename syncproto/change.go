package syncproto

import (
	"fmt"
	"unicode/utf8"
)

// Change is one save by one person on one record: a list of field edits. Its bytes, from
// [Change.Encode], are hashed, signed and kept as first written, never encoded again.
type Change struct {
	Union       string
	Kind        KindNumber
	ID          RecordID
	KindVersion uint32   // version of the kind file by which the change was checked
	Actor       string   // the desk user who saved, as shown to others in the union
	Time        int64    // the PC's clock, Unix seconds: a note for people, decides nothing
	Group       uint64   // ties the changes of one import, paste or bulk act; 0: none
	Base        Position // position of the record that the author saw; 0: none from the centre
	Edits       []Edit
	Resolves    []FieldDot // what a decision settles; field 0 names a held change that it ends
	Saw         []FieldDot // for a void: what the person saw of every field
	Verb        Verb       // what becomes of the held changes named in Resolves
	Note        string
}

// Verb says what a change does with the held changes that its Resolves names.
type Verb uint8

// Verbs of a change that ends a hold.
const (
	VerbNone   Verb = iota
	VerbAccept      // they merge now, in their order, at this change's position
	VerbDrop        // they go to history only
)

// Edit is what a change does to one field: exactly one of Value, Cleared, Add or Remove
// (the last two may stand together, for a field of class set).
type Edit struct {
	Field     FieldNumber
	Value     []byte // canonical bytes of the new value, never empty
	Cleared   bool
	Overwrote []Dot // all dots of the entry the person saw (class latest: of all entries)
	Add       [][]byte
	Remove    []ElementDots
}

// IsSet reports whether e adds or removes elements of a set.
func (e *Edit) IsSet() bool { return len(e.Add) > 0 || len(e.Remove) > 0 }

// ElementDots names one element of a set and the dots it was seen with.
type ElementDots struct {
	Element []byte
	Dots    []Dot
}

// FieldDot names one field's entry or, with field 0, a held change.
type FieldDot struct {
	Field FieldNumber
	Dot   Dot
}

// Key names the record that c changes.
func (c *Change) Key() RecordKey { return RecordKey{Kind: c.Kind, ID: c.ID} }

// Edit finds c's edit of field f, or nil.
func (c *Change) Edit(f FieldNumber) *Edit {
	for i := range c.Edits {
		if c.Edits[i].Field == f {
			return &c.Edits[i]
		}
	}
	return nil
}

// EndsHold reports whether c decides about held changes.
func (c *Change) EndsHold() bool { return c.Verb != VerbNone }

// Check reports what is wrong with c itself. What depends on the state of records, such
// as a conflict, is for the merge to decide.
func (c *Change) Check() error {
	switch {
	case c.Union == "" || len(c.Union) > MaxUnionCode:
		return fmt.Errorf("check change: union code of %d bytes, want 1 to %d", len(c.Union), MaxUnionCode)
	case c.Kind == 0:
		return fmt.Errorf("check change: no kind")
	case c.ID == RecordID{}:
		return fmt.Errorf("check change: no record id")
	case len(c.Actor) > MaxActorBytes || !utf8.ValidString(c.Actor):
		return fmt.Errorf("check change: actor of %d bytes, want at most %d of UTF-8", len(c.Actor), MaxActorBytes)
	case len(c.Note) > MaxNoteBytes || !utf8.ValidString(c.Note):
		return fmt.Errorf("check change: note of %d bytes, want at most %d of UTF-8", len(c.Note), MaxNoteBytes)
	case c.Verb > VerbDrop:
		return fmt.Errorf("check change: verb %d is unknown", c.Verb)
	case len(c.Edits) == 0 && len(c.Resolves) == 0:
		return fmt.Errorf("check change: neither edits nor decisions")
	}
	if n, twice := c.editedTwice(); twice {
		return fmt.Errorf("check change: field %d is edited twice", n)
	}
	for i := range c.Edits {
		if err := c.Edits[i].check(); err != nil {
			return fmt.Errorf("check change: %w", err)
		}
	}
	return nil
}

// editedTwice looks for a field with two edits. Changes have few edits and are checked by the
// million: a map for each costs more than what else a centre does to check them.
func (c *Change) editedTwice() (FieldNumber, bool) {
	const few = 64
	if len(c.Edits) > few {
		seen := make(map[FieldNumber]bool, len(c.Edits))
		for i := range c.Edits {
			if n := c.Edits[i].Field; seen[n] {
				return n, true
			}
			seen[c.Edits[i].Field] = true
		}
		return 0, false
	}
	for i := range c.Edits {
		for k := range i {
			if c.Edits[k].Field == c.Edits[i].Field {
				return c.Edits[i].Field, true
			}
		}
	}
	return 0, false
}

func (e *Edit) check() error {
	forms := 0
	if len(e.Value) > 0 {
		forms++
	}
	if e.Cleared {
		forms++
	}
	if e.IsSet() {
		forms++
	}
	if e.Field == 0 || forms != 1 {
		return fmt.Errorf("field %d has %d forms of edit, want one", e.Field, forms)
	}
	if e.IsSet() && len(e.Overwrote) > 0 {
		return fmt.Errorf("field %d: an edit of a set overwrites nothing", e.Field)
	}
	for _, a := range e.Add {
		if len(a) == 0 {
			return fmt.Errorf("field %d: an empty element is added", e.Field)
		}
	}
	for _, r := range e.Remove {
		if len(r.Element) == 0 || len(r.Dots) == 0 {
			return fmt.Errorf("field %d: a removal names no element or no dots", e.Field)
		}
	}
	return nil
}
