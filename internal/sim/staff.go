package sim

import (
	"fmt"

	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// atTheCentre is what staff and operators do in a night.
func (w *world) atTheCentre() error {
	if w.dice.chance(w.habits.staff) {
		if err := w.staffEdit(); err != nil {
			return err
		}
	}
	if w.dice.chance(w.habits.accept) {
		if err := w.staffDecide(); err != nil {
			return err
		}
	}
	if err := w.goBackSilently(); err != nil {
		return err
	}
	if w.silent != nil {
		return w.repair(false)
	}
	return w.operate()
}

// staffDecide accepts or drops some held changes to one record, also such that have been
// decided about, or have not come yet; or it settles the conflicts of a record.
func (w *world) staffDecide() error {
	code := one(w.dice, w.codes)
	var of []*saved
	for _, d := range w.oracle.holding[code] {
		of = append(of, w.oracle.saved[d])
	}
	if len(of) == 0 || w.dice.chance(0.4) {
		return w.staffSettle(code)
	}
	first := of[len(of)-1-w.dice.IntN(min(len(of), 6))].change
	c := &entrypb.StaffChange{Union: code, Kind: uint32(first.Kind), Id: first.ID[:], KindVersion: first.KindVersion, Verb: uint32(w.dice.between(1, 2))}
	for _, x := range of {
		if x.change.Key() == first.Key() && (len(c.Resolves) == 0 || w.dice.chance(0.6)) {
			c.Resolves = append(c.Resolves, wireDot(0, x.place.Dot()))
		}
	}
	w.note("staff decision")
	return w.staff(c)
}

func wireDot(n syncproto.FieldNumber, d syncproto.Dot) *entrypb.FieldDot {
	return &entrypb.FieldDot{Field: uint32(n), Journal: uint64(d.Journal), Seq: d.Seq, Tag: d.Tag}
}

// staffSettle decides every conflict of some record by one of the values that stand.
func (w *world) staffSettle(code string) error {
	known := w.oracle.records[code]
	if len(known) == 0 {
		return nil
	}
	v := w.centre.nodes[0].View(code)
	defer v.Done()
	for range 5 {
		r := one(w.dice, known)
		k, err := w.kinds.Find(r.kind)
		if err != nil {
			return err
		}
		rec, err := v.Read(syncproto.RecordKey{Kind: k.Number, ID: r.id})
		if err != nil {
			return err
		}
		c := &entrypb.StaffChange{Union: code, Kind: uint32(k.Number), Id: r.id[:], KindVersion: k.Version}
		for n, f := range naiveOf(rec).ask(k) {
			c.Fields = append(c.Fields, &entrypb.FieldValue{Field: uint32(n), Value: []byte(one(w.dice, f.values).value)})
			for _, x := range f.values {
				for _, d := range x.dots {
					c.Resolves = append(c.Resolves, wireDot(n, d))
				}
			}
		}
		if len(c.Fields) > 0 {
			w.note("staff settles")
			return w.staff(c)
		}
	}
	return nil
}

// staffEdit sets a field of some record at the centre.
func (w *world) staffEdit() error {
	code := one(w.dice, w.codes)
	known := w.oracle.records[code]
	if len(known) == 0 {
		return nil
	}
	r := one(w.dice, known)
	if r.kind != "member" {
		return nil
	}
	k, err := w.kinds.Find(r.kind)
	if err != nil {
		return err
	}
	name := one(w.dice, []string{"name", "employer", "department", "remark"})
	c := &entrypb.StaffChange{Union: code, Kind: uint32(k.Number), Id: r.id[:], KindVersion: k.Version,
		Fields: []*entrypb.FieldValue{{Field: uint32(field(k, name)), Value: fmt.Appendf(nil, "市总%d", w.dice.IntN(3))}}}
	return w.staff(c)
}

func (w *world) staff(changes ...*entrypb.StaffChange) error {
	err := w.centre.apply(&entrypb.Staff{Time: w.now.Unix(), Actor: "市总", Node: "n1", Changes: changes})
	w.trace.line("staff %d changes, head %s, %d", len(changes), w.centre.head(), syncproto.CodeOf(err))
	w.note("staff")
	if err != nil {
		return w.violate("staff: %v", err)
	}
	return nil
}

// head is the newest position.
func (c *centre) head() syncproto.Position { return c.nodes[0].Head() }

// ownJournal reports whether a journal is the centre's own for a union, of any of its lives.
func (c *centre) ownJournal(union string, j syncproto.JournalID) bool {
	return ledger.IsStaffJournal(c.everyLife(), union, j)
}
