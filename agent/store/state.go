package store

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"unionsync/syncproto"
)

// State is what the store knows of itself beside the records. It is written in the same
// transaction as what it tells about.
type State struct {
	Meta
	Journal syncproto.JournalID // whose own changes lie over the layer
	Head    syncproto.Place     // newest own change known here
	Digest  syncproto.Hash      // XOR of merge.Hash over the layer
	stamp   stamp               // of the newest base written or loaded
	life    lifeName            // the newest life of the centre known when this was stored
}

// lifeName names one life of the centre.
type lifeName struct {
	number uint16
	random uint64
}

func newestLife(l syncproto.Lineage) lifeName {
	g := l.Newest()
	return lifeName{g.Number, g.Random}
}

// Meta is the part of the state that an exchange decides.
type Meta struct {
	Settled syncproto.Place    // own changes up to here are in the layer, or held
	Cursor  syncproto.Position // the feed was read up to here
	Whole   syncproto.Position // cursor at the end of the last complete fetch
	Newest  syncproto.Position // highest position that a record of the layer ever had
	Fetched bool               // the first fetch has finished
	Refetch bool               // after a digest alarm: what the fetch does not bring goes
	Proved  Proof              // newest point at which the centre had the same digest
	Centre  int64              // the centre's time in its last Response, Unix seconds
}

// Proof says that agent and centre had the same digest at a cursor.
type Proof struct {
	At     syncproto.Position
	Digest syncproto.Hash
	Done   bool // false: never proved; an empty union has a zero cursor and digest
}

// stamp names one base file: 16 random bytes drawn when it was written.
type stamp [16]byte

// The layout of a state is protobuf's. Numbers are permanent.
const (
	stJournal, stHeadSeq, stHeadHash, stSettledSeq, stSettledHash = 1, 2, 3, 4, 5
	stCursor, stWhole, stFetched, stDigest                        = 6, 7, 8, 9
	stProvedAt, stProvedDigest, stCentre, stStamp                 = 10, 11, 12, 13
	stRefetch, stProvedDone                                       = 14, 15
	stLifeNumber, stLifeRandom, stNewest                          = 16, 17, 18
)

func (s *State) encode() []byte {
	b := make([]byte, 0, 256)
	num := func(n protowire.Number, v uint64) {
		if v != 0 {
			b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
		}
	}
	raw := func(n protowire.Number, v []byte) {
		b = protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
	}
	b = protowire.AppendFixed64(protowire.AppendTag(b, stJournal, protowire.Fixed64Type), uint64(s.Journal))
	num(stHeadSeq, s.Head.Seq)
	raw(stHeadHash, s.Head.Hash[:])
	num(stSettledSeq, s.Settled.Seq)
	raw(stSettledHash, s.Settled.Hash[:])
	num(stCursor, uint64(s.Cursor))
	num(stWhole, uint64(s.Whole))
	num(stNewest, uint64(s.Newest))
	num(stFetched, protowire.EncodeBool(s.Fetched))
	raw(stDigest, s.Digest[:])
	num(stProvedAt, uint64(s.Proved.At))
	raw(stProvedDigest, s.Proved.Digest[:])
	num(stCentre, protowire.EncodeZigZag(s.Centre))
	raw(stStamp, s.stamp[:])
	num(stRefetch, protowire.EncodeBool(s.Refetch))
	num(stProvedDone, protowire.EncodeBool(s.Proved.Done))
	num(stLifeNumber, uint64(s.life.number))
	num(stLifeRandom, s.life.random)
	return b
}

var errState = errors.New("state is malformed")

func decodeState(b []byte) (State, error) {
	var s State
	for len(b) > 0 {
		n, typ, k := protowire.ConsumeTag(b)
		if k < 0 {
			return s, errState
		}
		b = b[k:]
		var num uint64
		var raw []byte
		switch typ {
		case protowire.VarintType:
			num, k = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			num, k = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			raw, k = protowire.ConsumeBytes(b)
		default:
			k = protowire.ConsumeFieldValue(n, typ, b)
		}
		if k < 0 {
			return s, errState
		}
		b = b[k:]
		if err := s.set(n, num, raw); err != nil {
			return s, err
		}
	}
	s.Head.Journal, s.Settled.Journal = s.Journal, s.Journal
	return s, nil
}

func (s *State) set(n protowire.Number, num uint64, raw []byte) error {
	into := func(dst []byte) error {
		if len(raw) != len(dst) {
			return fmt.Errorf("%w: %d bytes in field %d", errState, len(raw), n)
		}
		copy(dst, raw)
		return nil
	}
	switch n {
	case stJournal:
		s.Journal = syncproto.JournalID(num)
	case stHeadSeq:
		s.Head.Seq = num
	case stHeadHash:
		return into(s.Head.Hash[:])
	case stSettledSeq:
		s.Settled.Seq = num
	case stSettledHash:
		return into(s.Settled.Hash[:])
	case stCursor:
		s.Cursor = syncproto.Position(num)
	case stWhole:
		s.Whole = syncproto.Position(num)
	case stNewest:
		s.Newest = syncproto.Position(num)
	case stFetched:
		s.Fetched = num != 0
	case stDigest:
		return into(s.Digest[:])
	case stProvedAt:
		s.Proved.At = syncproto.Position(num)
	case stProvedDigest:
		return into(s.Proved.Digest[:])
	case stCentre:
		s.Centre = protowire.DecodeZigZag(num)
	case stStamp:
		return into(s.stamp[:])
	case stRefetch:
		s.Refetch = num != 0
	case stProvedDone:
		s.Proved.Done = num != 0
	case stLifeNumber:
		s.life.number = uint16(num)
	case stLifeRandom:
		s.life.random = num
	}
	return nil
}
