package union

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"unionsync/agent/journal"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// Delivery says how far an own change has come.
type Delivery string

// Deliveries.
const (
	Waiting   Delivery = "waiting"   // saved on this PC, not at the centre as far as is known
	Delivered Delivery = "delivered" // a receipt covers it
	Held      Delivery = "held"      // the centre sent it back: 被退回
	Dropped   Delivery = "dropped"   // it was held and then dropped: history only
	Foreign   Delivery = "foreign"   // another device's, as far as the record shows it
	Unread    Delivery = "unread"    // its entry in the journal is damaged
)

// Event is one line of a record's history.
type Event struct {
	Dot      syncproto.Dot
	Time     time.Time // of the PC that saved, a note only; zero: not known
	Actor    string
	Note     string
	Group    uint64
	Delivery Delivery
	Verdict  syncproto.Verdict // zero until the centre answered
	Changes  []FieldChange
}

// FieldChange is what one event did to one field.
type FieldChange struct {
	Field   syncproto.FieldNumber
	Before  []byte // nil: there was none, or BeforeKnown is false
	After   []byte // nil: cleared; of a set the elements added, joined
	Removed []byte // of a set the elements removed, joined
	Known   bool   // Before is known: it was this PC's, or still stands
}

// History gives what is known here of a record's changes: all of this PC's own, in their
// order, and before them those of others whose values stand in the record. The whole
// journal is read for it.
func (u *Union) History(ctx context.Context, kindName string, id syncproto.RecordID) ([]Event, error) {
	k, err := u.o.Kinds.Find(kindName)
	if err != nil {
		return nil, err
	}
	s, err := u.store()
	if err != nil {
		return nil, err
	}
	key := syncproto.RecordKey{Kind: k.Number, ID: id}
	layer, err := s.Layer(key)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	h := history{u: u, values: map[syncproto.FieldDot][]byte{}}
	h.foreign(layer)
	covered, _, err := u.j.NewestReceipt()
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	err = u.eachOwn(ctx, key, func(f journal.Frame, c *syncproto.Change) error {
		v, _, err := u.j.Verdict(f.Place.Seq)
		if err != nil {
			return err
		}
		h.own(f.Place, c, v, f.Place.Seq <= covered)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	if len(h.events) == 0 {
		return nil, syncproto.Fail(syncproto.CodeNotFound, "read history", nil, "what", id.String())
	}
	return h.events, nil
}

// eachOwn calls do for this PC's own changes to a record, in order.
func (u *Union) eachOwn(ctx context.Context, key syncproto.RecordKey, do func(journal.Frame, *syncproto.Change) error) error {
	return u.j.Range(1, u.j.Head().Seq, func(f journal.Frame) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.Damaged {
			return nil
		}
		c, err := syncproto.DecodeChange(f.Bytes, f.Place.Journal)
		if err != nil || c.Key() != key {
			return nil //nolint:nilerr // a change of a newer program is not this record's, as far as is known
		}
		return do(f, c)
	})
}

type history struct {
	u      *Union
	values map[syncproto.FieldDot][]byte // what each known change gave each field
	events []Event
}

// foreign makes one event of each other device's change that stands in the record.
func (h *history) foreign(r *merge.Record) {
	if r == nil {
		return
	}
	byDot := map[syncproto.Dot]*Event{}
	var order []syncproto.Dot
	note := func(n syncproto.FieldNumber, value []byte, dots []syncproto.Dot) {
		for _, d := range dots {
			h.values[syncproto.FieldDot{Field: n, Dot: d}] = value
			if d.Journal == h.u.j.ID() {
				continue
			}
			if byDot[d] == nil {
				byDot[d] = &Event{Dot: d, Delivery: Foreign}
				order = append(order, d)
			}
			byDot[d].Changes = append(byDot[d].Changes, FieldChange{Field: n, After: value})
		}
	}
	for i := range r.Fields {
		for _, e := range r.Fields[i].Entries {
			note(r.Fields[i].Number, e.Value, e.Dots)
		}
		for _, e := range r.Fields[i].Elements {
			note(r.Fields[i].Number, e.Value, e.Dots)
		}
	}
	slices.SortFunc(order, syncproto.Dot.Compare)
	for _, d := range order {
		h.events = append(h.events, *byDot[d])
	}
}

// own makes the event of an own change.
func (h *history) own(p syncproto.Place, c *syncproto.Change, v syncproto.Verdict, receipted bool) {
	e := Event{Dot: p.Dot(), Time: time.Unix(c.Time, 0), Actor: c.Actor, Note: c.Note, Group: c.Group, Verdict: v, Delivery: Waiting}
	switch {
	case v.Kind == syncproto.VerdictHeld:
		e.Delivery = Held
	case v.Kind == syncproto.VerdictDropped:
		e.Delivery = Dropped
	case receipted:
		e.Delivery = Delivered
	}
	for i := range c.Edits {
		e.Changes = append(e.Changes, h.edit(&c.Edits[i], p.Dot()))
	}
	h.events = append(h.events, e)
	if !c.EndsHold() {
		return
	}
	for i := range h.events { // what this change ends
		dot := syncproto.FieldDot{Dot: h.events[i].Dot}
		if h.events[i].Delivery == Held && slices.Contains(c.Resolves, dot) && c.Verb == syncproto.VerbDrop {
			h.events[i].Delivery = Dropped
		}
	}
}

func (h *history) edit(e *syncproto.Edit, dot syncproto.Dot) FieldChange {
	f := FieldChange{Field: e.Field, After: e.Value}
	if e.IsSet() {
		var removed [][]byte
		for _, r := range e.Remove {
			removed = append(removed, r.Element)
		}
		f.After, f.Removed, f.Known = joinOrNil(e.Add), joinOrNil(removed), true
		return f
	}
	f.Known = len(e.Overwrote) == 0
	for _, d := range e.Overwrote {
		if v, ok := h.values[syncproto.FieldDot{Field: e.Field, Dot: d}]; ok {
			f.Before, f.Known = v, true
			break
		}
	}
	h.values[syncproto.FieldDot{Field: e.Field, Dot: dot}] = bytes.Clone(e.Value)
	return f
}

func joinOrNil(elements [][]byte) []byte {
	if len(elements) == 0 {
		return nil
	}
	return joinSet(elements)
}

// held gives the places of a record's own changes that are held and not ended yet.
func (u *Union) held(ctx context.Context, key syncproto.RecordKey) ([]syncproto.Place, error) {
	var out []syncproto.Place
	err := u.eachOwn(ctx, key, func(f journal.Frame, c *syncproto.Change) error {
		if c.EndsHold() {
			out = slices.DeleteFunc(out, func(p syncproto.Place) bool {
				return slices.Contains(c.Resolves, syncproto.FieldDot{Dot: p.Dot()})
			})
			return nil
		}
		v, _, err := u.j.Verdict(f.Place.Seq)
		if err == nil && v.Kind == syncproto.VerdictHeld {
			out = append(out, f.Place)
		}
		return err
	})
	return out, err
}
