package ledger

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
)

// confirmSeconds is how long, by the log's time, a new life waits for the devices that may
// have something to send again before people are asked all the same: 14 days.
const confirmSeconds = 14 * 24 * 3600

// Reconfirming says of which unions the newest life of the centre may still lack something
// that a device has.
type Reconfirming struct {
	Life   uint16          // the newest life; 0: it is the first one, which lacks nothing
	Began  int64           // when it began, by the log's time, Unix seconds; 0: not known
	Unions map[string]bool // by code; those that are confirmed are not in it
}

// Reconfirming gives the unions of which a device may still send again what the newest life
// of the centre lacks: one that was there before, is not revoked, and has not said in this
// life that both ends were equal, which it says only when nothing is left to send again. A
// centre that forgot cannot know who has a receipt above its base, so all are waited for; a
// device that a code made one in this very life has nothing of another. There is no end by
// the clock: what counts is what the devices have said.
func (l *Ledger) Reconfirming() (out Reconfirming, err error) {
	own, err := l.Generation()
	if err != nil || len(l.lives()) < 2 {
		return out, err
	}
	out = Reconfirming{Life: uint16(own.GetNumber()), Began: own.GetTime(), Unions: map[string]bool{}}
	r := l.read()
	defer r.done()
	err = eachMessage(r.txn, []byte{prefixDevice}, func(k, v []byte) error {
		d := new(entrypb.Device)
		if err := proto.Unmarshal(v, d); err != nil {
			return fmt.Errorf("read device: %w", err)
		}
		if d.GetLife() == own.GetNumber() {
			return nil
		}
		for _, union := range d.GetUnions() {
			if RevokedIn(d, union) || out.Unions[union] {
				continue
			}
			s := new(entrypb.ContactState)
			if _, err := getMessage(r.txn, keyContact(union, k[1:]), s); err != nil {
				return err
			}
			if s.GetEqualIn() != own.GetNumber() {
				out.Unions[union] = true
			}
		}
		return nil
	})
	return out, err
}

// Unconfirmed gives the unions whose cases people are not asked about yet, because what is sent
// again may settle them, or settled them before: those of [Ledger.Reconfirming], up to 14 days. A person who
// is asked in vain is better than one who is never asked.
func (l *Ledger) Unconfirmed() (map[string]bool, error) {
	r, err := l.Reconfirming()
	if err != nil || l.Time() >= r.Began+confirmSeconds {
		return nil, err
	}
	return r.Unions, nil
}
