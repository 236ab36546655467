package union

import (
	"encoding/binary"
	"fmt"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
)

// What bundles keep in the journal's file, all numbers big endian.
const (
	// nonce (8) → id of the bundle and what the request carried, see sentFact; once it is
	// answered a byte of zero.
	sentBucket = "bundle request"
	// id (8) → state (1), when made (8), first and last own change (8, 8), hash of the last
	// (32), requests (4), answered (4), when the last answer was taken (8).
	bundleBucket = "bundle"
)

// Asked is a bundle that this PC has made.
type Asked struct {
	ID       bundle.ID
	Written  bool  // it was written to the end, and read back
	MadeAt   int64 // Unix seconds
	First    uint64
	Last     syncproto.Place // own changes First to Last are in it; zero: none, it only asks
	Requests int
	Answered int   // of the requests
	TakenAt  int64 // when an answer was taken last, Unix seconds; 0: never
	// Covered: a receipt that still counts covers all changes in it, whatever way it came;
	// where there are none, it is answered, or an exchange has come to its end since.
	Covered bool
	More    bool // there is more than fits into one bundle
}

// Open reports whether the bundle is still needed: the stick is to be kept.
func (a Asked) Open() bool { return a.Written && !a.Covered }

const (
	bundleMaking  = 0
	bundleWritten = 1
	bundleSize    = 1 + 8 + 8 + 8 + 32 + 4 + 4 + 8
)

func (a Asked) fact() Fact {
	b := make([]byte, 0, bundleSize)
	b = append(b, bundleMaking)
	if a.Written {
		b[0] = bundleWritten
	}
	b = binary.BigEndian.AppendUint64(b, uint64(a.MadeAt))
	b = binary.BigEndian.AppendUint64(b, a.First)
	b = binary.BigEndian.AppendUint64(b, a.Last.Seq)
	b = append(b, a.Last.Hash[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(a.Requests))
	b = binary.BigEndian.AppendUint32(b, uint32(a.Answered))
	b = binary.BigEndian.AppendUint64(b, uint64(a.TakenAt))
	return Fact{Bucket: bundleBucket, Key: a.ID[:], Value: b}
}

func readAsked(k, v []byte, journal syncproto.JournalID) (a Asked, err error) {
	if len(k) != len(a.ID) || len(v) != bundleSize {
		return a, fmt.Errorf("bundle: %w", errFact)
	}
	copy(a.ID[:], k)
	a.Written = v[0] == bundleWritten
	a.MadeAt, a.First = int64(binary.BigEndian.Uint64(v[1:])), binary.BigEndian.Uint64(v[9:])
	if seq := binary.BigEndian.Uint64(v[17:]); seq > 0 {
		a.Last = syncproto.Place{Journal: journal, Seq: seq, Hash: syncproto.Hash(v[25:57])}
	}
	a.Requests, a.Answered = int(binary.BigEndian.Uint32(v[57:])), int(binary.BigEndian.Uint32(v[61:]))
	a.TakenAt = int64(binary.BigEndian.Uint64(v[65:]))
	return a, nil
}

// Bundles gives the bundles that this PC has made, oldest first.
func (u *Union) Bundles() ([]Asked, error) {
	receipt, _, err := u.NewestReceipt()
	if err != nil {
		return nil, fmt.Errorf("read bundles: %w", err)
	}
	last, err := u.Fact(factBucket, factLast)
	if err != nil {
		return nil, fmt.Errorf("read bundles: %w", err)
	}
	var out []Asked
	err = u.EachFact(bundleBucket, func(k, v []byte) error {
		a, err := readAsked(k, v, u.j.ID())
		a.Covered = a.Last.Seq <= receipt.Seq
		if a.Last.Seq == 0 {
			a.Covered = a.Answered >= a.Requests || len(last) == 8 && int64(binary.BigEndian.Uint64(last)) >= a.MadeAt
		}
		out = append(out, a)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read bundles: %w", err)
	}
	slices.SortStableFunc(out, func(a, b Asked) int { return int(a.MadeAt - b.MadeAt) })
	return out, nil
}

func (u *Union) asked(id bundle.ID) (Asked, error) {
	v, err := u.Fact(bundleBucket, id[:])
	if err != nil {
		return Asked{}, err
	}
	return readAsked(id[:], v, u.j.ID())
}

// BundleWritten notes that a bundle is on the stick, read back.
func (u *Union) BundleWritten(a Asked) error {
	a.Written = true
	return u.PutFacts(a.fact())
}

// ForgetBundle takes back a bundle that was not written.
func (u *Union) ForgetBundle(id bundle.ID) error {
	facts := []Fact{{Bucket: bundleBucket, Key: id[:]}}
	err := u.EachFact(sentBucket, func(k, v []byte) error {
		_, of, err := readSent(k, v)
		if of == id {
			facts = append(facts, Fact{Bucket: sentBucket, Key: k})
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("forget bundle: %w", err)
	}
	return u.PutFacts(facts...)
}

// answeredFacts note that a request of a bundle has been answered.
func (u *Union) answeredFacts(id bundle.ID, nonce []byte) ([]Fact, error) {
	if id == (bundle.ID{}) { // a further page
		return nil, nil
	}
	a, err := u.asked(id)
	if err != nil {
		return nil, err
	}
	a.Answered++
	a.TakenAt = u.o.Now().Unix()
	return []Fact{a.fact(), {Bucket: sentBucket, Key: nonce, Value: []byte{0}}}, nil
}
