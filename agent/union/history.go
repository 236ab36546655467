package union

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"unionsync/agent/journal"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session"
)

// Delivery says how far an own change has come.
type Delivery string

// Deliveries.
const (
	Waiting   Delivery = "waiting"   // saved on this PC, not at the centre as far as is known
	Delivered Delivery = "delivered" // a receipt covers it
	Held      Delivery = "held"      // the centre sent it back: 被退回
	Accepted  Delivery = "accepted"  // it was held and then accepted
	Dropped   Delivery = "dropped"   // it was held and then dropped: history only
	Foreign   Delivery = "foreign"   // another device's
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

// History gives what is known here of a record's changes, in the order of the centre: this
// PC's own, those of others that are kept here, and before them those others whose values
// stand in the record. Own changes that the centre has not answered come last. The whole
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
	all, err := u.pasts(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	h := history{u: u, values: map[syncproto.FieldDot][]byte{}, kept: map[syncproto.Dot]bool{}}
	for _, p := range all {
		h.kept[p.place.Dot()] = true
	}
	h.foreign(layer)
	if h.ended, err = u.j.Ended(); err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	for _, p := range all {
		h.add(p)
	}
	if len(h.events) == 0 {
		return nil, syncproto.Fail(syncproto.CodeNotFound, "read history", nil, "what", id.String())
	}
	return h.events, nil
}

// past is one change to a record that is known here as a whole.
type past struct {
	place     syncproto.Place
	change    *syncproto.Change
	verdict   syncproto.Verdict
	own       bool
	receipted bool
}

// pasts gives all changes to a record that are known as a whole, in the order of the
// centre.
func (u *Union) pasts(ctx context.Context, key syncproto.RecordKey) (out []past, err error) {
	covered, _, err := u.NewestReceipt()
	if err != nil {
		return nil, err
	}
	err = u.eachOwn(ctx, key, func(f journal.Frame, c *syncproto.Change) error {
		v, _, err := u.j.Verdict(f.Place.Seq)
		out = append(out, past{f.Place, c, v, true, f.Place.Seq <= covered.Seq})
		return err
	})
	if err != nil {
		return nil, err
	}
	err = u.j.EachKept(func(k session.Kept) error {
		if k.Change != nil && k.Change.Key() == key {
			out = append(out, past{place: k.Place, change: k.Change, verdict: k.Verdict})
		}
		return ctx.Err()
	})
	slices.SortStableFunc(out, func(a, b past) int { return cmp.Compare(a.verdict.Position-1, b.verdict.Position-1) }) // none is last
	return out, err
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
	kept   map[syncproto.Dot]bool        // known as a whole
	ended  map[uint64]session.Ended      // own held changes that somebody decided about
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
			if d.Journal == h.u.j.ID() || h.kept[d] {
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

// add makes the event of a change that is known as a whole.
func (h *history) add(p past) {
	c := p.change
	e := Event{Dot: p.place.Dot(), Time: time.Unix(c.Time, 0), Actor: c.Actor, Note: c.Note, Group: c.Group, Verdict: p.verdict}
	e.Delivery = h.delivery(&p)
	for i := range c.Edits {
		e.Changes = append(e.Changes, h.edit(&c.Edits[i], e.Dot))
	}
	h.events = append(h.events, e)
	if !c.EndsHold() || p.verdict.Kind == syncproto.VerdictHeld {
		return
	}
	for i := range h.events { // what this change ends
		dot := syncproto.FieldDot{Dot: h.events[i].Dot}
		if h.events[i].Delivery == Held && slices.Contains(c.Resolves, dot) {
			h.events[i].Delivery = outcome(c.Verb)
		}
	}
}

func (h *history) delivery(p *past) Delivery {
	switch {
	case p.own && h.ended[p.place.Seq].Verb != 0 && p.verdict.Kind == syncproto.VerdictHeld:
		return outcome(h.ended[p.place.Seq].Verb)
	case p.verdict.Kind == syncproto.VerdictHeld:
		return Held
	case p.verdict.Kind == syncproto.VerdictDropped:
		return Dropped
	case !p.own:
		return Foreign
	case p.receipted:
		return Delivered
	}
	return Waiting
}

// outcome is what a decision makes of a change that was held.
func outcome(v syncproto.Verb) Delivery {
	if v == syncproto.VerbAccept {
		return Accepted
	}
	return Dropped
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
	ended, err := u.j.Ended()
	if err != nil {
		return nil, err
	}
	err = u.eachOwn(ctx, key, func(f journal.Frame, c *syncproto.Change) error {
		if c.EndsHold() {
			out = slices.DeleteFunc(out, func(p syncproto.Place) bool {
				return slices.Contains(c.Resolves, syncproto.FieldDot{Dot: p.Dot()})
			})
			return nil
		}
		v, _, err := u.j.Verdict(f.Place.Seq)
		if _, is := ended[f.Place.Seq]; err == nil && v.Kind == syncproto.VerdictHeld && !is {
			out = append(out, f.Place)
		}
		return err
	})
	return out, err
}
