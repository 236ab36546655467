package union

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Types of cases that only the centre finds.
const (
	CaseOpposed   CaseType = "opposed"   // somebody accepted a held change and somebody else dropped it
	CaseDigest    CaseType = "digest"    // a PC had another version of a record
	CaseMissing   CaseType = "missing"   // a PC had a record that the centre has not
	CaseDuplicate CaseType = "duplicate" // two records may be one
)

// caseKind is the kind of the centre's cases, with its fields' names.
const (
	caseKind     = "case"
	caseOpenWord = "open"
	caseDoneWord = "closed"
)

// joinCentre puts the centre's cases and those found here together, each question once: what
// stands in the records of this PC is shown from there, with decisions that are still to be
// sent; for the rest the centre's case counts. A journal's fork counts as the centre says as
// soon as it says something: people close it there.
func (u *Union) joinCentre(ctx context.Context, here []Case) ([]Case, error) {
	k, ok := u.o.Kinds.Kind(caseKind)
	if !ok {
		return here, nil
	}
	life, err := u.unconfirmedLife()
	if err != nil {
		return nil, err
	}
	out := here
	err = u.Each(ctx, Query{Kind: caseKind}, func(r Row) error {
		c, open := u.centreCase(k, r)
		if c.Type == CaseFork && c.Journal == u.j.ID().String() {
			out = slices.DeleteFunc(slices.Clone(out), func(x Case) bool { return x.Type == CaseFork && x.Centre == (syncproto.RecordID{}) })
		}
		c.Unconfirmed = life != 0 && r.Record.Pos.Generation() == life
		switch {
		case open && !u.shownHere(&c):
			out = append(out, c)
		case open && c.Unconfirmed:
			markSame(out, &c)
		}
		return nil
	})
	for i := range out { // not inside of the walk: it holds a view of the store
		if c := &out[i]; err == nil && c.Type == CaseFork {
			c.Tips, err = u.tips(c.dots)
		}
	}
	return out, err
}

// unconfirmedLife is the newest life of the centre while records here are still to be
// confirmed in it, as they are until everything is sent again; else 0.
func (u *Union) unconfirmedLife() (uint16, error) {
	s, err := u.store()
	if err != nil {
		return 0, err
	}
	if marks, err := s.Confirms(1); err != nil || len(marks) == 0 {
		return 0, err
	}
	return u.lineage().Newest().Number, nil
}

// markSame marks the question that this PC finds itself as the centre's case about it.
func markSame(all []Case, c *Case) {
	for i := range all {
		x := &all[i]
		if x.Centre == (syncproto.RecordID{}) && x.Type == c.Type && x.Kind == c.Kind && x.ID == c.ID && (c.Type != CaseConflict || x.Field == c.Field) {
			x.Unconfirmed = true
		}
	}
}

// centreCase reads a case of the centre.
func (u *Union) centreCase(k *kind.Kind, r Row) (c Case, open bool) {
	text := func(name string) string {
		f, ok := k.Field(name)
		if !ok {
			return ""
		}
		return string(r.Values[f.Number])
	}
	c = Case{Type: CaseType(text("type")), Centre: r.ID, Journal: text("journal"), Note: text("note"), Version: text("version")}
	if n, err := strconv.ParseUint(text("kind"), 10, 16); err == nil {
		c.Kind, _ = u.o.Kinds.ByNumber(syncproto.KindNumber(n))
	}
	if n, err := strconv.ParseUint(text("field"), 10, 16); err == nil {
		c.Field = syncproto.FieldNumber(n)
	}
	if id, err := syncproto.ParseRecordID(text("record")); err == nil {
		c.ID = id
	}
	if people := []CaseType{CaseConflict, CaseVoid, CaseHeld}; !slices.Contains(people, c.Type) {
		c.Choices = []Choice{{Value: []byte(caseDoneWord)}}
	}
	c.dots = text("dots")
	no := newNumber(c.Type, r.ID, 0)
	no.b = append(no.b, c.dots...)
	c.full = no.digits()
	return c, text("state") == caseOpenWord
}

// shownHere reports whether the question is one that this PC finds itself, or has answered.
func (u *Union) shownHere(c *Case) bool {
	switch c.Type {
	case CaseConflict, CaseVoid:
		return c.Kind != nil
	case CaseHeld:
		return c.Journal == u.j.ID().String()
	}
	return false
}

// forkSettled reports whether the centre's case about a fork of this PC's journal was closed,
// and not opened again for another branch since.
func (u *Union) forkSettled() (settled bool, err error) {
	k, ok := u.o.Kinds.Kind(caseKind)
	if !ok {
		return false, nil
	}
	err = u.Each(context.Background(), Query{Kind: caseKind}, func(r Row) error {
		c, open := u.centreCase(k, r)
		settled = settled || !open && c.Type == CaseFork && c.Journal == u.j.ID().String()
		return nil
	})
	return settled, err
}

// tips tells of the newest change of each branch of a forked journal, as the centre named
// them when it last saw a new branch: who made it and when, as far as that is known here.
func (u *Union) tips(dots string) ([]Author, error) {
	var all []syncproto.Dot
	for _, word := range strings.Fields(dots) {
		d, ok := syncproto.ParseDot(word)
		if !ok {
			return nil, nil // more than a case can name
		}
		all = append(all, d)
	}
	return u.by(all)
}

// settleCentre closes a case that only people can settle.
func (u *Union) settleCentre(ctx context.Context, c Case, d Decision) (Saved, error) {
	if len(c.Choices) == 0 || d.Choose == 0 {
		return Saved{}, syncproto.Fail(syncproto.CodeCaseWay, "decide case", nil, "number", c.Number)
	}
	if d.Choose != 1 {
		return Saved{}, syncproto.Fail(syncproto.CodeCaseChoice, "decide case", nil, "n", itoa(d.Choose), "max", "1")
	}
	now, err := u.Case(ctx, c.Number)
	if err != nil {
		return Saved{}, err
	}
	return u.Save(ctx, Draft{Kind: caseKind, ID: now.Centre, Text: map[string]string{"state": caseDoneWord}, Actor: d.Actor, Note: d.Note})
}
