package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// Bounds of what is taken in, held, from a revoked device. Beyond, it is refused.
const (
	revokedChanges = 2000
	revokedBytes   = 4 << 20
)

// revoke takes a device its right in one union. The first revocation of a union stands;
// the device may be one that this state does not know, as after a restore. It gets a
// position, so that an agent hears of it once, with the page that goes past it.
func (a *applier) revoke(m *entrypb.Revoke) (any, error) {
	a.raiseTime(m.GetTime())
	rev, err := readRevocation(m.GetRevocation())
	if err != nil {
		return syncproto.Fail(syncproto.CodeInvalid, "revoke device", err, "what", "revocation"), nil
	}
	key := keyNamed(prefixDevice, rev.Device)
	d := new(entrypb.Device)
	if _, err := getMessage(a.txn, key, d); err != nil {
		return nil, err
	}
	if RevokedIn(d, rev.Union) {
		return cloneOf(d), nil
	}
	d.Revoked = true
	if d.Revocation == nil {
		d.Revocation = &entrypb.Revocation{Device: rev.Device, Time: rev.Time, Operator: rev.Operator, Reason: rev.Reason}
	}
	d.Revocation.Places = append(d.Revocation.Places, m.GetRevocation().GetPlaces()...)
	if err := a.setMessage(key, d); err != nil {
		return nil, err
	}
	for _, p := range rev.Places {
		if err := a.set(keyRevokedJournal(rev.Union, p.Journal), rev.Device); err != nil {
			return nil, err
		}
	}
	if err := a.setMessage(keyRevocation(rev.Union, a.advance()), m.GetRevocation()); err != nil {
		return nil, err
	}
	return cloneOf(d), nil
}

// RevokedIn reports whether a device's revocation speaks of a union.
func RevokedIn(d *entrypb.Device, union string) bool {
	for _, p := range d.GetRevocation().GetPlaces() {
		if p.GetUnion() == union {
			return true
		}
	}
	return false
}

func readRevocation(m *entrypb.Revocation) (*syncproto.Revocation, error) {
	w, err := WireRevocation(m)
	if err != nil {
		return nil, err
	}
	return session.ReadRevocation(w)
}

// WireRevocation is a stored revocation as it travels; the two have the same bytes.
func WireRevocation(m *entrypb.Revocation) (*syncpb.Revocation, error) {
	return recode(m, new(syncpb.Revocation))
}

// EntryRevocation is a revocation that came as it is stored.
func EntryRevocation(m *syncpb.Revocation) (*entrypb.Revocation, error) {
	return recode(m, new(entrypb.Revocation))
}

func recode[To proto.Message](from proto.Message, to To) (To, error) {
	b, err := proto.Marshal(from)
	if err == nil {
		err = proto.Unmarshal(b, to)
	}
	if err != nil {
		return to, fmt.Errorf("read revocation: %w", err)
	}
	return to, nil
}

// keyRevocation is where the revocations of a union's devices stand, in order of position.
func keyRevocation(union string, p syncproto.Position) []byte {
	return binary.BigEndian.AppendUint64(keyUnion(prefixRevocation, union), uint64(p))
}

// keyRevokedJournal names the revoked device that signed for a journal.
func keyRevokedJournal(union string, j syncproto.JournalID) []byte {
	return binary.BigEndian.AppendUint64(keyUnion(prefixRevokedJournal, union), uint64(j))
}

// revoked gives the revoked device that answers for a segment, nil if none does: the one
// that signed it, or, where a node signed in the middle of a run, the one that signed for
// the journal before. What another device signs is that device's.
func (a *applier) revoked(union string, j syncproto.JournalID, signer []byte) (id []byte, d *entrypb.Device, err error) {
	d = new(entrypb.Device)
	known, err := getMessage(a.txn, keyNamed(prefixDevice, signer), d)
	switch {
	case err != nil:
		return nil, nil, err
	case known && d.GetRevoked():
		return signer, d, nil
	case known:
		return nil, nil, a.noteSigner(signer, union, j)
	}
	if id, err = getBytes(a.txn, keyRevokedJournal(union, j)); err != nil || id == nil {
		return nil, nil, err
	}
	_, err = getMessage(a.txn, keyNamed(prefixDevice, id), d)
	return id, d, err
}

// beyond says from which change of a segment on a revoked device answers for what is held.
type beyond struct {
	from   int    // index of the first change that is held; the number of changes: none is
	device []byte // the revoked device
}

// beyondRights looks for a revoked device behind a segment. What is new here is beyond the
// last accepted places, unless such a place is itself not here yet, as after a restore:
// then what leads up to it is normal. The code says that the device's quota is full.
func (a *applier) beyondRights(union string, signer []byte, places []syncproto.Place, changes [][]byte) (beyond, syncproto.Code, error) {
	id, d, err := a.revoked(union, places[0].Journal, signer)
	if err != nil || d == nil {
		return beyond{from: len(places)}, 0, err
	}
	out := beyond{device: id}
	for _, p := range d.GetRevocation().GetPlaces() {
		n, err := a.leadsTo(union, p, places)
		if err != nil {
			return out, 0, err
		}
		out.from = max(out.from, n)
	}
	for i := out.from; i < len(places); i++ {
		_, _, known, err := find(a.txn, places[i].Journal, places[i].Seq, places[i].Hash[:])
		if err != nil {
			return out, 0, err
		}
		if !known {
			d.HeldChanges, d.HeldBytes = d.HeldChanges+1, d.HeldBytes+uint64(len(changes[i]))
		}
	}
	if d.HeldChanges > revokedChanges || d.HeldBytes > revokedBytes {
		return out, syncproto.CodeDeviceRevoked, nil
	}
	return out, 0, nil
}

// countRevoked counts a change against a revoked device's quota, in the transaction that
// the change itself is in: an entry that comes again after a crash counts none twice.
func (a *applier) countRevoked(c *arrival) error {
	if c.revoked == nil {
		return nil
	}
	key, d := keyNamed(prefixDevice, c.revoked), new(entrypb.Device)
	if _, err := getMessage(a.txn, key, d); err != nil {
		return err
	}
	d.HeldChanges, d.HeldBytes = d.HeldChanges+1, d.HeldBytes+uint64(len(c.bytes))
	return a.setMessage(key, d)
}

// leadsTo gives how many of places may stand at or before the accepted place p.
func (a *applier) leadsTo(union string, p *entrypb.RevokedPlace, places []syncproto.Place) (int, error) {
	first := places[0]
	if p.GetUnion() != union || p.GetJournal() != uint64(first.Journal) || p.GetSeq() < first.Seq {
		return 0, nil
	}
	_, _, here, err := find(a.txn, first.Journal, p.GetSeq(), p.GetHash())
	if err != nil || here {
		return 0, err
	}
	n := p.GetSeq() - first.Seq + 1
	if n > uint64(len(places)) {
		return len(places), nil
	}
	if !bytes.Equal(places[n-1].Hash[:], p.GetHash()) {
		return 0, nil // another branch
	}
	return int(n), nil
}

// Revocable gives a device and, for each of its unions, the places that a revocation now
// would name: the tips of the journals that the device has signed for. It is nil if the
// device is not known.
func (l *Ledger) Revocable(id []byte) (*entrypb.Device, map[string][]syncproto.Place, error) {
	r := l.read()
	defer r.done()
	d := new(entrypb.Device)
	if ok, err := getMessage(r.txn, keyNamed(prefixDevice, id), d); err != nil || !ok {
		return nil, nil, err
	}
	places := map[string][]syncproto.Place{}
	for _, u := range d.GetUnions() {
		places[u] = nil
	}
	prefix := keySignedBy(id)
	err := eachMessage(r.txn, prefix, func(k, _ []byte) error {
		union, rest, err := unionOf(k[len(prefix)-1:]) // a byte, the union's length, its code
		if err == nil && len(rest) != 8 {
			err = fmt.Errorf("a journal of %d bytes", len(rest))
		}
		if err != nil {
			return fmt.Errorf("read journals of a device: %w", err)
		}
		j := syncproto.JournalID(binary.BigEndian.Uint64(rest))
		t := new(entrypb.Tips)
		if _, err := getMessage(r.txn, keyTips(union, j), t); err != nil {
			return err
		}
		for _, x := range t.GetTips() {
			p := syncproto.Place{Journal: j, Seq: x.GetSeq()}
			copy(p.Hash[:], x.GetHash())
			places[union] = append(places[union], p)
		}
		return nil
	})
	return d, places, err
}

// Revocations gives the revocations of the union's devices in (after, upTo], in order.
func (v *View) Revocations(after, upTo syncproto.Position) ([]*entrypb.Revocation, error) {
	var out []*entrypb.Revocation
	prefix := keyUnion(prefixRevocation, v.union)
	err := eachMessage(v.r.txn, prefix, func(k, b []byte) error {
		p, err := decodePosition(k[len(prefix):])
		if err != nil || p <= after || p > upTo {
			return err
		}
		m := new(entrypb.Revocation)
		out = append(out, m)
		return proto.Unmarshal(b, m)
	})
	if err != nil {
		return nil, fmt.Errorf("read revocations: %w", err)
	}
	return out, nil
}
