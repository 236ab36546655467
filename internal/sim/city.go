package sim

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"unionsync/agent/union"
	"unionsync/server/ledger"
	"unionsync/syncproto"
)

// A city is a world of another shape: many unions with two PCs each at one centre, a backup
// after a week, a second week, and then the loss of the centre. It is restored from last
// week's backup, with or without what was streamed since, while the clerks go on. Nobody is
// to be asked about what was decided, and counts are to be marked for just the unions of
// which a PC has not come.

// week is how many nights lie between what happens in a city.
const week = 7

// city is what is remembered of a city beside what every world remembers.
type city struct {
	log     []entry
	open    map[string]string         // by union and case: the changes on which it last stood open
	decided map[string]string         // the same of those that were closed, by what somebody has, when the centre was lost
	told    map[*seat]map[string]bool // decided cases that the seat knew to be decided
	said    map[string]bool           // PCs that have told the newest life, of a union, that both ends are equal
	heard   map[*seat]int             // the newest night before the loss in which an exchange ended complete
	revoked map[*pc]int               // the night in which it was
}

// entry is one entry of the centre's log, as it is streamed.
type entry struct {
	index uint64
	bytes []byte
}

// calm leaves out what takes away what only one PC has, and disasters that are not this one:
// that is for the other worlds.
func (h *habits) calm() {
	h.exchange, h.off, h.staff, h.accept = 0.8, 0.1, 1, 1
	h.image, h.damage, h.backup, h.restore, h.silent, h.amnesia, h.ruin, h.bundle, h.carry = 0, 0, 0, 0, 0, 0, 0, 0, 0
	h.newcomer, h.revoke, h.hold = 0.6, 0.3, max(h.hold, 0.05)
}

// playCity plays three weeks of a city.
func (w *world) playCity() error {
	w.habits.calm()
	w.city = &city{open: map[string]string{}, decided: map[string]string{}, told: map[*seat]map[string]bool{},
		said: map[string]bool{}, heard: map[*seat]int{}, revoked: map[*pc]int{}}
	if err := w.found(); err != nil {
		return err
	}
	for w.night = 1; w.night <= 3*week; w.night++ {
		w.now = w.now.AddDate(0, 0, 1)
		if err := w.cityNight(); err != nil {
			return err
		}
	}
	w.night--
	if err := w.rest(); err != nil {
		return err
	}
	return w.checkRestored()
}

func (w *world) cityNight() error {
	if err := w.aNight(); err != nil {
		return err
	}
	if err := w.centre.gate.Flush(context.Background()); err != nil {
		return err
	}
	switch {
	case w.night == week:
		return w.centre.backUp()
	case w.night == 2*week:
		return w.loseCentre()
	case w.night < 2*week:
		return w.watchCases()
	}
	return w.checkAsked()
}

// watchCases remembers on what each open case stands: when it is closed that is gone.
func (w *world) watchCases() error {
	all, err := w.centre.nodes[0].Cases("", false)
	for _, c := range all {
		w.city.open[c.Union+" "+c.ID.String()] = c.Dots
	}
	return err
}

// loseCentre restores the centre from last week's backup, and up to some entry of what was
// streamed since, or without it.
func (w *world) loseCentre() error {
	c := w.centre
	old, err := w.standing()
	if err != nil {
		return err
	}
	closed, err := c.nodes[0].Cases("", true)
	if err != nil {
		return err
	}
	b := c.archive.offered[len(c.archive.offered)-1]
	cut := b.index
	if w.dice.chance(0.5) {
		cut += uint64(w.dice.between(1, int(c.index-b.index)))
	}
	w.fault("restore into a running city")
	if err := c.restore(b); err != nil {
		return err
	}
	for _, e := range w.city.log {
		if e.index <= b.index || e.index > cut {
			continue
		}
		w.note("entry replayed")
		for _, l := range c.nodes {
			if _, err := l.Apply(e.index, e.bytes); err != nil {
				return err
			}
		}
		c.index = e.index
	}
	if err := w.rememberDecided(closed, old, c.head()); err != nil {
		return err
	}
	w.city.said = map[string]bool{}
	if err := c.begin(c.head(), c.archive.lives); err != nil {
		return err
	}
	return w.checkAsked()
}

// standing gives the log as it is: by union the changes and where they stand.
func (w *world) standing() (map[string]map[syncproto.Dot]syncproto.Position, error) {
	out := map[string]map[syncproto.Dot]syncproto.Position{}
	_, err := w.centre.nodes[0].Log(0, func(it *ledger.LogItem) error {
		if out[it.Union] == nil {
			out[it.Union] = map[syncproto.Dot]syncproto.Position{}
		}
		out[it.Union][it.Place.Dot()] = it.Position
		return nil
	})
	return out, err
}

// rememberDecided keeps the questions that were decided, of the unions of which nothing is
// lost: each change above what the centre has now is with a PC that still may send it.
func (w *world) rememberDecided(closed []ledger.Case, old map[string]map[syncproto.Dot]syncproto.Position, head syncproto.Position) error {
	has := map[string]map[syncproto.Dot]bool{}
	for _, s := range w.seats() {
		if has[s.union] == nil {
			has[s.union] = map[syncproto.Dot]bool{}
		}
		if s.pc.revoked {
			continue
		}
		for d := range s.knows() {
			has[s.union][d] = true
		}
	}
	whole := map[string]bool{}
	for code, log := range old {
		whole[code] = true
		for d, p := range log {
			whole[code] = whole[code] && (p <= head || has[code][d])
		}
	}
	for _, c := range closed {
		name := c.Union + " " + c.ID.String()
		if c.Closed && whole[c.Union] && w.city.open[name] != "" && (c.Type == ledger.CaseConflict || c.Type == ledger.CaseHeld) {
			w.city.decided[name] = w.city.open[name]
			w.note("case decided before the restore")
		}
	}
	return w.rememberTold()
}

// rememberTold notes which PCs know that a case is decided: they know what it stood on, and
// do not ask about it.
func (w *world) rememberTold() error {
	for _, s := range w.seats() {
		asks, err := s.asks()
		if err != nil {
			return err
		}
		known := s.knows()
		w.city.told[s] = map[string]bool{}
		for name, dots := range w.city.decided {
			if strings.HasPrefix(name, s.union+" ") && !sameDots(asks[name], dots) && knowsAll(known, dots) {
				w.city.told[s][name] = true
			}
		}
	}
	return nil
}

// knows gives the changes that a seat can send: its own, and others' that it was given.
func (s *seat) knows() map[syncproto.Dot]bool {
	out := map[syncproto.Dot]bool{}
	for _, d := range s.own {
		out[d] = true
	}
	for d := range s.holds {
		out[d] = true
	}
	return out
}

func knowsAll(known map[syncproto.Dot]bool, dots string) bool {
	for word := range strings.FieldsSeq(dots) {
		if d, ok := syncproto.ParseDot(word); !ok || !known[d] {
			return false
		}
	}
	return true
}

// asks gives the questions that the clerk at a seat is asked, and on what they stand.
func (s *seat) asks() (map[string]string, error) {
	all, err := s.u.Cases(context.Background())
	if err != nil {
		return nil, s.pc.w.violate("I7 %s: cases: %v", s, err)
	}
	out := map[string]string{}
	for _, c := range union.Confirmed(all) {
		if c.Kind == nil {
			continue
		}
		key := syncproto.RecordKey{Kind: c.Kind.Number, ID: c.ID}
		switch c.Type {
		case union.CaseConflict:
			var dots []syncproto.Dot
			for _, choice := range c.Choices {
				dots = append(dots, choice.Dots...)
			}
			out[s.union+" "+caseID("conflict", key, c.Field, 0, nil).String()] = dotText(dots)
		case union.CaseHeld:
			if len(c.Held) == 0 { // of another PC
				continue
			}
			d := c.Held[0].Place.Dot()
			d.Journal = s.head.Journal
			out[s.union+" "+caseID("held", key, 0, s.head.Journal, nil).String()] = dotText([]syncproto.Dot{d})
		}
	}
	return out, nil
}

func dotText(dots []syncproto.Dot) string {
	var words []string
	for _, d := range dots {
		words = append(words, d.String())
	}
	return strings.Join(words, " ")
}

// sameDots compares two lists of changes, in any order.
func sameDots(a, b string) bool {
	return slices.Equal(slices.Sorted(strings.FieldsSeq(a)), slices.Sorted(strings.FieldsSeq(b)))
}

// checkAsked: nobody is asked about what was decided before the restore, neither staff nor a
// clerk whose PC knew of the decision; and counts are marked as they must be.
func (w *world) checkAsked() error {
	l := w.centre.nodes[0]
	all, err := l.Cases("", false)
	if err != nil {
		return err
	}
	early, err := l.Unconfirmed()
	if err != nil {
		return err
	}
	for _, c := range all {
		was := w.city.decided[c.Union+" "+c.ID.String()]
		if was != "" && sameDots(was, c.Dots) && !early[c.Union] {
			return w.violate("I7 %s: staff are asked again about a %s that was decided: %s", c.Union, c.Type, c.Dots)
		}
	}
	for _, s := range w.seats() {
		if s.pc.revoked || len(w.city.told[s]) == 0 {
			continue
		}
		asks, err := s.asks()
		if err != nil {
			return err
		}
		for name, dots := range asks {
			if w.city.told[s][name] && sameDots(dots, w.city.decided[name]) {
				return w.violate("I7 %s: the clerk is asked again about what was decided: %s", s, dots)
			}
		}
	}
	return w.checkMarks()
}

// checkMarks: a union is being re-confirmed while a device of it that the centre knows, and
// that was there before this life, has not said in it that both ends are equal.
func (w *world) checkMarks() error {
	l := w.centre.nodes[0]
	got, err := l.Reconfirming()
	if err != nil {
		return err
	}
	want := map[string]bool{}
	for _, p := range w.pcs {
		d, err := l.Device(p.id)
		if err != nil {
			return err
		}
		if d == nil || p.born == got.Life {
			continue
		}
		for _, code := range d.GetUnions() {
			if !ledger.RevokedIn(d, code) && !w.city.said[p.name+" "+code] {
				want[code] = true
			}
		}
	}
	for _, code := range w.codes {
		if got.Unions[code] != want[code] {
			return w.violate("I4 counts of %s are marked as re-confirming %v, want %v", code, got.Unions[code], want[code])
		}
	}
	return nil
}

// tell takes note of what a request says of equal ends, once the centre has answered it.
func (c *city) tell(w *world, p *pc, union string, cursor syncproto.Position, digest []byte) {
	if len(digest) > 0 && cursor.Generation() == w.centre.head().Generation() {
		c.said[p.name+" "+union] = true
	}
}

// checkRestored: after peace nothing is marked any more, and a revocation of which a PC had
// heard counts again.
func (w *world) checkRestored() error {
	if err := w.checkAsked(); err != nil {
		return err
	}
	l := w.centre.nodes[0]
	r, err := l.Reconfirming()
	if err != nil {
		return err
	}
	if len(r.Unions) > 0 {
		return w.violate("I4 %d unions are re-confirmed for ever", len(r.Unions))
	}
	for _, p := range w.pcs {
		d, err := l.Device(p.id)
		if err != nil {
			return err
		}
		for _, s := range w.seats() {
			if night, ok := w.city.revoked[p]; ok && s.pc != p && !s.pc.revoked && w.city.heard[s] > night && slices.Contains(d.GetUnions(), s.union) && !ledger.RevokedIn(d, s.union) {
				return w.violate("I1 %s was revoked in night %d, %s had heard of it, and it counts for nothing", p.name, night, s)
			}
		}
	}
	return nil
}

// streamed keeps an entry as the archive does.
func (c *city) streamed(index uint64, b []byte) {
	c.log = append(c.log, entry{index, bytes.Clone(b)})
}
