package sim

import (
	"slices"

	"unionsync/syncproto"
)

// silent is a centre that went back without saying so, as a virtual machine does that is put
// back to a snapshot: no entry, positions given a second time. Operators find out some nights
// later, by the alarms of the PCs, and restore a backup that is not newer.
type silent struct {
	since syncproto.Position // the head that it went back to
	until int                // the night of the restore
}

// goBackSilently puts the centre back to an older state of its own life.
func (w *world) goBackSilently() error {
	if w.silent != nil || !w.dice.chance(w.habits.silent) {
		return nil
	}
	var of []backup
	for _, b := range w.centre.archive.offered {
		if b.head.Generation() == w.centre.head().Generation() && b.head < w.centre.head() {
			of = append(of, b)
		}
	}
	if len(of) == 0 {
		return nil
	}
	b := one(w.dice, of)
	w.fault("centre went back silently")
	if err := w.centre.restore(b); err != nil {
		return err
	}
	// Backups above are of the same life and say nothing of what is there now.
	w.centre.archive.offered = slices.DeleteFunc(w.centre.archive.offered, func(x backup) bool {
		return x.head.Generation() == b.head.Generation() && x.head > b.head
	})
	w.troubled = true
	w.silent = &silent{since: b.head, until: w.night + w.dice.between(1, 12)}
	return nil
}

// repair restores the centre once people have found out.
func (w *world) repair(now bool) error {
	if w.silent == nil || !now && w.night < w.silent.until {
		return nil
	}
	c := w.centre
	c.archive.offered = slices.DeleteFunc(c.archive.offered, func(b backup) bool {
		return b.head.Generation() == w.silent.since.Generation() && b.head > w.silent.since
	})
	b := one(w.dice, c.archive.offered)
	w.silent = nil
	w.fault("restore")
	if err := c.restore(b); err != nil {
		return err
	}
	return c.begin(b.head, c.archive.lives)
}

// forgotten reports whether this PC holds a receipt for what the centre has forgotten
// silently, of the same life.
func (s *seat) forgotten() bool {
	if s.pc.w.silent == nil {
		return false
	}
	place, r, err := s.u.NewestReceipt()
	if err != nil || place.Seq == 0 || syncproto.Position(r.GetPosition()).Generation() != s.pc.w.centre.head().Generation() {
		return false
	}
	v := s.pc.w.centre.nodes[0].View(s.union)
	defer v.Done()
	tips, err := v.Tips(place.Journal)
	if err != nil {
		return false
	}
	_, _, ok, err := v.Find(place.Journal, place.Seq, place.Hash.Wire())
	return err == nil && !ok && len(tips) <= 1
}
