package session

import (
	"fmt"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/syncpb"
)

// State is what an agent knows of one union between exchanges. It is plain data: the
// driver loads it, and stores what [Take] makes of it in one step with the rest.
type State struct {
	History    []byte // first bytes of the CA certificate's SHA-256
	Generation syncproto.Generation
	Union      string
	Journal    syncproto.JournalID

	Head     syncproto.Place // newest own change
	Receipt  syncproto.Place // newest own place that a receipt covers; zero: none
	Tip      syncproto.Place // newest own place known to be at the centre; zero: not known
	Answered uint64          // own changes up to here have a stored verdict
	Settled  uint64          // own changes up to here are in the layer, or held
	FromZero bool            // the centre knows no place of this journal: send from the beginning
	Forked   bool            // it knows only another branch of it: send behind what it has answered

	Cursor  syncproto.Position // the feed is in the layer up to here
	Whole   syncproto.Position // the cursor at the end of the last complete fetch
	Refetch bool               // after a digest alarm: what the fetch does not bring goes
	Wants   []syncproto.RecordKey
	Digest  syncproto.Hash // XOR over the layer's records
	Proved  Proof          // the newest state that both ends found equal
	Budget  int            // bytes that a batch or page may have
	Alarms  uint32         // digest alarms and the like since the agent was made
}

// Proof is a state that both ends found equal. A zero Cursor with Whole fetch is possible:
// an empty union is equal to an empty one.
type Proof struct {
	Cursor syncproto.Position
	Digest syncproto.Hash
	Done   bool
}

// Journal is what a session reads of the agent's own changes.
type Journal interface {
	// After gives own changes behind seq in order: at least one if there is any, then as
	// many as fit into maxBytes and maxChanges. A frame that is damaged has nil Bytes.
	After(seq uint64, maxBytes, maxChanges int) ([]syncproto.Placed, error)
	// Place gives the place of own change seq; ok is false if there is none.
	Place(seq uint64) (place syncproto.Place, ok bool, err error)
	// Verdict gives the stored verdict on own change seq; ok is false if there is none.
	Verdict(seq uint64) (v syncproto.Verdict, ok bool, err error)
}

// Layer is what a session reads of the records as the centre last gave them. The result
// is nil for a record that the layer does not have.
type Layer interface {
	Record(syncproto.RecordKey) (*merge.Record, error)
	// Keys gives the keys of all records that the layer has.
	Keys() ([]syncproto.RecordKey, error)
}

// Env is what an Ask takes from outside.
type Env struct {
	Nonce  []byte                  // eight random bytes, in the journal before the request leaves
	Sign   func(msg []byte) []byte // by the device's key, for [syncproto.DomainSegment]
	Client *syncpb.Client          // what the help desk sees
	Class  func(syncproto.KindNumber) merge.Classes
	Verify func(union string, r *syncpb.Receipt, msg []byte) error // a node's signature under msg
}

// Sent is what a request carried of the agent's own: Take needs it again.
type Sent struct {
	Own    []syncproto.Placed
	Nonce  []byte
	Cursor syncproto.Position
	Known  syncproto.Place // the receipt that the request named
	Wants  []syncproto.RecordKey
}

// Ask makes the next request: what the centre is not known to have, from the newest place
// that both know, and the feed from the cursor.
func Ask(s *State, j Journal, env Env) (*syncpb.Request, Sent, error) {
	q := &syncpb.Request{
		ProtocolMin: syncproto.ProtocolMin,
		ProtocolMax: syncproto.ProtocolMax,
		History:     s.History,
		Generation:  &syncpb.GenerationRef{Number: uint32(s.Generation.Number), Random: s.Generation.Random},
		Union:       s.Union,
		Journal:     uint64(s.Journal),
		Head:        wirePlace(s.Head),
		Receipt:     wirePlace(s.Receipt),
		Cursor:      uint64(s.Cursor),
		Budget:      uint32(s.Budget),
		Client:      env.Client,
		Nonce:       env.Nonce,
	}
	if s.Proved.Done {
		q.Proved = &syncpb.Proof{Cursor: uint64(s.Proved.Cursor), Digest: s.Proved.Digest.Wire()}
	}
	wants := s.Wants[:min(len(s.Wants), maxWants)]
	for _, k := range wants {
		q.Want = append(q.Want, &syncpb.RecordRef{Kind: uint32(k.Kind), Id: k.ID[:]})
	}
	sent := Sent{Nonce: env.Nonce, Cursor: s.Cursor, Known: s.Receipt, Wants: slices.Clone(wants)}
	start, err := s.start(j)
	if err != nil {
		return nil, sent, err
	}
	if start.Seq < s.Head.Seq {
		sent.Own, err = j.After(start.Seq, s.Budget, syncproto.MaxBatchChanges)
		if err != nil {
			return nil, sent, err
		}
		q.Batch = append(q.Batch, OwnSegment(s.Union, start, sent.Own, env.Sign))
	}
	return q, sent, nil
}

// maxWants bounds how many records one request asks for by name.
const maxWants = 1000

// start is the newest own place that the centre is known to have and whose verdicts are
// here: what it has already is answered again with its stored verdicts.
func (s *State) start(j Journal) (syncproto.Place, error) {
	seq := s.Receipt.Seq
	switch {
	case s.Tip.Seq > 0:
		seq = s.Tip.Seq
	case s.Forked:
		seq = s.Answered
	}
	seq = min(seq, s.Answered)
	if s.FromZero || seq == 0 {
		return syncproto.Place{Journal: s.Journal}, nil
	}
	p, ok, err := j.Place(seq)
	if err == nil && !ok {
		err = fmt.Errorf("own change %d is not in the journal", seq)
	}
	if err != nil {
		return p, fmt.Errorf("find where to send from: %w", err)
	}
	return p, nil
}

// OwnSegment packs own changes that follow start. A damaged frame goes as its place alone.
func OwnSegment(union string, start syncproto.Place, own []syncproto.Placed, sign func([]byte) []byte) *syncpb.Segment {
	seg := &syncpb.Segment{First: start.Seq + 1}
	if start.Seq > 0 {
		seg.Previous = start.Hash.Wire()
	}
	for i, p := range own {
		seg.Changes = append(seg.Changes, p.Bytes)
		if p.Bytes == nil {
			seg.Gaps = append(seg.Gaps, &syncpb.Gap{Index: uint32(i), Hash: p.Place.Hash[:]})
		}
	}
	if len(own) > 0 {
		seg.Signature = sign(syncproto.SegmentMessage(union, own[len(own)-1].Place))
	}
	return seg
}

func wirePlace(p syncproto.Place) *syncpb.Place {
	if p.Seq == 0 {
		return nil
	}
	return &syncpb.Place{Seq: p.Seq, Hash: p.Hash.Wire()}
}
