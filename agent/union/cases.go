package union

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// CaseType says what a case asks.
type CaseType string

// Types of cases that a PC finds in its own union.
const (
	CaseHeld     CaseType = "held"     // own changes to a record were sent back
	CaseConflict CaseType = "conflict" // a field holds several values
	CaseVoid     CaseType = "void"     // a record was voided by somebody who did not know of an edit, or edited after that
	CaseFork     CaseType = "fork"     // the journal went two ways: a copy of this PC is or was in use
)

// caseOrder is the order in which people see them: what is refused comes first.
var caseOrder = []CaseType{CaseHeld, CaseConflict, CaseVoid, CaseFork, CaseOpposed, CaseDigest, CaseMissing, CaseDuplicate}

// Case is one question for a person, as this PC sees it.
type Case struct {
	Type CaseType
	// Number is short and names the case together with all that the person sees of it: as
	// soon as somebody adds to the question, it is another number, so that nobody decides
	// about what he has not seen.
	Number string
	Kind   *kind.Kind // nil: of a fork
	ID     syncproto.RecordID
	Row    Row                   // the record; empty when nothing of it is shown
	Field  syncproto.FieldNumber // of a conflict; of a void [syncproto.FieldVoid]

	// Choices are the values to choose from, the current one first. Of a void: that it stays,
	// and that the record is in force.
	Choices []Choice
	// Unseen are the values of which the author of the void did not know, by field.
	Unseen []Unseen
	Held   []HeldChange // in their order
	Since  time.Time    // of a fork that this PC noticed: when

	// Of a case that the centre wrote, and that this PC does not find itself:
	Centre  syncproto.RecordID // the record of kind case; zero: found here
	Journal string             // the journal that it is about; empty: none
	Note    string
	// Version is what a PC had of the record before the centre's took its place, as text: of
	// a digest and of what is missing. Nothing of it is masked.
	Version string
	Tips    []Author // of a fork: the newest change of each branch when the centre saw it

	// Unconfirmed: the centre was restored and opened or moved the case since, while this PC
	// is not through with what it sends again, which may settle it. Lists leave it out until
	// then. What other PCs have yet to send is not known here.
	Unconfirmed bool

	full string
	dots string // of a case of the centre: the changes on which it stands
}

// Confirmed gives those of all cases that are confirmed.
func Confirmed(all []Case) []Case {
	return slices.DeleteFunc(slices.Clone(all), func(c Case) bool { return c.Unconfirmed })
}

// Choice is one value between which a person chooses.
type Choice struct {
	Value   []byte
	Cleared bool
	Dots    []syncproto.Dot
	By      []Author // who gave this value, as far as it is known here
}

// Own reports whether a person on this PC gave the value.
func (c *Choice) Own() bool { return slices.ContainsFunc(c.By, func(a Author) bool { return a.Own }) }

// Unseen is a field's value of which the author of a void did not know.
type Unseen struct {
	Field syncproto.FieldNumber
	Choice
}

// Author is who made a change, and when.
type Author struct {
	Dot   syncproto.Dot
	Actor string    // empty: not known here
	Time  time.Time // of the PC that saved; zero: not known here
	Own   bool      // saved on this PC
	Note  string
}

// Cases gives all that waits for a person, each question once.
func (u *Union) Cases(ctx context.Context) ([]Case, error) {
	var out []Case
	for _, find := range []func(context.Context) ([]Case, error){u.heldCases, u.recordCases, u.forkCases} {
		found, err := find(ctx)
		if err != nil {
			return nil, fmt.Errorf("list cases: %w", err)
		}
		out = append(out, found...)
	}
	out, err := u.joinCentre(ctx, out)
	if err != nil {
		return nil, fmt.Errorf("list cases: %w", err)
	}
	slices.SortStableFunc(out, func(a, b Case) int {
		return cmp.Or(slices.Index(caseOrder, a.Type)-slices.Index(caseOrder, b.Type), cmp.Compare(kindNumber(a.Kind), kindNumber(b.Kind)))
	})
	shorten(out)
	return out, nil
}

func kindNumber(k *kind.Kind) syncproto.KindNumber {
	if k == nil {
		return 0
	}
	return k.Number
}

// Case finds the case with this number; one that is settled, or to which something was added,
// is [syncproto.CodeCaseGone].
func (u *Union) Case(ctx context.Context, number string) (Case, error) {
	all, err := u.Cases(ctx)
	if err != nil {
		return Case{}, err
	}
	number = strings.TrimSpace(number)
	i := slices.IndexFunc(all, func(c Case) bool { return c.Number == number })
	if i < 0 {
		return Case{}, syncproto.Fail(syncproto.CodeCaseGone, "find case", nil, "number", number)
	}
	return all[i], nil
}

// heldCases has one case for each record with own changes that were sent back.
func (u *Union) heldCases(ctx context.Context) ([]Case, error) {
	all, err := u.HeldChanges(ctx)
	if err != nil {
		return nil, err
	}
	var out []Case
	at := map[syncproto.RecordKey]int{}
	for _, h := range all {
		var key syncproto.RecordKey // of a damaged entry: not known
		if h.Change != nil {
			key = h.Change.Key()
		}
		i, ok := at[key]
		if !ok {
			i, at[key] = len(out), len(out)
			c := Case{Type: CaseHeld, ID: key.ID}
			if c.Kind, ok = u.o.Kinds.ByNumber(key.Kind); ok {
				if c.Row, err = u.Get(c.Kind.Name, key.ID); err != nil && syncproto.CodeOf(err) != syncproto.CodeNotFound {
					return nil, err
				}
			}
			out = append(out, c)
		}
		out[i].Held = append(out[i].Held, h)
	}
	for i := range out {
		n := newNumber(CaseHeld, out[i].ID, 0)
		for _, h := range out[i].Held {
			n.dot(h.Place.Dot())
		}
		out[i].full = n.digits()
	}
	return out, nil
}

// recordCases has the cases that stand in the records themselves.
func (u *Union) recordCases(ctx context.Context) ([]Case, error) {
	s, err := u.store()
	if err != nil {
		return nil, err
	}
	var out []Case
	for _, k := range u.o.Kinds.All() {
		err := s.Each(k.Number, syncproto.RecordID{}, func(id syncproto.RecordID, r *merge.Record) (bool, error) {
			row := newRow(k, id, r)
			for _, n := range row.Conflicts {
				out = append(out, conflictCase(row, n))
			}
			if doubts := openDoubts(r); len(doubts) > 0 && !slices.Contains(row.Conflicts, syncproto.FieldVoid) {
				out = append(out, voidCase(row, doubts))
			}
			return true, ctx.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	for i := range out { // not inside of the walk: it holds a view of the store
		if err := u.authors(&out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func conflictCase(row Row, n syncproto.FieldNumber) Case {
	c := Case{Type: CaseConflict, Kind: row.Kind, ID: row.ID, Row: row, Field: n}
	no := newNumber(CaseConflict, row.ID, n)
	for _, e := range row.Record.Field(n).Entries {
		c.Choices = append(c.Choices, Choice{Value: e.Value, Cleared: e.Cleared, Dots: e.Dots})
		no.entry(e)
	}
	c.full = no.digits()
	return c
}

// openDoubts gives the doubts about a void that still stands.
func openDoubts(r *merge.Record) []syncproto.FieldDot {
	void := r.Field(syncproto.FieldVoid)
	if void == nil {
		return nil
	}
	var out []syncproto.FieldDot
	for _, d := range r.Doubts {
		for _, e := range void.Entries {
			if !e.Cleared && slices.Contains(e.Dots, d.Dot) {
				out = append(out, d)
			}
		}
	}
	return out
}

func voidCase(row Row, doubts []syncproto.FieldDot) Case {
	c := Case{Type: CaseVoid, Kind: row.Kind, ID: row.ID, Row: row, Field: syncproto.FieldVoid}
	no := newNumber(CaseVoid, row.ID, syncproto.FieldVoid)
	for _, e := range row.Record.Field(syncproto.FieldVoid).Entries {
		c.Choices = append(c.Choices, Choice{Value: e.Value, Cleared: e.Cleared, Dots: e.Dots})
		no.entry(e)
	}
	c.Choices = append(c.Choices, Choice{Cleared: true})
	for _, d := range doubts {
		f := row.Record.Field(d.Field)
		if f == nil || len(f.Entries) == 0 {
			continue
		}
		e := f.Entries[0]
		c.Unseen = append(c.Unseen, Unseen{Field: d.Field, Choice: Choice{Value: e.Value, Cleared: e.Cleared, Dots: e.Dots}})
		no.entry(e)
	}
	c.full = no.digits()
	return c
}

// forkCases tells that the centre knows another branch of this PC's journal.
func (u *Union) forkCases(context.Context) ([]Case, error) {
	all, err := u.Notices()
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		if n.Code == syncproto.CodeForked {
			c := Case{Type: CaseFork, Since: n.Since}
			c.full = newNumber(CaseFork, syncproto.RecordID{}, 0).digits()
			return []Case{c}, nil
		}
	}
	return nil, nil
}

// caseNumber is what a case's number is made from.
type caseNumber struct{ b []byte }

func newNumber(t CaseType, id syncproto.RecordID, n syncproto.FieldNumber) *caseNumber {
	return &caseNumber{binary.BigEndian.AppendUint16(append([]byte(t), id[:]...), uint16(n))}
}

func (n *caseNumber) dot(d syncproto.Dot) { n.b = append(n.b, d.String()+" "...) }

func (n *caseNumber) entry(e merge.Entry) {
	for _, d := range e.Dots {
		n.dot(d)
	}
	n.b = append(n.b, '|')
}

// digits is the whole number; people see as much of its beginning as it takes.
func (n *caseNumber) digits() string {
	sum := sha256.Sum256(n.b)
	return fmt.Sprintf("%015d", binary.BigEndian.Uint64(sum[:])%1e15)
}

// shortest is how many digits a case's number has at least.
const shortestNumber = 4

// shorten gives each case the shortest number by which no other is meant.
func shorten(all []Case) {
	for i := range all {
		n := shortestNumber
		for j := range all {
			for i != j && n < len(all[i].full) && strings.HasPrefix(all[j].full, all[i].full[:n]) {
				n++
			}
		}
		all[i].Number = all[i].full[:n]
	}
}

// authors fills in who gave the values of a case.
func (u *Union) authors(c *Case) error {
	for i := range c.Choices {
		by, err := u.by(c.Choices[i].Dots)
		if err != nil {
			return err
		}
		c.Choices[i].By = by
	}
	for i := range c.Unseen {
		by, err := u.by(c.Unseen[i].Dots)
		if err != nil {
			return err
		}
		c.Unseen[i].By = by
	}
	return nil
}

func (u *Union) by(dots []syncproto.Dot) ([]Author, error) {
	var out []Author
	for _, d := range dots {
		a, err := u.author(d)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// author tells who made a change: own ones stand in the journal, others' are kept beside it
// as long as the centre may lose them.
func (u *Union) author(d syncproto.Dot) (Author, error) {
	a := Author{Dot: d}
	c, own, err := u.changeOf(d)
	if err != nil || c == nil {
		return a, err
	}
	a.Actor, a.Time, a.Note, a.Own = c.Actor, time.Unix(c.Time, 0), c.Note, own
	return a, nil
}

// changeOf finds a change by its dot; nil: it is not known here.
func (u *Union) changeOf(d syncproto.Dot) (c *syncproto.Change, own bool, err error) {
	if d.Journal == u.j.ID() {
		if p, ok, err := u.place(d.Seq); err != nil || ok && p.Dot() == d {
			if err != nil {
				return nil, true, err
			}
			f, err := u.j.Frame(d.Seq)
			return placed(f).Change, true, err
		}
	}
	k, ok, err := u.OwnChanges().Kept(d)
	if err != nil || !ok {
		return nil, false, err
	}
	return k.Change, false, nil
}
