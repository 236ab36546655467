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
	return w.operate()
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
	_, err := w.centre.apply(&entrypb.Staff{Time: w.now.Unix(), Actor: "市总", Node: "n1", Changes: changes})
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
