package union

import (
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// Draft is what a person wants to save of one record. What is not named stays as it is.
type Draft struct {
	Kind string
	ID   syncproto.RecordID // zero: a new record with an id drawn here
	New  bool               // a new record with the id given, from [Union.NewID]

	// Values are canonical bytes by field number; a set's value replaces the whole set.
	// [syncproto.FieldVoid] and [syncproto.FieldSameAs] may stand here too.
	Values kind.Values
	// Text are values as typed, by field name; blank text clears the field.
	Text map[string]string
	// Clear names fields to be emptied.
	Clear []syncproto.FieldNumber
	// Add and Remove change single elements of sets.
	Add, Remove map[syncproto.FieldNumber][][]byte
	// Decide names fields whose conflict this settles with the value given, or with the
	// current one if none is given. For [syncproto.FieldVoid] it settles a doubt about a
	// void record.
	Decide []syncproto.FieldNumber
	// Void is the reason why the record never was.
	Void string

	Actor   string            // who saves; empty: that of [Options]
	Group   uint64            // ties this change to others, see [Union.NewGroup]
	Note    string            // kept with the change
	Explain map[string]string // explanations of class C findings, by rule id; "" for all

	still func(*merge.Record) error // refuses a record that is not as the person saw it; nil: does not matter
}

// Saved is a change that is saved.
type Saved struct {
	Kind     string
	ID       syncproto.RecordID
	New      bool
	Place    syncproto.Place
	Findings []kind.Finding // what did not keep it from being saved
	Notes    []kind.Note    // what was normalised or derived: to be shown, never logged
}

// Refused says why a draft is not saved. It unwraps to an error of
// [syncproto.CodeRefused]; nothing was changed.
type Refused struct {
	Draft    int             // which of the drafts, from 0
	Problems []*kind.Problem // values that cannot be read
	Findings []kind.Finding  // all findings, those that block first
}

// Error gives counts only; the findings are for the person.
func (r *Refused) Error() string { return r.Unwrap().Error() }

// Unwrap gives the coded error.
func (r *Refused) Unwrap() error {
	return syncproto.Fail(syncproto.CodeRefused, "save", nil, "n", itoa(r.count()))
}

func (r *Refused) count() int {
	n := len(r.Problems)
	for _, f := range r.Findings {
		if f.Blocks() {
			n++
		}
	}
	return n
}
