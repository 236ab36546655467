package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// registered takes in a device by its certificate, as after a restore that lost its
// enrolment, or notes a renewed one. The leader has checked the CA's signature. A device
// that is known keeps its key, and one that was revoked stays so.
func (a *applier) registered(m *entrypb.Registered) (any, error) {
	now := a.raiseTime(m.GetTime())
	key := keyNamed(prefixDevice, m.GetDevice())
	d := new(entrypb.Device)
	if _, err := getMessage(a.txn, key, d); err != nil {
		return nil, err
	}
	if len(d.GetPublicKey()) == 0 { // new, or known by its revocation alone
		d.PublicKey, d.Enrolled = m.GetPublicKey(), now
	}
	if !bytes.Equal(d.GetPublicKey(), m.GetPublicKey()) {
		return syncproto.Fail(syncproto.CodeDeviceUnknown, "register device", fmt.Errorf("it has another key")), nil
	}
	for _, u := range m.GetUnions() {
		if !d.HasUnion(u) {
			d.Unions = append(d.Unions, u)
		}
	}
	if len(m.GetCertificate()) > 0 {
		d.Certificate = m.GetCertificate()
	}
	if err := a.setMessage(key, d); err != nil {
		return nil, err
	}
	return cloneOf(d), nil
}

// codeVoid stands in place of a code's last second when a restore has made it void.
const codeVoid = -1

// voidCodes makes the enrolment codes that nobody has used void: a new life of the centre
// calls it, since whoever holds one may have used it in the life that was lost.
func (a *applier) voidCodes() error {
	var open [][]byte
	err := eachMessage(a.txn, []byte{prefixCode}, func(k, v []byte) error {
		s := new(entrypb.CodeState)
		if err := proto.Unmarshal(v, s); err != nil {
			return fmt.Errorf("read enrolment code: %w", err)
		}
		if len(s.GetDevice()) == 0 && s.GetExpires() != codeVoid {
			open = append(open, bytes.Clone(k))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range open {
		s := new(entrypb.CodeState)
		if _, err := getMessage(a.txn, k, s); err != nil {
			return err
		}
		s.Expires = codeVoid
		if err := a.setMessage(k, s); err != nil {
			return err
		}
		if err := a.cut(); err != nil {
			return err
		}
	}
	return nil
}

// CodeVoid reports whether a restore has made a code void that nobody had used.
func CodeVoid(s *entrypb.CodeState) bool {
	return len(s.GetDevice()) == 0 && s.GetExpires() == codeVoid
}

// keySigned is the index of the journals that a device has signed for.
func keySigned(device []byte, union string, j syncproto.JournalID) []byte {
	b := append(keySignedBy(device), byte(len(union)))
	return binary.BigEndian.AppendUint64(append(b, union...), uint64(j))
}

func keySignedBy(device []byte) []byte {
	return append([]byte{prefixSigned, byte(len(device))}, device...)
}

// noteSigner remembers that a device has signed for a journal: a revocation names the
// places of these.
func (a *applier) noteSigner(device []byte, union string, j syncproto.JournalID) error {
	k := keySigned(device, union, j)
	b, err := getBytes(a.txn, k)
	if err != nil || b != nil {
		return err
	}
	return a.set(k, []byte{1})
}

// EachDevice calls do for every device that is known, in the order of ids.
func (l *Ledger) EachDevice(do func(id []byte, d *entrypb.Device) error) error {
	r := l.read()
	defer r.done()
	return eachMessage(r.txn, []byte{prefixDevice}, func(k, v []byte) error {
		d := new(entrypb.Device)
		if err := proto.Unmarshal(v, d); err != nil {
			return fmt.Errorf("read device: %w", err)
		}
		return do(bytes.Clone(k[1:]), d)
	})
}
