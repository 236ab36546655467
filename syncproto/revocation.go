package syncproto

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// DomainRevocation keeps the CA's signature under a revocation from being taken for another.
const DomainRevocation = "unionsync revocation v1"

// Revocation takes a device its right in one union: what stands up to the places named is
// normal, whoever brings it and whenever; what the device signs beyond is held, for ever. A
// device of several unions gets one for each, so that no union hears of another.
type Revocation struct {
	Device   []byte
	Union    string
	Places   []Place // of the journals that the device signed for; empty: nothing is accepted
	Time     int64   // Unix seconds, a note
	Operator string
	Reason   string
}

// MaxRevokedPlaces bounds the places of one revocation: a journal that went many ways.
const MaxRevokedPlaces = 1000

// Check says what is wrong with the form of r, as one that came from elsewhere.
func (r *Revocation) Check() error {
	switch {
	case len(r.Device) == 0 || len(r.Device) > 0xff:
		return fmt.Errorf("revocation of a device with an id of %d bytes", len(r.Device))
	case r.Union == "" || len(r.Union) > MaxUnionCode:
		return fmt.Errorf("revocation in a union with a code of %d bytes", len(r.Union))
	case len(r.Places) > MaxRevokedPlaces:
		return fmt.Errorf("revocation with %d places", len(r.Places))
	}
	for _, p := range r.Places {
		if p.Journal == 0 || p.Seq == 0 {
			return errors.New("revocation names a place that none has")
		}
	}
	return nil
}

// Message is what the CA's signature under r covers.
func (r *Revocation) Message() []byte {
	b := appendLengthed(nil, string(r.Device))
	b = appendLengthed(b, r.Union)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Places)))
	for _, p := range r.Places {
		b = binary.BigEndian.AppendUint64(b, uint64(p.Journal))
		b = binary.BigEndian.AppendUint64(b, p.Seq)
		b = append(b, p.Hash[:]...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time))
	b = appendLengthed(b, r.Operator)
	return appendLengthed(b, r.Reason)
}
