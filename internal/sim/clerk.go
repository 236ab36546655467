package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// record is a record that somebody has made, here or elsewhere.
type record struct {
	kind string
	id   syncproto.RecordID
}

// Fields of kind member that clerks edit, by merge class.
var (
	askFields    = []string{"name", "employer", "mobile", "education"}
	latestFields = []string{"department", "post", "remark"}
)

// act is one save by a clerk, drawn from what clerks do.
func (s *seat) act() error {
	d, h := s.pc.dice, s.pc.w.habits
	if s.held && d.chance(0.2) {
		return s.dropHeld()
	}
	known := s.pc.w.oracle.records[s.union]
	if len(known) == 0 || d.chance(0.5/float64(1+len(known)/4)) {
		return s.newRecord()
	}
	r := known[len(known)-1-d.IntN(min(len(known), 5))] // the newest are edited most
	switch d.IntN(6) {
	case 0:
		r = one(d, known)
	case 1, 2, 3:
		r = known[len(known)/3] // where many meet
	}
	row, ok := s.get(r)
	if !ok {
		return nil // it has not come here
	}
	switch x := d.Float64(); {
	case len(row.Conflicts) > 0 && d.chance(h.decide):
		return s.decide(r, row)
	case x < h.void:
		return s.void(r, row)
	case x < h.void+h.event && r.kind == "member":
		return s.event(r)
	}
	return s.edit(r, row)
}

// saveSeen saves one draft about a record that was seen as it was.
func (s *seat) saveSeen(what string, row union.Row, draft union.Draft) error {
	before := s.head.Seq
	if err := s.save(what, draft); err != nil || s.power.dead || s.head.Seq == before {
		return err
	}
	c := s.pc.w.oracle.saved[s.head.Dot()].change
	seen := naiveOf(row.Record)
	for _, e := range c.Edits {
		if e.IsSet() {
			continue
		}
		var want []syncproto.Dot
		if f := seen.fields[e.Field]; f != nil {
			for i, v := range f.values {
				if i == 0 || row.Kind.Class(e.Field) == syncproto.ClassLatest {
					want = append(want, v.dots...)
				}
			}
		}
		if !slices.Equal(sorted(want), sorted(slices.Clone(e.Overwrote))) {
			return s.pc.w.violate("I1 %s: %s: an edit of field %d names %v, its author saw %v", s, what, e.Field, e.Overwrote, want)
		}
	}
	return nil
}

// save saves drafts and takes note of them.
func (s *seat) save(what string, drafts ...union.Draft) error {
	w := s.pc.w
	if s.pc.dice.chance(w.habits.hold) {
		drafts[s.pc.dice.IntN(len(drafts))].Note = holdNote
	}
	saved, err := s.u.SaveGroup(context.Background(), drafts)
	if s.power.dead {
		return nil
	}
	switch code := syncproto.CodeOf(err); {
	case err == nil:
	case code == syncproto.CodeDiskFull && s.full, code == syncproto.CodeNothingChanged, code == syncproto.CodeRefused,
		code == syncproto.CodeFirstFetch, code == syncproto.CodeNotFound, code == syncproto.CodeAppendOnly, code == syncproto.CodeRecordTooLarge:
		w.trace.line("%s %s: not saved, %d", s, what, code)
		w.note(fmt.Sprint("not saved ", code))
		return nil
	default:
		return w.violate("I1 %s: %s: %v", s, what, err)
	}
	w.note(what)
	for _, x := range saved {
		if x.New {
			w.oracle.records[s.union] = append(w.oracle.records[s.union], record{x.Kind, x.ID})
		}
	}
	last := saved[len(saved)-1].Place
	if err := s.adopt(); err != nil {
		return err
	}
	if s.head != last {
		return w.violate("I1 %s: saved up to %s, the journal ends at %s", s, last.Dot(), s.head.Dot())
	}
	return nil
}

// newRecord makes a member with the event of joining, or a record of another kind.
func (s *seat) newRecord() error {
	w, d := s.pc.w, s.pc.dice
	if d.chance(0.25) {
		return s.save("new disclosure", union.Draft{Kind: "disclosure", Text: map[string]string{
			"year": "2026", "category": "P1", "title": fmt.Sprint("公开", d.IntN(1e6)), "channels": "3", "start": "2026-01-01"}})
	}
	n := w.people
	if n > 0 && d.chance(0.1) {
		n = d.IntN(n) // a person whom somebody has already: a duplicate
	} else {
		w.people++
	}
	drafts, err := uniontest.Member(s.u, n)
	if err != nil {
		return err
	}
	drafts[1].Text["date"] = s.someDay()
	return s.save("new member", drafts...)
}

// someDay is a day before now and after 2023.
func (s *seat) someDay() string {
	return begin.AddDate(0, 0, s.pc.dice.between(-700, max(s.pc.w.night, 0))).Format(time.DateOnly)
}

// edit changes one or two fields. The values come from few, so that people agree at times.
func (s *seat) edit(r record, row union.Row) error {
	d := s.pc.dice
	draft := union.Draft{Kind: r.kind, ID: r.id, Values: kind.Values{}}
	if r.kind == "disclosure" {
		draft.Values[field(row.Kind, "title")] = fmt.Appendf(nil, "公开%d", d.IntN(4))
		return s.saveSeen("edit disclosure", row, draft)
	}
	if r.kind != "member" {
		if d.chance(0.2) { // nothing else can be done to an event
			return s.void(r, row)
		}
		return nil
	}
	for range d.between(1, 2) {
		switch d.IntN(6) {
		case 5:
			s.editSet(&draft, row)
		case 4:
			s.editNewer(&draft, row)
		case 0:
			name := one(d, latestFields)
			draft.Values[field(row.Kind, name)] = fmt.Appendf(nil, "%s%d", name, d.IntN(4))
		case 1:
			s.editSet(&draft, row)
		case 2:
			draft.Clear = append(draft.Clear, field(row.Kind, "department"))
		default:
			n, v := s.askValue(row)
			draft.Values[n] = v
		}
	}
	for _, n := range draft.Clear {
		delete(draft.Values, n)
	}
	return s.saveSeen("edit member", row, draft)
}

// editNewer edits a field that only the second version of the kind has.
func (s *seat) editNewer(draft *union.Draft, row union.Row) {
	d := s.pc.dice
	f, ok := row.Kind.Field(one(d, []string{"hobby", "desk", "teams"}))
	switch {
	case !ok:
	case f.Type == kind.TypeSet:
		draft.Add = map[syncproto.FieldNumber][][]byte{f.Number: {[]byte(one(d, []string{"chair", "vice"}))}}
	default:
		draft.Values[f.Number] = fmt.Appendf(nil, "新%d", d.IntN(4))
	}
}

func (s *seat) askValue(row union.Row) (syncproto.FieldNumber, []byte) {
	name, n := one(s.pc.dice, askFields), s.pc.dice.IntN(4)
	v := fmt.Appendf(nil, "试%s%d", name, n)
	switch name {
	case "name":
		v = []byte("试改" + string(rune('甲'+n)))
	case "mobile":
		v = fmt.Appendf(nil, "1390000000%d", n)
	case "education":
		v = []byte(one(s.pc.dice, tableOf(row.Kind, "education")[:6]).Code)
	}
	return field(row.Kind, name), v
}

func (s *seat) editSet(draft *union.Draft, row union.Row) {
	n := field(row.Kind, "union_post")
	v := []byte(one(s.pc.dice, []string{"chair", "vice", "audit"}))
	m := map[syncproto.FieldNumber][][]byte{n: {v}}
	if s.pc.dice.chance(0.5) {
		draft.Add = m
	} else {
		draft.Remove = m
	}
}

// decide settles the conflicts of a record by one of the values that stand. What a PC's kind
// files are too old for is left to others.
func (s *seat) decide(r record, row union.Row) error {
	draft := union.Draft{Kind: r.kind, ID: r.id, Values: kind.Values{}}
	for _, n := range row.Conflicts {
		if _, known := row.Kind.FieldByNumber(n); !known && n != syncproto.FieldVoid && n != syncproto.FieldSameAs {
			continue
		}
		draft.Decide = append(draft.Decide, n)
		e := one(s.pc.dice, row.Record.Field(n).Entries)
		if e.Cleared {
			draft.Clear = append(draft.Clear, n)
		} else {
			draft.Values[n] = e.Value
		}
	}
	if len(draft.Decide) == 0 {
		return nil
	}
	return s.saveSeen("decision", row, draft)
}

// void says that a record never was, takes that back, or says that two are one.
func (s *seat) void(r record, row union.Row) error {
	d := s.pc.dice
	draft := union.Draft{Kind: r.kind, ID: r.id}
	switch {
	case row.Void != "" && d.chance(0.7):
		draft.Clear = []syncproto.FieldNumber{syncproto.FieldVoid}
		draft.Decide = draft.Clear
	case d.chance(0.6):
		draft.Void = one(d, []string{"录错", "重复"})
	default:
		other := one(d, s.pc.w.oracle.records[s.union])
		if other.kind != r.kind || other.id == r.id {
			return nil
		}
		draft.Values = kind.Values{syncproto.FieldSameAs: other.id[:]}
	}
	return s.saveSeen("void", row, draft)
}

// event is something that happens to a membership.
func (s *seat) event(r record) error {
	d := s.pc.dice
	text := map[string]string{"type": one(d, []string{"2", "3", "4", "6", "7", "8"}), "date": s.someDay()}
	if text["type"] == "4" {
		if d.chance(0.5) {
			text["destination"] = one(d, s.pc.w.codes)
		} else {
			text["destination_outside"] = "外地"
		}
	}
	return s.save("event", union.Draft{Kind: "membership-event", Values: kind.Values{10: r.id[:]}, Text: text})
}

// dropHeld gives up own changes to a record that the centre sent back.
func (s *seat) dropHeld() error {
	ctx := context.Background()
	held, err := s.u.HeldChanges(ctx)
	if err != nil {
		return s.pc.w.violate("%s: held changes: %v", s, err)
	}
	if len(held) == 0 {
		s.held = false
		return nil
	}
	h := one(s.pc.dice, held)
	if h.Change == nil || h.Change.EndsHold() { // a decision of a revoked PC
		return nil
	}
	k, ok := s.pc.w.kinds.ByNumber(h.Change.Kind)
	if !ok {
		return nil
	}
	_, err = s.u.DropHeld(ctx, k.Name, h.Change.ID, "", "")
	if s.power.dead {
		return nil
	}
	if err != nil && !(s.full && syncproto.CodeOf(err) == syncproto.CodeDiskFull) {
		return s.pc.w.violate("%s: drop held: %v", s, err)
	}
	s.pc.w.note("held dropped")
	return s.adopt()
}

// field gives the number of a field that a kind of ours has.
func field(k *kind.Kind, name string) syncproto.FieldNumber {
	f, ok := k.Field(name)
	if !ok {
		panic(fmt.Sprintf("kind %s has no field %s", k.Name, name)) // kinds are files of this repository
	}
	return f.Number
}

// tableOf gives the codes of a field.
func tableOf(k *kind.Kind, name string) []*kind.Code {
	f, ok := k.Field(name)
	if !ok {
		panic(fmt.Sprintf("kind %s has no field %s", k.Name, name))
	}
	return f.Table.Codes
}
