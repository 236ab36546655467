package ledger

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// code notes a one-time enrolment code by its hash.
func (a *applier) code(c *entrypb.Code) error {
	a.raiseTime(c.GetTime())
	return a.setMessage(keyNamed(prefixCode, c.GetHash()), &entrypb.CodeState{Union: c.GetUnion(), Expires: c.GetExpires()})
}

// enrolled uses up a code. The first device to use it has it; the same device may use it
// again, as after a lost answer. What is refused is a result that all replicas come to
// alike, not an error.
func (a *applier) enrolled(e *entrypb.Enrolled) (any, error) {
	now := a.raiseTime(e.GetTime())
	key := keyNamed(prefixCode, e.GetHash())
	state := new(entrypb.CodeState)
	ok, err := getMessage(a.txn, key, state)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return syncproto.Fail(syncproto.CodeEnrolUnknown, "enrol", nil), nil
	case len(state.GetDevice()) > 0 && !bytes.Equal(state.GetDevice(), e.GetDevice()):
		return syncproto.Fail(syncproto.CodeEnrolUsed, "enrol", nil), nil
	case CodeVoid(state):
		return syncproto.Fail(syncproto.CodeEnrolVoid, "enrol", nil), nil
	case len(state.GetDevice()) == 0 && now > state.GetExpires():
		return syncproto.Fail(syncproto.CodeEnrolExpired, "enrol", nil), nil
	}
	state.Device = e.GetDevice()
	if err := a.setMessage(key, state); err != nil {
		return nil, err
	}
	return a.device(e, state.GetUnion(), now)
}

// device adds a union to a device, which is made when it is new. A known device keeps its
// key: another key under its id is refused, and so is one that was revoked.
func (a *applier) device(e *entrypb.Enrolled, union string, now int64) (any, error) {
	key := keyNamed(prefixDevice, e.GetDevice())
	d := &entrypb.Device{PublicKey: e.GetPublicKey(), Enrolled: now}
	known, err := getMessage(a.txn, key, d)
	if err != nil {
		return nil, err
	}
	if life := a.meta.GetGeneration(); !known && life > 1 {
		d.Life = life
	}
	if d.GetRevoked() {
		return syncproto.Fail(syncproto.CodeDeviceRevoked, "enrol", nil), nil
	}
	if !bytes.Equal(d.GetPublicKey(), e.GetPublicKey()) {
		return syncproto.Fail(syncproto.CodeEnrolUsed, "enrol", nil), nil
	}
	d.Certificate = e.GetCertificate()
	if !d.HasUnion(union) {
		d.Unions = append(d.Unions, union)
	}
	if err := a.setMessage(key, d); err != nil {
		return nil, err
	}
	return cloneOf(d), nil
}

// contact notes what an exchange said of the agent.
func (a *applier) contact(union string, device []byte, c *entrypb.Contact, now int64) error {
	key := keyContact(union, device)
	s := new(entrypb.ContactState)
	if _, err := getMessage(a.txn, key, s); err != nil {
		return err
	}
	s.Heard, s.Last = now, c
	if life := a.meta.GetGeneration(); life > 1 && uint32(syncproto.Position(c.GetProvedCursor()).Generation()) == life {
		s.EqualIn = life // for good: what it says later can only be of what has come since
	}
	if c.GetComplete() {
		s.Complete = now
	}
	return a.setMessage(key, s)
}

// Device gives what is known of a device, nil if there is none.
func (l *Ledger) Device(id []byte) (*entrypb.Device, error) {
	return lookup(l, keyNamed(prefixDevice, id), new(entrypb.Device))
}

// Code gives an enrolment code by its hash, nil if there is none.
func (l *Ledger) Code(hash []byte) (*entrypb.CodeState, error) {
	return lookup(l, keyNamed(prefixCode, hash), new(entrypb.CodeState))
}

// Genesis gives the first entry of the centre, nil before it.
func (l *Ledger) Genesis() (*entrypb.Genesis, error) {
	return lookup(l, []byte{keyGenesis}, new(entrypb.Genesis))
}

// Generation gives the newest generation entry.
func (l *Ledger) Generation() (*entrypb.Generation, error) {
	return lookup(l, keyGeneration(l.Head().Generation()), new(entrypb.Generation))
}

func lookup[M proto.Message](l *Ledger, key []byte, m M) (M, error) {
	r := l.read()
	defer r.done()
	ok, err := getMessage(r.txn, key, m)
	if err != nil || !ok {
		var none M
		return none, err
	}
	return m, nil
}

// Devices counts the devices that are enrolled and not revoked.
func (l *Ledger) Devices() (int, error) {
	r := l.read()
	defer r.done()
	n := 0
	err := eachMessage(r.txn, []byte{prefixDevice}, func(_, v []byte) error {
		d := new(entrypb.Device)
		if err := proto.Unmarshal(v, d); err != nil {
			return fmt.Errorf("read device: %w", err)
		}
		if !d.GetRevoked() {
			n++
		}
		return nil
	})
	return n, err
}

// Contacts calls do for every device's newest contact, in the order of unions.
func (l *Ledger) Contacts(do func(union string, device []byte, s *entrypb.ContactState) error) error {
	r := l.read()
	defer r.done()
	return eachMessage(r.txn, []byte{prefixContact}, func(k, v []byte) error {
		union, device, err := unionOf(k)
		if err != nil {
			return err
		}
		s := new(entrypb.ContactState)
		if err := proto.Unmarshal(v, s); err != nil {
			return fmt.Errorf("read contact: %w", err)
		}
		return do(union, bytes.Clone(device), s)
	})
}
