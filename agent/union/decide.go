package union

import (
	"context"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// Decision is what a person decides about a case. A case of the centre that only people can
// settle is closed by its first choice. Exactly one of Choose, Text, Value, Drop
// and Resave says what.
type Decision struct {
	Choose int     // of [Case.Choices], from 1
	Text   *string // another value, as typed; blank: no value
	Value  []byte  // another value, in canonical bytes
	Drop   bool    // of held changes: history only
	Resave bool    // of held changes: drop them and save anew what they said, with Fix over it

	Fix     map[string]string // by field name, as typed: what is put right when saving anew
	Actor   string
	Note    string
	Explain map[string]string
}

// Decide settles a case by one save: a change that names all that the person saw of it. It is
// refused with [syncproto.CodeCaseGone] if the record says something else by now.
func (u *Union) Decide(ctx context.Context, c Case, d Decision) (Saved, error) {
	switch {
	case c.Centre != (syncproto.RecordID{}):
		return u.settleCentre(ctx, c, d)
	case c.Type == CaseHeld && d.Drop && c.Kind != nil:
		return u.drop(ctx, c.Kind, c.ID, &c, d.Actor, d.Note)
	case c.Type == CaseHeld && d.Resave && c.Kind != nil:
		return u.resave(ctx, c, d)
	case c.Type == CaseHeld || c.Type == CaseFork || d.Drop || d.Resave:
		return Saved{}, syncproto.Fail(syncproto.CodeCaseWay, "decide case", nil, "number", c.Number)
	}
	draft := Draft{Kind: c.Kind.Name, ID: c.ID, Decide: []syncproto.FieldNumber{c.Field}, Values: kind.Values{}, Text: map[string]string{},
		Actor: d.Actor, Note: d.Note, Explain: d.Explain, still: c.still}
	if err := c.fill(&draft, d); err != nil {
		return Saved{}, err
	}
	if c.Row.Void != "" && c.Field != syncproto.FieldVoid {
		// Whoever decides about a void record has seen that it is void: no doubt about that.
		draft.Values[syncproto.FieldVoid] = []byte(c.Row.Void)
		draft.Decide = append(draft.Decide, syncproto.FieldVoid)
	}
	return u.Save(ctx, draft)
}

// fill puts the value that was chosen into a draft.
func (c *Case) fill(draft *Draft, d Decision) error {
	f, own := c.Kind.FieldByNumber(c.Field)
	switch {
	case d.Choose != 0:
		if d.Choose < 1 || d.Choose > len(c.Choices) {
			return syncproto.Fail(syncproto.CodeCaseChoice, "decide case", nil, "n", itoa(d.Choose), "max", itoa(len(c.Choices)))
		}
		choice := c.Choices[d.Choose-1]
		if choice.Cleared {
			draft.Clear = []syncproto.FieldNumber{c.Field}
		} else {
			draft.Values[c.Field] = choice.Value
		}
	case len(d.Value) > 0:
		draft.Values[c.Field] = d.Value
	case d.Text == nil:
		return syncproto.Fail(syncproto.CodeCaseWay, "decide case", nil, "number", c.Number)
	case own:
		draft.Text[f.Name] = *d.Text
	case *d.Text == "":
		draft.Clear = []syncproto.FieldNumber{c.Field}
	default:
		draft.Values[c.Field] = []byte(*d.Text)
	}
	return nil
}

// still refuses a record that does not ask just what the case asks.
func (c *Case) still(r *merge.Record) error {
	now := ""
	if row := newRow(c.Kind, c.ID, r); c.Type == CaseConflict && slices.Contains(row.Conflicts, c.Field) {
		now = conflictCase(row, c.Field).full
	} else if doubts := openDoubts(r); c.Type == CaseVoid && len(doubts) > 0 {
		now = voidCase(row, doubts).full
	}
	if now != c.full {
		return c.gone()
	}
	return nil
}

func (c *Case) gone() error {
	return syncproto.Fail(syncproto.CodeCaseGone, "decide case", nil, "number", c.Number)
}

// resave drops the held changes of a case and saves anew what they said, in one save.
func (u *Union) resave(ctx context.Context, c Case, d Decision) (Saved, error) {
	u.write.Lock()
	defer u.write.Unlock()
	g, err := u.newGroup()
	if err != nil {
		return Saved{}, err
	}
	key := syncproto.RecordKey{Kind: c.Kind.Number, ID: c.ID}
	if err := u.dropInto(ctx, g, c.Kind, key, &c, d.Actor, d.Note); err != nil {
		return Saved{}, err
	}
	before, err := g.s.View(key)
	if err != nil {
		return Saved{}, err
	}
	draft := Draft{Kind: c.Kind.Name, ID: c.ID, New: !there(before), Values: kind.Values{}, Text: d.Fix,
		Add: map[syncproto.FieldNumber][][]byte{}, Remove: map[syncproto.FieldNumber][][]byte{},
		Actor: d.Actor, Note: d.Note, Explain: d.Explain}
	for _, h := range c.Held {
		if h.Change != nil {
			draft.say(h.Change.Edits)
		}
	}
	for name := range d.Fix { // what is put right counts instead of what was said
		f, err := c.Kind.Find(name)
		if err != nil {
			return Saved{}, err
		}
		delete(draft.Values, f.Number)
		delete(draft.Add, f.Number)
		delete(draft.Remove, f.Number)
		draft.Clear = slices.DeleteFunc(draft.Clear, func(n syncproto.FieldNumber) bool { return n == f.Number })
	}
	if err := g.add(draft); err != nil {
		return Saved{}, err
	}
	saved, err := u.commit(g)
	if err != nil {
		return Saved{}, err
	}
	return saved[len(saved)-1], nil
}

// say makes a draft say what edits said, later ones over earlier ones.
func (d *Draft) say(edits []syncproto.Edit) {
	for _, e := range edits {
		d.Clear = slices.DeleteFunc(d.Clear, func(n syncproto.FieldNumber) bool { return n == e.Field })
		delete(d.Values, e.Field)
		switch {
		case e.Cleared:
			d.Clear = append(d.Clear, e.Field)
		case !e.IsSet():
			d.Values[e.Field] = e.Value
		}
		for _, a := range e.Add {
			d.Remove[e.Field] = without(d.Remove[e.Field], a)
			d.Add[e.Field] = append(d.Add[e.Field], a)
		}
		for _, r := range e.Remove {
			d.Add[e.Field] = without(d.Add[e.Field], r.Element)
			d.Remove[e.Field] = append(d.Remove[e.Field], r.Element)
		}
	}
}

func without(all [][]byte, one []byte) [][]byte {
	return slices.DeleteFunc(all, func(b []byte) bool { return string(b) == string(one) })
}
