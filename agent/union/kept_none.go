package union

import (
	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// Receipt implements [session.Journal].
func (o OwnChanges) Receipt(syncproto.Lineage) (syncproto.Place, error) {
	p, _, err := o.u.NewestReceipt()
	return p, err
}

// Stale implements [session.Keeper].
func (o OwnChanges) Stale(syncproto.Lineage) ([]session.Kept, error) { return nil, nil }

// Kept implements [session.Keeper].
func (o OwnChanges) Kept(syncproto.Dot) (k session.Kept, ok bool, err error) { return k, false, nil }

// Archived implements [session.Keeper].
func (o OwnChanges) Archived(syncproto.Position, syncproto.Lineage) ([]syncproto.Dot, error) {
	return nil, nil
}

// Certificate implements [session.Keeper].
func (o OwnChanges) Certificate([]byte) ([]byte, error) { return nil, nil }
