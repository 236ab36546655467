package sim

import (
	"maps"
	"slices"

	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// revoke takes some device its right.
func (w *world) revoke() error {
	if !w.dice.chance(w.habits.revoke) {
		return nil
	}
	p := one(w.dice, w.pcs)
	if p.revoked {
		return nil
	}
	_, places, err := w.centre.nodes[0].Revocable(p.id)
	if err != nil {
		return err
	}
	w.fault("revocation")
	w.revocations++
	if w.city != nil {
		w.city.revoked[p] = w.night
	}
	w.trace.line("%s revoked", p.name)
	for _, x := range w.pcs {
		x.revoked = x.revoked || string(x.id) == string(p.id)
	}
	for _, code := range slices.Sorted(maps.Keys(places)) {
		rev := &syncproto.Revocation{Device: p.id, Union: code, Places: places[code], Time: w.now.Unix(), Operator: "op", Reason: "lost"}
		e, err := ledger.EntryRevocation(session.WireRevocation(rev, w.centre.node.City.Sign(syncproto.DomainRevocation, rev.Message())))
		if err != nil {
			return err
		}
		if err := w.centre.apply(&entrypb.Revoke{Time: w.now.Unix(), Revocation: e}); err != nil {
			return w.violate("revoke: %v", err)
		}
	}
	return nil
}

// stillHeld checks that what the centre held as a revoked device's comes back as that after
// a restore when a node signed for it. What nobody but the device signed is taken as
// anybody's by a centre that has forgotten the revocation: it cannot know better.
func (o *oracle) stillHeld(w *world, it *ledger.LogItem) error {
	d := it.Place.Dot()
	c, err := syncproto.DecodeChange(it.Bytes, it.Place.Journal)
	if err == nil && c.Verb == syncproto.VerbAccept && w.centre.ownJournal(it.Union, it.Place.Journal) {
		for _, r := range c.Resolves {
			o.beyond[r.Dot] = true
		}
	}
	free, known := o.beyond[d]
	held := it.Verdict.Reason == syncproto.HeldRevoked
	if known && !free && !held && string(it.Signer) == w.centre.node.ID() {
		return w.violate("I1 %s was held as a revoked device's, and is %s (%s) at %s on a node's signature", d, it.Verdict.Kind, it.Verdict.Reason, it.Position)
	}
	o.beyond[d] = free || !held
	return nil
}
