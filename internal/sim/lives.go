package sim

import (
	"bytes"
	"fmt"

	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// backup is a state of the centre that is offered for restore.
type backup struct {
	head  syncproto.Position
	state []byte
	index uint64
}

// archive is what stands outside the centre: backups, and every life that ever began.
type archive struct {
	offered []backup
	lives   []*entrypb.Generation
}

const maxBackups = 6

// operate is what operators do in a night: backups, old ones dropped, restores.
func (w *world) operate() error {
	h, d := w.habits, w.dice
	if d.chance(h.backup) {
		if err := w.centre.backUp(); err != nil {
			return err
		}
	}
	if n := len(w.centre.archive.offered); n > maxBackups || n > 1 && d.chance(h.backup/2) {
		w.centre.archive.offered = w.centre.archive.offered[1:]
		if err := w.centre.mark(); err != nil {
			return err
		}
	}
	for d.chance(h.restore) { // twice in a row at times
		if err := w.aDisaster(); err != nil {
			return err
		}
	}
	return nil
}

// aDisaster restores the centre from one of the backups, or has it recovered by force.
func (w *world) aDisaster() error {
	c := w.centre
	if w.dice.chance(0.2) {
		w.fault("forced recovery")
		return c.begin(c.head(), c.archive.lives)
	}
	if len(c.archive.offered) == 0 {
		return nil
	}
	b := one(w.dice, c.archive.offered)
	known := c.archive.lives
	if w.dice.chance(w.habits.amnesia) {
		known = nil // the operator looks at the backup alone
		w.fault("restore without the list of lives")
	}
	w.fault("restore")
	if err := c.restore(b); err != nil {
		return err
	}
	return c.begin(b.head, known)
}

func (c *centre) backUp() error {
	var b bytes.Buffer
	if err := c.snapshot(0, &b); err != nil {
		return err
	}
	c.archive.offered = append(c.archive.offered, backup{head: c.head(), state: b.Bytes(), index: c.index})
	c.w.trace.line("backup at %s", c.head())
	return nil
}

// mark tells the centre up to where every backup that is offered has the log.
func (c *centre) mark() error {
	if len(c.archive.offered) == 0 {
		return nil
	}
	low := c.archive.offered[0].head
	for _, b := range c.archive.offered[1:] {
		low = common(c.archive.lives, low, b.head)
	}
	c.w.trace.line("watermark %s", low)
	err := c.apply(&entrypb.Watermark{Time: c.w.now.Unix(), Position: uint64(low)})
	return err
}

// common gives the newest position that the logs up to two positions have in common.
func common(lives []*entrypb.Generation, a, b syncproto.Position) syncproto.Position {
	best, other := syncproto.Position(0), past(lives, b)
	for generation, end := range past(lives, a) {
		if theirs, ok := other[generation]; ok {
			best = max(best, min(end, theirs))
		}
	}
	return best
}

// past says what a log up to a position surely consists of: of each life its last position
// there. Of two lives of one number it counts what both went back to.
func past(lives []*entrypb.Generation, end syncproto.Position) map[uint16]syncproto.Position {
	out := map[uint16]syncproto.Position{}
	if end == 0 {
		return out
	}
	first := true
	for _, g := range lives {
		if uint16(g.GetNumber()) != end.Generation() {
			continue
		}
		one := past(lives, syncproto.Position(g.GetBase()))
		if first {
			out, first = one, false
			continue
		}
		for n, p := range out {
			if other, ok := one[n]; ok {
				out[n] = min(p, other)
			} else {
				delete(out, n)
			}
		}
	}
	out[end.Generation()] = end
	return out
}

// everyLife is the lineage as the archive knows it.
func (c *centre) everyLife() (l syncproto.Lineage) {
	for _, g := range c.archive.lives {
		l, _ = l.With(ledger.Generation(g))
	}
	return l
}

// restore puts a backup in place of the centre's state.
func (c *centre) restore(b backup) error {
	c.w.trace.line("restore from %s", b.head)
	if c.count != nil {
		c.count.stop()
		c.count = nil
	}
	for i, l := range c.nodes {
		if err := l.Close(); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		var err error
		if c.nodes[i], err = ledger.OpenFrom(ledger.Config{Memory: true, Log: discard}, bytes.NewReader(b.state)); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	c.index = b.index
	if err := c.openGate(); err != nil {
		return err
	}
	return c.w.newCounting()
}

// begin begins another life of the centre. Known are the lives that the operator has on
// his list beside those in the state.
func (c *centre) begin(base syncproto.Position, known []*entrypb.Generation) error {
	lives, err := c.nodes[0].Lineage()
	if err != nil {
		return err
	}
	own, err := c.nodes[0].Generations()
	if err != nil {
		return err
	}
	log := past(own, base)
	e := &entrypb.NewGeneration{Time: c.w.now.Unix()}
	for _, g := range known {
		var fresh bool
		if lives, fresh = lives.With(ledger.Generation(g)); fresh {
			e.Learned = append(e.Learned, g)
		}
	}
	for _, x := range own { // a number given twice: what stands there is not certain
		end, ok := log[uint16(x.GetNumber())]
		if ok && end > syncproto.Position(x.GetBase()) && twins(lives, uint16(x.GetNumber())) {
			base = min(base, syncproto.Position(x.GetBase()))
		}
	}
	g := syncproto.Generation{Number: lives.Newest().Number + 1, Random: c.w.dice.Uint64(), Base: base, Operator: "op", Reason: "restore"}
	e.Next = c.entryOf(g)
	c.w.trace.line("life %d/%x begins at %s, %d known", g.Number, g.Random, base, len(known))
	if err := c.apply(e); err != nil {
		return err
	}
	if err := c.w.publishAgain(); err != nil {
		return err
	}
	return c.mark()
}

// entryOf signs a life of the centre.
func (c *centre) entryOf(g syncproto.Generation) *entrypb.Generation {
	return &entrypb.Generation{Number: uint32(g.Number), Random: g.Random, Base: uint64(g.Base), Operator: g.Operator, Reason: g.Reason,
		Signature: c.node.City.Sign(syncproto.DomainGeneration, g.Message())}
}

// logLives keeps every life that began in the archive, also one that the gate began because
// an agent knew more.
func (c *centre) logLives() error {
	all, err := c.nodes[0].Generations()
	if err != nil {
		return err
	}
	have := c.everyLife()
	for _, g := range all {
		if _, ok := have.Find(uint16(g.GetNumber()), g.GetRandom()); !ok {
			c.archive.lives = append(c.archive.lives, g)
			c.lives++
		}
	}
	return nil
}

// lineage is every life of the centre that it knows of.
func (c *centre) lineage() syncproto.Lineage {
	l, err := c.nodes[0].Lineage()
	if err != nil {
		return nil
	}
	return l
}

// standsBy reports whether the centre knows the life that gave a receipt, not another one of
// its number, and every later life kept the position.
func (c *centre) standsBy(r receipt) bool {
	lives := c.lineage()
	_, known := lives.Find(r.life.Number, r.life.Random)
	return known && lives.Holds(r.position)
}

// twins reports whether two lives have a number.
func twins(lives syncproto.Lineage, number uint16) bool {
	n := 0
	for _, g := range lives {
		if g.Number == number {
			n++
		}
	}
	return n > 1
}
