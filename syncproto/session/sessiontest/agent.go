// Package sessiontest has an agent and a centre that live in memory, for tests of the
// exchange. They keep to the rules in the plainest way and promise no speed. It imports
// what session imports, and crypto for signatures.
package sessiontest

import (
	"cmp"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// Agent is one device's end for one union, in memory.
type Agent struct {
	State  session.State
	Key    ed25519.PrivateKey
	Class  func(syncproto.KindNumber) merge.Classes
	Verify func(union string, r *syncpb.Receipt, msg []byte) error
	// VerifyRun takes a signer's key for its name, unless it is set.
	VerifyRun func(signer []byte, certificates [][]byte, msg, signature []byte) error
	Notices   []syncproto.Code
	Refused   []syncproto.Code
	own       []syncproto.Placed
	verdicts  map[uint64]syncproto.Verdict
	receipts  map[uint64]*syncpb.Receipt // by the number of the newest change covered
	ended     map[uint64]syncproto.Verb
	kept      map[syncproto.Dot]session.Kept
	signers   map[string][]byte
	layer     map[syncproto.RecordKey]*merge.Record
	nonce     *uint64 // shared by images: no nonce is drawn twice
	// Lost counts records that the centre turned out to have otherwise.
	Lost int
}

// Asks gives class ask for every field.
func Asks(syncproto.KindNumber) merge.Classes {
	return func(syncproto.FieldNumber) syncproto.MergeClass { return syncproto.ClassAsk }
}

// NewAgent makes an agent whose key is drawn from the journal's id, so that tests repeat.
func NewAgent(union string, journal syncproto.JournalID, history []byte) *Agent {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(journal))
	return &Agent{
		State: session.State{
			History: history, Lineage: syncproto.Lineage{{Number: 1}}, Union: union, Journal: journal,
			Head: syncproto.Place{Journal: journal}, Budget: syncproto.MaxBatchBytes,
		},
		Key:       ed25519.NewKeyFromSeed(seed),
		Class:     Asks,
		Verify:    func(string, *syncpb.Receipt, []byte) error { return nil },
		VerifyRun: verifyRun,
		verdicts:  map[uint64]syncproto.Verdict{},
		receipts:  map[uint64]*syncpb.Receipt{},
		ended:     map[uint64]syncproto.Verb{},
		kept:      map[syncproto.Dot]session.Kept{},
		signers:   map[string][]byte{},
		layer:     map[syncproto.RecordKey]*merge.Record{},
		nonce:     new(uint64),
	}
}

// Save appends a change to the journal. The union is filled in; for each edit what the
// agent sees now is named as overwritten.
func (a *Agent) Save(c syncproto.Change) syncproto.Placed {
	seen := a.View(c.Key())
	c.Union = a.State.Union
	if l := a.layer[c.Key()]; l != nil {
		c.Base = l.Pos
	}
	for i := range c.Edits {
		e := &c.Edits[i]
		if !e.IsSet() && e.Overwrote == nil {
			e.Overwrote = seen.SeenDots(e.Field, a.Class(c.Kind)(e.Field))
		}
	}
	return a.Append(c.Encode(a.State.Journal), &c)
}

// Append puts bytes into the journal as they are.
func (a *Agent) Append(b []byte, c *syncproto.Change) syncproto.Placed {
	p := syncproto.Placed{Place: a.State.Head.Next(b), Bytes: b, Change: c}
	a.own = append(a.own, p)
	a.State.Head = p.Place
	return p
}

// View is the record as the agent's person sees it: the layer and the pending changes.
func (a *Agent) View(key syncproto.RecordKey) *merge.Record {
	layer := a.layer[key]
	r := layer
	for _, p := range a.own[a.State.Settled:] {
		v := a.verdicts[p.Place.Seq]
		if p.Change == nil || p.Change.Key() != key || v.Kind == syncproto.VerdictHeld || v.Kind == syncproto.VerdictDropped || a.covers(layer, v.Position) {
			continue
		}
		r, _ = merge.Merge(a.Class(key.Kind), r, p.Change, p.Place.Dot(), 0)
	}
	return r
}

// covers reports whether the layer's record holds the change that got position p. What an
// earlier life gave counts only for a record that is of that life too.
func (a *Agent) covers(layer *merge.Record, p syncproto.Position) bool {
	l := a.State.Lineage
	return p != 0 && layer != nil && layer.Pos >= p && (l.Holds(p) || !l.Holds(layer.Pos))
}

// Layer gives the centre's layer; it must not be changed.
func (a *Agent) Layer() map[syncproto.RecordKey]*merge.Record { return a.layer }

// Own gives the journal.
func (a *Agent) Own() []syncproto.Placed { return a.own }

// Verdicts gives the verdicts known, by sequence number.
func (a *Agent) Verdicts() map[uint64]syncproto.Verdict { return a.verdicts }

// Ask makes a request.
func (a *Agent) Ask() (*syncpb.Request, session.Sent, error) {
	*a.nonce++
	env := a.env()
	env.Nonce = binary.BigEndian.AppendUint64(nil, *a.nonce)
	return session.Ask(&a.State, a, env)
}

// AskAll makes the requests of a bundle.
func (a *Agent) AskAll(limit int) ([]*syncpb.Request, []session.Sent, error) {
	return session.AskAll(&a.State, a, limit, func() (session.Env, error) {
		*a.nonce++
		env := a.env()
		env.Nonce = binary.BigEndian.AppendUint64(nil, *a.nonce)
		return env, nil
	})
}

// Take works a response in.
func (a *Agent) Take(sent session.Sent, r *syncpb.Response) (*session.Update, error) {
	u, err := session.Take(a.State, sent, r, a, layer(a.layer), a.env())
	if err != nil {
		return nil, err
	}
	for _, v := range u.Verdicts {
		a.verdicts[v.Seq] = v.Verdict
	}
	for _, e := range u.Ended {
		a.ended[e.Seq] = e.Verb
	}
	if rc := u.Receipt; rc != nil {
		a.receipts[rc.GetPlace().GetSeq()] = rc
	}
	for _, k := range u.Keep {
		a.kept[k.Place.Dot()] = k
	}
	for _, d := range u.Forget {
		delete(a.kept, d)
	}
	for _, c := range u.Signers {
		a.signers[string(c)] = c
	}
	for _, p := range u.Puts {
		a.layer[p.Key] = p.Record
	}
	for _, k := range u.Drops {
		delete(a.layer, k)
	}
	a.State = u.State
	a.Notices = append(a.Notices, u.Notices...)
	a.Refused = append(a.Refused, u.Refused...)
	a.Lost += len(u.Differing)
	return u, nil
}

func (a *Agent) env() session.Env {
	return session.Env{
		Sign:  func(m []byte) []byte { return seal.Sign(a.Key, syncproto.DomainSegment, m) },
		Class: a.Class, Verify: a.Verify,
		VerifyLife: func(syncproto.Generation) error { return nil },
		VerifyRun:  a.VerifyRun,
	}
}

// verifyRun takes a signer's key for its name, as [Centre] does.
func verifyRun(signer []byte, _ [][]byte, msg, sig []byte) error {
	err := seal.Verify(ed25519.PublicKey(signer), syncproto.DomainSegment, msg, sig)
	if err != nil && seal.Verify(ed25519.PublicKey(signer), syncproto.DomainHeldSegment, msg, sig) == nil {
		err = nil
	}
	return err
}

// maxRounds is far above what any test's sync needs.
const maxRounds = 200

// Begin is what the beginning of a sync forgets and looks up.
func (a *Agent) Begin() { a.State.Round = session.Round{Refill: true, Waits: true} }

// Sync exchanges until nothing is left to do.
func (a *Agent) Sync(exchange func(*syncpb.Request) (*syncpb.Response, error)) (*session.Update, error) {
	a.Begin()
	for range maxRounds {
		q, sent, err := a.Ask()
		if err != nil {
			return nil, err
		}
		r, err := exchange(q)
		if err != nil {
			return nil, err
		}
		u, err := a.Take(sent, r)
		if err != nil || !u.Again {
			return u, err
		}
	}
	return nil, errors.New("a sync does not come to an end")
}

// After implements session.Journal.
func (a *Agent) After(seq uint64, maxBytes, maxChanges int) ([]syncproto.Placed, error) {
	var out []syncproto.Placed
	for _, p := range a.own[seq:] {
		if len(out) > 0 && (maxBytes < len(p.Bytes) || len(out) >= maxChanges) {
			break
		}
		maxBytes -= len(p.Bytes)
		out = append(out, p)
	}
	return out, nil
}

// Place implements session.Journal.
func (a *Agent) Place(seq uint64) (syncproto.Place, bool, error) {
	if seq == 0 || seq > uint64(len(a.own)) {
		return syncproto.Place{}, false, nil
	}
	return a.own[seq-1].Place, true, nil
}

// Verdict implements session.Journal.
func (a *Agent) Verdict(seq uint64) (syncproto.Verdict, bool, error) {
	v, ok := a.verdicts[seq]
	return v, ok, nil
}

// Receipt implements session.Journal.
func (a *Agent) Receipt(l syncproto.Lineage) (syncproto.Place, error) {
	best := syncproto.Place{}
	for seq, rc := range a.receipts {
		p, ok, _ := a.Place(seq)
		if ok && l.Holds(syncproto.Position(rc.GetPosition())) && seq > best.Seq {
			best = p
		}
	}
	return best, nil
}

// Stale implements session.Keeper.
func (a *Agent) Stale(l syncproto.Lineage) ([]session.Kept, error) {
	var out []session.Kept
	for _, k := range a.kept {
		if !l.Holds(k.Verdict.Position) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(x, y session.Kept) int {
		return cmp.Or(cmp.Compare(x.Verdict.Position, y.Verdict.Position), x.Place.Dot().Compare(y.Place.Dot()))
	})
	return out, nil
}

// Kept implements session.Keeper.
func (a *Agent) Kept(d syncproto.Dot) (session.Kept, bool, error) {
	k, ok := a.kept[d]
	return k, ok, nil
}

// Archived implements session.Keeper.
func (a *Agent) Archived(p syncproto.Position, l syncproto.Lineage) ([]syncproto.Dot, error) {
	var out []syncproto.Dot
	for d, k := range a.kept {
		if k.Verdict.Position <= p && l.Holds(k.Verdict.Position) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, syncproto.Dot.Compare)
	return out, nil
}

// Certificate implements session.Keeper: here a signer's name is its key.
func (a *Agent) Certificate(signer []byte) ([]byte, error) { return signer, nil }

// AllKept gives what is kept of others.
func (a *Agent) AllKept() map[syncproto.Dot]session.Kept { return a.kept }

// Ended gives what was decided about own held changes.
func (a *Agent) Ended() map[uint64]syncproto.Verb { return a.ended }

// Image copies the agent as an image of its disk does.
func (a *Agent) Image() *Agent {
	c := *a
	c.own, c.State.Wants, c.State.Confirms = slices.Clone(a.own), slices.Clone(a.State.Wants), slices.Clone(a.State.Confirms)
	c.verdicts, c.receipts, c.ended = maps.Clone(a.verdicts), maps.Clone(a.receipts), maps.Clone(a.ended)
	c.kept, c.signers, c.layer = maps.Clone(a.kept), maps.Clone(a.signers), maps.Clone(a.layer)
	return &c
}

type layer map[syncproto.RecordKey]*merge.Record

func (l layer) Record(k syncproto.RecordKey) (*merge.Record, error) { return l[k], nil }

func (l layer) Keys() ([]syncproto.RecordKey, error) {
	var out []syncproto.RecordKey
	for k := range l {
		out = append(out, k)
	}
	slices.SortFunc(out, syncproto.RecordKey.Compare)
	return out, nil
}

// Base is what an agent's base file holds: the layer and the state at one moment.
type Base struct {
	state session.State
	layer map[syncproto.RecordKey]*merge.Record
}

// Base takes a copy of the layer and the state.
func (a *Agent) Base() *Base { return &Base{state: a.State, layer: maps.Clone(a.layer)} }

// Rebuild is what an unclean stop leaves: the layer and the cursor of the base, the
// journal with its verdicts and receipts as they are.
func (a *Agent) Rebuild(b *Base) {
	s := b.state
	s.Head, s.Receipt, s.Answered, s.Tip = a.State.Head, a.State.Receipt, a.State.Answered, syncproto.Place{}
	s.Lineage = a.State.Lineage
	s.Wants, s.Confirms = slices.Clone(s.Wants), slices.Clone(s.Confirms)
	a.State, a.layer = s, maps.Clone(b.layer)
	_ = a.State.Align(b.state.Lineage.Newest(), a, layer(a.layer)) // nothing in memory fails
}

// Harm sets a record of the layer to a name that nobody gave, or takes it out, without a
// word to the digest... which then tells.
func (a *Agent) Harm(key syncproto.RecordKey, name []byte) {
	a.State.Digest = merge.Xor(a.State.Digest, merge.Hash(key, a.layer[key]))
	if name == nil {
		delete(a.layer, key)
		return
	}
	r := &merge.Record{Pos: 1, Fields: []merge.Field{{Number: syncproto.FirstFieldNumber, Entries: []merge.Entry{
		{Value: name, Dots: []syncproto.Dot{{Journal: 99, Seq: 1, Tag: 1}}},
	}}}}
	a.layer[key] = r
	a.State.Digest = merge.Xor(a.State.Digest, merge.Hash(key, r))
}

// Lose damages the frame of own change seq: its place stays.
func (a *Agent) Lose(seq uint64) {
	a.own[seq-1].Bytes, a.own[seq-1].Change = nil, nil
}
