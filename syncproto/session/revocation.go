package session

import (
	"fmt"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// ReadRevocation reads a revocation as it travels and checks its form; the signature is the
// driver's to check. One that accepts nothing names its union by a place of no journal.
func ReadRevocation(m *syncpb.Revocation) (*syncproto.Revocation, error) {
	r := &syncproto.Revocation{Device: m.GetDevice(), Time: m.GetTime(), Operator: m.GetOperator(), Reason: m.GetReason()}
	for i, p := range m.GetPlaces() {
		if i == 0 {
			r.Union = p.GetUnion()
		}
		if p.GetUnion() != r.Union {
			return nil, fmt.Errorf("read revocation: it is of two unions")
		}
		if p.GetJournal() == 0 && p.GetSeq() == 0 && len(p.GetHash()) == 0 && len(m.GetPlaces()) == 1 {
			break
		}
		place := syncproto.Place{Journal: syncproto.JournalID(p.GetJournal()), Seq: p.GetSeq()}
		if len(p.GetHash()) != len(place.Hash) {
			return nil, fmt.Errorf("read revocation: a hash of %d bytes", len(p.GetHash()))
		}
		copy(place.Hash[:], p.GetHash())
		r.Places = append(r.Places, place)
	}
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("read revocation: %w", err)
	}
	return r, nil
}

// WireRevocation is r with its signature as it travels.
func WireRevocation(r *syncproto.Revocation, signature []byte) *syncpb.Revocation {
	m := &syncpb.Revocation{Device: r.Device, Time: r.Time, Operator: r.Operator, Reason: r.Reason, Signature: signature}
	for _, p := range r.Places {
		m.Places = append(m.Places, &syncpb.RevokedPlace{Union: r.Union, Journal: uint64(p.Journal), Seq: p.Seq, Hash: p.Hash[:]})
	}
	if len(r.Places) == 0 {
		m.Places = []*syncpb.RevokedPlace{{Union: r.Union}}
	}
	return m
}
