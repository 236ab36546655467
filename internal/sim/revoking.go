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
		if _, err := w.centre.apply(&entrypb.Revoke{Time: w.now.Unix(), Revocation: e}); err != nil {
			return w.violate("revoke: %v", err)
		}
	}
	return nil
}
