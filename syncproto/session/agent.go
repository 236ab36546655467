package session

import (
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/syncpb"
)

// State is what an agent knows of one union between exchanges. It is plain data: the
// driver loads it, and stores what [Take] makes of it in one step with the rest.
type State struct {
	History []byte            // first bytes of the CA certificate's SHA-256
	Lineage syncproto.Lineage // every life of the centre that is known here; never empty
	Union   string
	Journal syncproto.JournalID

	Head     syncproto.Place // newest own change
	Receipt  syncproto.Place // newest own place that a receipt covers; zero: none
	Tip      syncproto.Place // newest own place known to be at the centre; zero: not known
	Answered uint64          // own changes up to here have a verdict that the lineage holds
	Settled  uint64          // own changes up to here are in the layer, or held
	FromZero bool            // the centre knows no place of this journal: send from the beginning
	Forked   bool            // it knows only another branch of it: send behind what it has answered

	Cursor    syncproto.Position // the feed is in the layer up to here
	Whole     syncproto.Position // the cursor at the end of the last complete fetch
	Newest    syncproto.Position // highest position that a record of the layer ever had
	Refetch   bool               // after a digest alarm: what the fetch does not bring goes
	Wants     []syncproto.RecordKey
	Confirms  []syncproto.RecordKey // records above the base of a later life: the centre has to confirm them
	Digest    syncproto.Hash        // XOR over the layer's records
	Proved    Proof                 // the newest state that both ends found equal
	Watermark syncproto.Position    // every backup still offered has the log up to here
	Budget    int                   // bytes that a batch or page may have
	Alarms    uint32                // digest alarms and the like since the agent was made

	Round
}

// Round is what a state remembers within one sync only.
type Round struct {
	Refill bool            // changes of others may have to be sent again: look. Begin with true
	Waits  bool            // something of that has yet to be sent, or answered. Begin with true
	Tried  []syncproto.Dot // ends of runs that were refused: they go last
	Moved  bool            // something was taken since, which they may have waited for
	Lacks  [][]byte        // signers whose certificate the centre lacks
	Return bool            // the centre does not know the newest life: hand its entry back
}

// Proof is a state that both ends found equal. A zero Cursor with Whole fetch is possible:
// an empty union is equal to an empty one.
type Proof struct {
	Cursor syncproto.Position
	Digest syncproto.Hash
	Done   bool
}

// Journal is what a session reads of the agent's own changes and of what it keeps.
type Journal interface {
	// After gives own changes behind seq in order: at least one if there is any, then as
	// many as fit into maxBytes and maxChanges. A frame that is damaged has nil Bytes.
	After(seq uint64, maxBytes, maxChanges int) ([]syncproto.Placed, error)
	// Place gives the place of own change seq; ok is false if there is none.
	Place(seq uint64) (place syncproto.Place, ok bool, err error)
	// Verdict gives the stored verdict on own change seq; ok is false if there is none.
	Verdict(seq uint64) (v syncproto.Verdict, ok bool, err error)
	// Receipt gives the newest own place whose receipt's position the lineage holds; the
	// zero Place if there is none.
	Receipt(l syncproto.Lineage) (syncproto.Place, error)
	Keeper
}

// Layer is what a session reads of the records as the centre last gave them. The result
// is nil for a record that the layer does not have.
type Layer interface {
	Record(syncproto.RecordKey) (*merge.Record, error)
	// Keys gives the keys of all records that the layer has.
	Keys() ([]syncproto.RecordKey, error)
}

// Env is what a session takes from outside.
type Env struct {
	Nonce  []byte                  // eight random bytes, in the journal before the request leaves
	Sign   func(msg []byte) []byte // by the device's key, for [syncproto.DomainSegment]
	Client *syncpb.Client          // what the help desk sees
	Class  func(syncproto.KindNumber) merge.Classes
	Verify func(union string, r *syncpb.Receipt, msg []byte) error // a node's signature under msg
	// VerifyLife checks the CA's signature under a generation entry.
	VerifyLife func(syncproto.Generation) error
	// VerifyRun checks a signature under msg, in [syncproto.DomainSegment] or of a node in
	// [syncproto.DomainHeldSegment], by a signer whose certificate stands among those given or
	// is known.
	VerifyRun func(signer []byte, certificates [][]byte, msg, signature []byte) error
}

// Sent is what a request carried: Take needs it again. It is plain data, so that the answer
// to a request in a bundle can be taken months later.
type Sent struct {
	Nonce  []byte
	Life   syncproto.Generation // the newest life that the request named: number and random bits
	Cursor syncproto.Position
	Known  syncproto.Place // the receipt that the request named
	Wants  []syncproto.RecordKey
	Runs   []Run // by segment
}

// Run is one segment of a request: own changes in order, or kept ones by name.
type Run struct {
	Own         bool
	First, Last uint64          // of own ones: their numbers
	Dots        []syncproto.Dot // of kept ones
}

// Ask makes the next request: what the centre is not known to have, from the newest place
// that both know, and the feed from the cursor. After another life of the centre began,
// what it may lack goes first.
func Ask(s *State, j Journal, env Env) (*syncpb.Request, Sent, error) {
	q, sent := s.request(env)
	if err := s.handBack(q, j); err != nil {
		return nil, sent, err
	}
	l, err := s.loading(j)
	if err != nil {
		return nil, sent, err
	}
	return q, sent, l.fill(q, &sent, env)
}

// AskAll makes requests that together carry everything that the centre is not known to
// have, for a bundle: at most limit of them. Next gives the env of each, with a nonce of
// its own.
func AskAll(s *State, j Journal, limit int, next func() (Env, error)) (qs []*syncpb.Request, sents []Sent, err error) {
	l, err := s.loading(j)
	if err != nil {
		return nil, nil, err
	}
	for len(qs) < limit && (len(qs) == 0 || !l.done()) {
		env, err := next()
		if err != nil {
			return nil, nil, err
		}
		q, sent := s.request(env)
		if len(qs) == 0 {
			err = s.handBack(q, j)
		} else {
			q.Want, sent.Wants = nil, nil
		}
		if err == nil {
			err = l.fill(q, &sent, env)
		}
		if err != nil {
			return nil, nil, err
		}
		qs, sents = append(qs, q), append(sents, sent)
	}
	return qs, sents, nil
}

// request is all of a request but its batch.
func (s *State) request(env Env) (*syncpb.Request, Sent) {
	life := s.Lineage.Newest()
	q := &syncpb.Request{
		ProtocolMin: syncproto.ProtocolMin,
		ProtocolMax: syncproto.ProtocolMax,
		History:     s.History,
		Generation:  &syncpb.GenerationRef{Number: uint32(life.Number), Random: life.Random},
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
	wants := s.Wants[:min(len(s.Wants), maxWants, max(s.Budget/wantBytes, 1))]
	for _, k := range wants {
		q.Want = append(q.Want, &syncpb.RecordRef{Kind: uint32(k.Kind), Id: k.ID[:]})
	}
	life.Signature = nil
	return q, Sent{Nonce: env.Nonce, Life: life, Cursor: s.Cursor, Known: s.Receipt, Wants: slices.Clone(wants)}
}

// maxWants bounds how many records one request asks for by name; on a line that bears little
// the budget does.
const (
	maxWants  = 1000
	wantBytes = 64 // of the budget: a name takes a third of it, and nothing packs it
)

// handBack adds what the city signed and the centre is known to lack.
func (s *State) handBack(q *syncpb.Request, j Journal) error {
	if s.Return {
		for _, g := range s.Lineage {
			q.Returned = append(q.Returned, &syncpb.Returned{Generation: WireLife(g)})
		}
	}
	for _, signer := range s.Lacks {
		c, err := j.Certificate(signer)
		if err != nil {
			return err
		}
		if c != nil {
			q.Returned = append(q.Returned, &syncpb.Returned{Certificate: c})
		}
	}
	return nil
}

// WireLife is a generation entry as it travels.
func WireLife(g syncproto.Generation) *syncpb.Generation {
	return &syncpb.Generation{
		Number: uint32(g.Number), Random: g.Random, Base: uint64(g.Base),
		Operator: g.Operator, Reason: g.Reason, Signature: g.Signature,
	}
}

func wirePlace(p syncproto.Place) *syncpb.Place {
	if p.Seq == 0 {
		return nil
	}
	return &syncpb.Place{Seq: p.Seq, Hash: p.Hash.Wire()}
}
