package ledger

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// confirmSeconds is how long, by the log's time, a new life waits for the devices that may
// have something to send again: 14 days.
const confirmSeconds = 14 * 24 * 3600

// Unconfirmed gives the unions of which a device may still send again what the newest life of
// the centre lacks: one that is not revoked, and has not said in this life that both ends
// were equal, which it says only when nothing is left to send again. A centre that forgot
// cannot know who has a receipt above its base, so all are waited for, up to 14 days. A first
// life lacks nothing.
func (l *Ledger) Unconfirmed() (map[string]bool, error) {
	own, err := l.Generation()
	if err != nil || len(l.lives()) < 2 || l.Time() >= own.GetTime()+confirmSeconds {
		return nil, err
	}
	life := uint16(own.GetNumber())
	r := l.read()
	defer r.done()
	out := map[string]bool{}
	err = eachMessage(r.txn, []byte{prefixDevice}, func(k, v []byte) error {
		d := new(entrypb.Device)
		if err := proto.Unmarshal(v, d); err != nil {
			return fmt.Errorf("read device: %w", err)
		}
		for _, union := range d.GetUnions() {
			if RevokedIn(d, union) || out[union] {
				continue
			}
			s := new(entrypb.ContactState)
			if _, err := getMessage(r.txn, keyContact(union, k[1:]), s); err != nil {
				return err
			}
			if syncproto.Position(s.GetLast().GetProvedCursor()).Generation() != life {
				out[union] = true
			}
		}
		return nil
	})
	return out, err
}

// OpenedAbove reports whether an open case was opened above the base of the newest life: by
// what was sent again, or by what has come since. What stood there before is not of it.
func (v *View) OpenedAbove(c *Case) (bool, error) {
	life := new(entrypb.Generation)
	if _, err := getMessage(v.r.txn, keyGeneration(v.Head().Generation()), life); err != nil {
		return false, err
	}
	begun := syncproto.MakePosition(v.Head().Generation(), life.GetMoved())
	for _, d := range c.opened {
		item, err := v.At(d)
		if err != nil || item != nil && item.Position <= begun {
			return false, err
		}
	}
	return !c.Closed, nil
}
