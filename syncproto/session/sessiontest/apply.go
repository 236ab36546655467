package sessiontest

import (
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// change gives a change its verdict: the stored one if it is here, else a new position.
func (c *Centre) change(l *logged) (syncproto.Verdict, syncproto.RecordKey) {
	if len(l.bytes) > 0 {
		if ch, err := syncproto.DecodeChange(l.bytes, l.place.Journal); err == nil {
			l.change, l.key = ch, ch.Key()
		}
	}
	if _, v, ok, _ := c.Find(l.place.Journal, l.place.Seq, l.place.Hash.Wire()); ok {
		return v, l.key
	}
	c.count++
	l.verdict = syncproto.Verdict{Position: c.Head(), Kind: syncproto.VerdictHeld, Reason: syncproto.HeldLost}
	if l.change != nil {
		l.verdict.Kind, l.verdict.Reason = c.settle(l)
		r := merge.Record{}
		if before := c.records[l.key]; before != nil {
			r = *before
		}
		r.Pos = l.verdict.Position
		c.records[l.key] = &r
	}
	l.verdict.Hash = merge.ShortHash(l.key, c.records[l.key])
	c.log = append(c.log, *l)
	return l.verdict, l.key
}

// settle decides what a readable change does to its record.
func (c *Centre) settle(l *logged) (syncproto.VerdictKind, syncproto.HeldReason) {
	hk := heldKey{journal: l.place.Journal, record: l.key}
	reason := c.Hold(l.change)
	d, decided := c.decided[l.place.Dot()]
	switch {
	case l.change.EndsHold():
		c.decide(l)
		return syncproto.VerdictApplied, syncproto.HeldNot
	case decided:
		c.decided[l.place.Dot()] = decision{verb: d.verb, done: true}
		if d.verb == syncproto.VerbDrop {
			return syncproto.VerdictDropped, syncproto.HeldNot
		}
		return c.merge(l, l.verdict.Position), syncproto.HeldNot
	case reason == syncproto.HeldNot && len(c.held[hk]) > 0:
		reason = syncproto.HeldBehind
	}
	if reason != syncproto.HeldNot {
		l.verdict.Reason = reason
		c.held[hk] = append(c.held[hk], *l)
		return syncproto.VerdictHeld, reason
	}
	return c.merge(l, l.verdict.Position), syncproto.HeldNot
}

func (c *Centre) merge(l *logged, p syncproto.Position) syncproto.VerdictKind {
	after, res := merge.Merge(c.Class(l.key.Kind), c.records[l.key], l.change, l.place.Dot(), p)
	c.records[l.key] = after
	return res.Kind
}

// decide carries a decision out: what it names leaves its queue, and what was held for
// being behind follows when nothing held stands before it any more.
func (c *Centre) decide(l *logged) {
	p := l.verdict.Position
	var queues []heldKey
	for _, r := range l.change.Resolves {
		hk := heldKey{journal: r.Dot.Journal, record: l.key}
		i := slices.IndexFunc(c.held[hk], func(h logged) bool { return h.place.Dot() == r.Dot })
		switch _, before := c.decided[r.Dot]; {
		case r.Field != 0 || before:
		case i < 0 && c.knows(r.Dot): // it is not held any more: nothing to decide
		case i < 0:
			c.decided[r.Dot] = decision{verb: l.change.Verb}
		default:
			h := c.held[hk][i]
			c.held[hk] = slices.Delete(slices.Clone(c.held[hk]), i, i+1)
			c.decided[r.Dot] = decision{verb: l.change.Verb, done: true}
			queues = append(queues, hk)
			if l.change.Verb == syncproto.VerbAccept {
				c.merge(&h, p)
			}
		}
	}
	for _, hk := range queues {
		for len(c.held[hk]) > 0 && c.held[hk][0].verdict.Reason == syncproto.HeldBehind {
			c.merge(&c.held[hk][0], p)
			c.held[hk] = c.held[hk][1:]
		}
	}
}

func (c *Centre) knows(d syncproto.Dot) bool {
	return slices.ContainsFunc(c.log, func(l logged) bool { return l.place.Dot() == d })
}

// Held gives the dots that are held and not decided about.
func (c *Centre) Held(j syncproto.JournalID, key syncproto.RecordKey) []syncproto.Dot {
	var out []syncproto.Dot
	for _, l := range c.held[heldKey{journal: j, record: key}] {
		out = append(out, l.place.Dot())
	}
	return out
}

// AllHeld gives every dot that is held, and AllDropped every one that was dropped.
func (c *Centre) AllHeld() map[syncproto.Dot]bool {
	out := map[syncproto.Dot]bool{}
	for _, q := range c.held {
		for _, l := range q {
			out[l.place.Dot()] = true
		}
	}
	return out
}

// AllDropped gives every dot that was dropped.
func (c *Centre) AllDropped() map[syncproto.Dot]bool {
	out := map[syncproto.Dot]bool{}
	for d, x := range c.decided {
		if x.done && x.verb == syncproto.VerbDrop {
			out[d] = true
		}
	}
	return out
}

// Staff makes a change at the centre, in the journal of this life, and gives it as made.
func (c *Centre) Staff(ch syncproto.Change) (syncproto.Dot, *syncproto.Change) {
	j := syncproto.JournalID(0xcc00000000000000 | c.Lineage.Newest().Random)
	prev := syncproto.Place{Journal: j}
	tips, _ := c.Tips(j)
	for _, t := range tips {
		if t.Seq >= prev.Seq {
			prev = t
		}
	}
	seen := c.records[ch.Key()]
	for i := range ch.Edits {
		if e := &ch.Edits[i]; !e.IsSet() && e.Overwrote == nil {
			e.Overwrote = seen.SeenDots(e.Field, c.Class(ch.Kind)(e.Field))
		}
	}
	if seen != nil {
		ch.Base = seen.Pos
	}
	b := ch.Encode(j)
	l := logged{place: prev.Next(b), prev: prev, bytes: b}
	c.change(&l)
	return l.place.Dot(), l.change
}
