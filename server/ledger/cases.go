package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// The kind of cases and its fields; syncproto/kind/files/case.yaml has the same numbers.
const (
	KindCase       = syncproto.KindNumber(10)
	FieldCaseState = syncproto.FieldNumber(11) // open or closed: what a person may set

	caseType    = syncproto.FieldNumber(10)
	caseKind    = syncproto.FieldNumber(12)
	caseRecord  = syncproto.FieldNumber(13)
	caseField   = syncproto.FieldNumber(14)
	caseJournal = syncproto.FieldNumber(15)
	caseDots    = syncproto.FieldNumber(16)
)

// Types and states of cases.
const (
	CaseConflict = "conflict"
	CaseVoid     = "void"
	CaseHeld     = "held"
	CaseFork     = "fork"
	CaseOpposed  = "opposed"
	CaseOpen     = "open"
	CaseClosed   = "closed"
)

// doubt is what a case is about, and the changes on which it stands: none when it is gone.
type doubt struct {
	typ     string
	key     syncproto.RecordKey
	field   syncproto.FieldNumber
	journal syncproto.JournalID
	about   syncproto.Dot // of one change alone, where the rest does not name it
	dots    []syncproto.Dot
}

// id is the same wherever and however often the doubt arises.
func (d *doubt) id() syncproto.RecordID {
	parts := []string{"case", d.typ}
	for _, v := range d.values() {
		parts = append(parts, string(v.value))
	}
	if d.about != (syncproto.Dot{}) {
		parts = append(parts, d.about.String())
	}
	return syncproto.HashedID(parts...)
}

type fieldValue struct {
	field syncproto.FieldNumber
	value []byte
}

// values gives what names the doubt.
func (d *doubt) values() []fieldValue {
	out := []fieldValue{{caseKind, nil}, {caseRecord, nil}, {caseField, nil}, {caseJournal, nil}}
	if d.key.Kind != 0 {
		out[0].value, out[1].value = strconv.AppendUint(nil, uint64(d.key.Kind), 10), []byte(d.key.ID.String())
	}
	if d.field != 0 {
		out[2].value = strconv.AppendUint(nil, uint64(d.field), 10)
	}
	if d.journal != 0 {
		out[3].value = []byte(d.journal.String())
	}
	return out
}

// maxCaseDots is how many changes a case names one by one; more have a hash in their place.
const maxCaseDots = 24

func (d *doubt) dotsText() []byte {
	names := make([]string, len(d.dots))
	for i, x := range d.dots {
		names[i] = x.String()
	}
	text := strings.Join(names, " ")
	if len(names) > maxCaseDots {
		text = fmt.Sprintf("%d %s", len(names), syncproto.HashedID(text))
	}
	return []byte(text)
}

// raise notes a doubt that the change being entered began, moved or ended; its case is
// written behind the change, in the same transaction.
func (a *applier) raise(d doubt) { a.doubts = append(a.doubts, d) }

// opposed notes that c decided about d otherwise than somebody did before it.
func (a *applier) opposed(c *arrival, d syncproto.Dot) {
	a.raise(doubt{typ: CaseOpposed, key: c.change.Key(), about: d, dots: []syncproto.Dot{d, c.place.Dot()}})
}

// doubtsOf raises what differs between the doubts of a record before and after a change.
func (a *applier) doubtsOf(key syncproto.RecordKey, before, after *merge.Record) {
	class := a.classes(key.Kind)
	was, is := conflictDots(before, class), conflictDots(after, class)
	a.raiseMoved(CaseConflict, key, was, is)
	if doubtful(before) || doubtful(after) {
		a.raiseMoved(CaseVoid, key, voidDots(before), voidDots(after))
	}
}

// fieldDots are the changes on which a doubt about a field stands; ascending by field.
type fieldDots struct {
	field syncproto.FieldNumber
	dots  []syncproto.Dot
}

func (a *applier) raiseMoved(typ string, key syncproto.RecordKey, was, is []fieldDots) {
	for _, x := range is {
		i := slices.IndexFunc(was, func(w fieldDots) bool { return w.field == x.field })
		if i < 0 || !slices.Equal(was[i].dots, x.dots) {
			a.raise(doubt{typ: typ, key: key, field: x.field, dots: x.dots})
		}
	}
	for _, x := range was {
		if !slices.ContainsFunc(is, func(i fieldDots) bool { return i.field == x.field }) {
			a.raise(doubt{typ: typ, key: key, field: x.field})
		}
	}
}

func conflictDots(r *merge.Record, class merge.Classes) []fieldDots {
	if r == nil {
		return nil
	}
	var out []fieldDots
	for _, n := range r.Conflicts(class) {
		d := fieldDots{field: n}
		for _, e := range r.Field(n).Entries {
			d.dots = append(d.dots, e.Dots...)
		}
		slices.SortFunc(d.dots, syncproto.Dot.Compare)
		out = append(out, d)
	}
	return out
}

// voidDots gives the doubts about voids that still stand.
func voidDots(r *merge.Record) []fieldDots {
	if !doubtful(r) {
		return nil
	}
	var out []fieldDots
	f := r.Field(syncproto.FieldVoid)
	for _, d := range r.Doubts {
		stands := f != nil && slices.ContainsFunc(f.Entries, func(e merge.Entry) bool { return !e.Cleared && slices.Contains(e.Dots, d.Dot) })
		if !stands {
			continue
		}
		if n := len(out); n > 0 && out[n-1].field == d.Field {
			out[n-1].dots = append(out[n-1].dots, d.Dot)
		} else {
			out = append(out, fieldDots{field: d.Field, dots: []syncproto.Dot{d.Dot}})
		}
	}
	return out
}

func doubtful(r *merge.Record) bool { return r != nil && len(r.Doubts) > 0 }

// heldMoved raises what a record's queue of held changes of one journal has come to. The case
// stands on its first change: what is held behind that adds no question.
func (a *applier) heldMoved(j syncproto.JournalID, key syncproto.RecordKey, q *entrypb.HeldQueue) error {
	d := doubt{typ: CaseHeld, key: key, journal: j}
	if len(q.GetPositions()) > 0 {
		item, err := readLog(a.txn, syncproto.Position(q.Positions[0]))
		if err != nil {
			return err
		}
		d.dots = []syncproto.Dot{item.Place.Dot()}
	}
	a.raise(d)
	return nil
}

// forkOf is the doubt about a journal that has gone another way, on its tips as they are.
func forkOf(j syncproto.JournalID, t *entrypb.Tips) doubt {
	d := doubt{typ: CaseFork, journal: j}
	for _, x := range t.GetTips() {
		p := syncproto.Place{Journal: j, Seq: x.GetSeq()}
		copy(p.Hash[:], x.GetHash())
		d.dots = append(d.dots, p.Dot())
	}
	slices.SortFunc(d.dots, syncproto.Dot.Compare)
	return d
}

// unreadableHeld raises the case about a change that names no record; a drop ends it.
func (a *applier) unreadableHeld(d syncproto.Dot, ended bool) {
	x := doubt{typ: CaseHeld, journal: d.Journal, about: d}
	if !ended {
		x.dots = []syncproto.Dot{d}
	}
	a.raise(x)
}

// writeCases writes what the change just entered has raised, as changes of staff that follow
// it.
func (a *applier) writeCases(union string) error {
	doubts := a.doubts
	a.doubts = nil
	k, ok := a.kinds.Kind("case")
	if !ok || k.Number != KindCase {
		return nil // the state's kind files are older than cases
	}
	for i := range doubts {
		if err := a.writeCase(union, k.Version, &doubts[i]); err != nil {
			return fmt.Errorf("write case: %w", err)
		}
	}
	return nil
}

// writeCase opens, moves or closes a case. One that somebody closed stays closed while the
// doubt stands on the same changes.
func (a *applier) writeCase(union string, version uint32, d *doubt) error {
	key := syncproto.RecordKey{Kind: KindCase, ID: d.id()}
	before, err := readRecord(a.txn, union, key)
	if err != nil {
		return err
	}
	closed := before.Text(FieldCaseState) == CaseClosed
	var values []fieldValue
	switch {
	case len(d.dots) == 0 && (before == nil || closed && before.Text(caseDots) == ""):
		return nil
	case len(d.dots) == 0: // not closed by a person: it opens again also on the same changes
		values = []fieldValue{{FieldCaseState, []byte(CaseClosed)}, {caseDots, nil}}
	case before != nil && before.Text(caseDots) == string(d.dotsText()):
		return nil
	default:
		values = append([]fieldValue{{caseType, []byte(d.typ)}, {FieldCaseState, []byte(CaseOpen)}}, d.values()...)
		values = append(values, fieldValue{caseDots, d.dotsText()})
	}
	c := &syncproto.Change{Union: union, Kind: KindCase, ID: key.ID, KindVersion: version, Actor: caseActor, Time: a.meta.GetTime()}
	if before != nil {
		c.Base = before.Pos
	}
	for _, v := range values {
		if old, _ := before.Value(v.field); !bytes.Equal(old, v.value) {
			c.Edits = append(c.Edits, syncproto.Edit{Field: v.field, Value: v.value, Cleared: len(v.value) == 0, Overwrote: before.SeenDots(v.field, syncproto.ClassLatest)})
		}
	}
	j := StaffJournal(union, a.lineage.Newest().Random)
	prev, err := a.newestTip(union, j)
	if err != nil {
		return err
	}
	b := c.Encode(j)
	_, err = a.enter(&arrival{union: union, prev: prev, place: prev.Next(b), bytes: b, change: c, own: true}, key)
	return err
}

// caseActor stands in the changes that the centre makes by itself.
const caseActor = "centre"
