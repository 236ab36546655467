package sessiontest

import (
	"bytes"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// Centre is the other end for one union, in memory: the plainest reading of the rules.
type Centre struct {
	History []byte
	Class   func(syncproto.KindNumber) merge.Classes
	// Hold says why a change is held, if so.
	Hold func(*syncproto.Change) syncproto.HeldReason

	log     []logged
	records map[syncproto.RecordKey]*merge.Record
	held    map[heldKey][]syncproto.Dot
}

type logged struct {
	place   syncproto.Place
	prev    syncproto.Place
	key     syncproto.RecordKey
	verdict syncproto.Verdict
}

type heldKey struct {
	journal syncproto.JournalID
	record  syncproto.RecordKey
}

// NewCentre makes an empty centre.
func NewCentre(history []byte) *Centre {
	return &Centre{
		History: history, Class: Asks,
		Hold:    func(*syncproto.Change) syncproto.HeldReason { return syncproto.HeldNot },
		records: map[syncproto.RecordKey]*merge.Record{}, held: map[heldKey][]syncproto.Dot{},
	}
}

// Exchange answers a request.
func (c *Centre) Exchange(q *syncpb.Request) (*syncpb.Response, error) {
	segments, refused, err := session.Read(q)
	if err != nil {
		return nil, err
	}
	var outcomes []session.Outcome
	for i, s := range segments {
		if code := refused[i]; code != 0 {
			outcomes = append(outcomes, session.Outcome{Refused: code})
			continue
		}
		outcomes = append(outcomes, c.apply(s))
	}
	r, err := session.Answer(q, outcomes, c)
	if err != nil {
		return nil, err
	}
	r.History = c.History
	return r, nil
}

func (c *Centre) apply(s *session.Segment) session.Outcome {
	prev := syncproto.Place{Journal: s.Journal}
	if s.First > 1 {
		p, _, ok, _ := c.Find(s.Journal, s.First-1, s.Previous)
		if !ok {
			return session.Outcome{Refused: syncproto.CodeUnknownPrevious}
		}
		prev = p
	}
	var out session.Outcome
	for i, place := range s.Places(prev) {
		v, key := c.change(place, prev, s.Changes[i])
		out.Verdicts, out.Keys, out.Last = append(out.Verdicts, v), append(out.Keys, key), place
		prev = place
	}
	return out
}

func (c *Centre) change(place, prev syncproto.Place, b []byte) (syncproto.Verdict, syncproto.RecordKey) {
	ch, err := syncproto.DecodeChange(b, place.Journal)
	if len(b) == 0 || err != nil {
		ch = nil
	}
	reason := syncproto.HeldLost
	var key syncproto.RecordKey
	if ch != nil {
		key, reason = ch.Key(), c.Hold(ch)
	}
	if _, v, ok, _ := c.Find(place.Journal, place.Seq, place.Hash.Wire()); ok {
		return v, key
	}
	v := syncproto.Verdict{Position: c.Head() + 1, Kind: syncproto.VerdictHeld, Reason: reason}
	hk := heldKey{journal: place.Journal, record: key}
	drops := ch != nil && ch.Verb == syncproto.VerbDrop && len(ch.Edits) == 0
	if len(c.held[hk]) > 0 && ch != nil && !drops {
		v.Reason = syncproto.HeldBehind
	}
	before := c.records[key]
	switch {
	case drops && v.Reason == syncproto.HeldNot:
		c.held[hk] = slices.DeleteFunc(c.held[hk], func(d syncproto.Dot) bool {
			return slices.Contains(ch.Resolves, syncproto.FieldDot{Dot: d})
		})
		v.Kind, c.records[key] = syncproto.VerdictApplied, movedTo(before, v.Position)
	case v.Reason == syncproto.HeldNot:
		after, res := merge.Merge(c.Class(key.Kind), before, ch, place.Dot(), v.Position)
		c.records[key], v.Kind = after, res.Kind
	case ch != nil:
		c.held[hk] = append(c.held[hk], place.Dot())
		c.records[key] = movedTo(before, v.Position)
	}
	v.Hash = merge.ShortHash(key, c.records[key])
	c.log = append(c.log, logged{place: place, prev: prev, key: key, verdict: v})
	return v, key
}

// movedTo gives r at another place of the feed.
func movedTo(r *merge.Record, p syncproto.Position) *merge.Record {
	moved := merge.Record{}
	if r != nil {
		moved = *r
	}
	moved.Pos = p
	return &moved
}

// Head implements session.View.
func (c *Centre) Head() syncproto.Position {
	return syncproto.MakePosition(1, uint64(len(c.log)))
}

// Tips implements session.View.
func (c *Centre) Tips(j syncproto.JournalID) ([]syncproto.Place, error) {
	var tips []syncproto.Place
	for _, l := range c.log {
		if l.place.Journal == j {
			tips = slices.DeleteFunc(tips, func(p syncproto.Place) bool { return p == l.prev })
			tips = append(tips, l.place)
		}
	}
	return tips, nil
}

// Find implements session.View.
func (c *Centre) Find(j syncproto.JournalID, seq uint64, hash []byte) (syncproto.Place, syncproto.Verdict, bool, error) {
	for _, l := range c.log {
		if l.place.Journal == j && l.place.Seq == seq && bytes.HasPrefix(l.place.Hash[:], hash) {
			return l.place, l.verdict, true, nil
		}
	}
	return syncproto.Place{}, syncproto.Verdict{}, false, nil
}

// Feed implements session.View.
func (c *Centre) Feed(after syncproto.Position, do func(syncproto.Position, syncproto.RecordKey, []byte) (bool, error)) error {
	for _, l := range c.log {
		r := c.records[l.key]
		if l.verdict.Position <= after || r == nil || r.Pos != l.verdict.Position {
			continue
		}
		if more, err := do(r.Pos, l.key, r.Visible().Encode()); err != nil || !more {
			return err
		}
	}
	return nil
}

// Record implements session.View.
func (c *Centre) Record(key syncproto.RecordKey) ([]byte, error) {
	if r := c.records[key]; r != nil {
		return r.Visible().Encode(), nil
	}
	return nil, nil
}

// Digest implements session.View.
func (c *Centre) Digest() (syncproto.Hash, error) {
	var d syncproto.Hash
	for k, r := range c.records {
		d = merge.Xor(d, merge.Hash(k, r))
	}
	return d, nil
}

// Records gives the records; they must not be changed.
func (c *Centre) Records() map[syncproto.RecordKey]*merge.Record { return c.records }

// Positions gives the position of every logged dot.
func (c *Centre) Positions() map[syncproto.Dot]syncproto.Position {
	out := make(map[syncproto.Dot]syncproto.Position, len(c.log))
	for _, l := range c.log {
		out[l.place.Dot()] = l.verdict.Position
	}
	return out
}
