package sessiontest

import (
	"bytes"
	"crypto/ed25519"
	"iter"
	"maps"
	"slices"

	"unionsync/internal/seal"
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
	// Key is the node's: its public half is the node's name. Everybody else's name is a
	// public key too.
	Key     ed25519.PrivateKey
	Lineage syncproto.Lineage
	// Archived is the watermark.
	Archived syncproto.Position

	count   uint64 // of positions in this life
	log     []logged
	records map[syncproto.RecordKey]*merge.Record
	held    map[heldKey][]logged
	decided map[syncproto.Dot]decision
}

// decision is what was decided about a held change, also one that has not come.
type decision struct {
	verb syncproto.Verb
	done bool
}

type logged struct {
	place     syncproto.Place
	prev      syncproto.Place
	key       syncproto.RecordKey
	verdict   syncproto.Verdict
	bytes     []byte
	change    *syncproto.Change
	erased    bool
	signature []byte
	signer    []byte
}

type heldKey struct {
	journal syncproto.JournalID
	record  syncproto.RecordKey
}

// NewCentre makes an empty centre.
func NewCentre(history []byte) *Centre {
	return &Centre{
		History: history, Class: Asks, Lineage: syncproto.Lineage{{Number: 1}},
		Key:     ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize)),
		Hold:    func(*syncproto.Change) syncproto.HeldReason { return syncproto.HeldNot },
		records: map[syncproto.RecordKey]*merge.Record{}, held: map[heldKey][]logged{}, decided: map[syncproto.Dot]decision{},
	}
}

// Backup copies the centre as a backup does.
func (c *Centre) Backup() *Centre {
	b := *c
	b.log, b.records, b.decided = slices.Clone(c.log), maps.Clone(c.records), maps.Clone(c.decided)
	b.held = map[heldKey][]logged{}
	for k, q := range c.held {
		b.held[k] = slices.Clone(q)
	}
	return &b
}

// Restore puts a backup back. All are the entries of all lives that anybody noted; with the
// new life that begins here they become the lineage.
func (c *Centre) Restore(b *Centre, all syncproto.Lineage, random uint64) {
	*c = *b.Backup()
	number := max(all.Newest().Number, c.Lineage.Newest().Number) + 1
	next := syncproto.Generation{Number: number, Random: random, Base: c.Head()}
	c.Lineage, _ = all.With(append(slices.Clone(c.Lineage), next)...)
	c.count = 0
}

// Exchange answers a request.
func (c *Centre) Exchange(q *syncpb.Request) (*syncpb.Response, error) {
	segments, refused, err := session.Read(q)
	if err != nil {
		return nil, err
	}
	c.learn(q.GetReturned())
	newest := c.Lineage.Newest()
	at := q.GetGeneration()
	if _, known := c.Lineage.Find(uint16(at.GetNumber()), at.GetRandom()); !known {
		return c.fill(q, &syncpb.Response{Nonce: q.GetNonce()}), nil
	}
	old := at.GetNumber() != uint32(newest.Number) || at.GetRandom() != newest.Random
	var outcomes []session.Outcome
	for i, s := range segments {
		if code := refused[i]; code != 0 {
			outcomes = append(outcomes, session.Outcome{Refused: code})
			continue
		}
		outcomes = append(outcomes, c.segment(q, s, old))
	}
	r, err := session.Answer(q, outcomes, c, c.signer())
	if err != nil {
		return nil, err
	}
	return c.fill(q, r), nil
}

func (c *Centre) signer() session.Signer {
	return session.Signer{ID: c.Key.Public().(ed25519.PublicKey), Sign: func(domain string, m []byte) []byte {
		return seal.Sign(c.Key, domain, m)
	}}
}

// fill adds what is not of the union's records: all lives, to who does not name the newest.
func (c *Centre) fill(q *syncpb.Request, r *syncpb.Response) *syncpb.Response {
	newest := c.Lineage.Newest()
	r.History = c.History
	r.Generation = &syncpb.GenerationRef{Number: uint32(newest.Number), Random: newest.Random}
	if at := q.GetGeneration(); at.GetNumber() == uint32(newest.Number) && at.GetRandom() == newest.Random {
		return r
	}
	for _, g := range c.Lineage {
		r.Generations = append(r.Generations, session.WireLife(g))
	}
	return r
}

// learn begins a further life when agents know of lives that are not known here.
func (c *Centre) learn(returned []*syncpb.Returned) {
	var fresh []syncproto.Generation
	base := c.Head()
	for _, m := range returned {
		g := m.GetGeneration()
		if _, ok := c.Lineage.Find(uint16(g.GetNumber()), g.GetRandom()); g == nil || ok {
			continue
		}
		life := syncproto.Generation{Number: uint16(g.GetNumber()), Random: g.GetRandom(), Base: syncproto.Position(g.GetBase())}
		fresh, base = append(fresh, life), min(base, life.Base)
	}
	if len(fresh) == 0 {
		return
	}
	for _, own := range c.Lineage {
		if slices.ContainsFunc(fresh, func(g syncproto.Generation) bool { return g.Number <= own.Number }) {
			base = min(base, own.Base)
		}
	}
	all, _ := c.Lineage.With(fresh...)
	next := syncproto.Generation{Number: all.Newest().Number + 1, Random: all.Newest().Random ^ uint64(base) ^ 77, Base: base}
	c.Lineage, _ = all.With(next)
	c.count = 0
}

func (c *Centre) segment(q *syncpb.Request, s *session.Segment, old bool) session.Outcome {
	prev := syncproto.Place{Journal: s.Journal}
	if s.First > 1 {
		p, _, ok, _ := c.Find(s.Journal, s.First-1, s.Previous)
		if !ok {
			return session.Outcome{Refused: syncproto.CodeUnknownPrevious}
		}
		prev = p
	}
	places := s.Places(prev)
	last := places[len(places)-1]
	if len(s.Signer) > 0 && seal.Verify(s.Signer, syncproto.DomainSegment, syncproto.SegmentMessage(q.GetUnion(), last), s.Sign) != nil {
		return session.Outcome{Refused: syncproto.CodeSignature}
	}
	if _, _, known, _ := c.Find(s.Journal, last.Seq, last.Hash.Wire()); old && !known {
		return session.Outcome{Refused: syncproto.CodeGeneration}
	}
	var out session.Outcome
	for i, place := range places {
		l := logged{place: place, prev: prev, bytes: s.Changes[i], erased: s.Gaps[i].Erased}
		if i == len(places)-1 {
			l.signature, l.signer = s.Sign, s.Signer
			if len(l.signer) == 0 {
				l.signer = signerOf(s.Journal)
			}
		}
		v, key := c.change(&l)
		out.Verdicts, out.Keys, out.Last = append(out.Verdicts, v), append(out.Keys, key), place
		prev = place
	}
	return out
}

// signerOf gives the public key of the agent with this journal, see [NewAgent].
func signerOf(j syncproto.JournalID) []byte {
	return NewAgent("", j, nil).Key.Public().(ed25519.PublicKey)
}

// Head implements session.View.
func (c *Centre) Head() syncproto.Position {
	return syncproto.MakePosition(c.Lineage.Newest().Number, c.count)
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
func (c *Centre) Feed(after syncproto.Position, do func(syncproto.Position, syncproto.RecordKey) (bool, error)) error {
	for _, l := range c.log {
		r := c.records[l.key]
		if l.verdict.Position <= after || r == nil || r.Pos != l.verdict.Position {
			continue
		}
		if more, err := do(r.Pos, l.key); err != nil || !more {
			return err
		}
	}
	return nil
}

// Log implements session.View.
func (c *Centre) Log(after syncproto.Position, _ func(syncproto.Position) bool) iter.Seq2[*session.Logged, error] {
	return func(yield func(*session.Logged, error) bool) {
		for _, l := range c.log {
			if l.verdict.Position <= after {
				continue
			}
			if !yield(&session.Logged{
				Placed:   syncproto.Placed{Place: l.place, Bytes: l.bytes, Change: l.change},
				Previous: l.prev.Hash, Erased: l.erased, Verdict: l.verdict, Signature: l.signature, Signer: l.signer,
			}, nil) {
				return
			}
		}
	}
}

// Watermark implements session.View.
func (c *Centre) Watermark() syncproto.Position { return c.Archived }

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
