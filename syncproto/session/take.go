package session

import (
	"bytes"
	"fmt"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/syncpb"
)

// Update is what a response changes at the agent. The driver stores it as a whole: the
// facts in the journal's file first, then the layer with the state.
type Update struct {
	State       State
	Generations syncproto.Lineage // the whole lineage, if it grew; nil: as it was
	Verdicts    []OwnVerdict      // of own changes, new or again
	Ended       []Ended           // own held changes that somebody decided about
	Receipt     *syncpb.Receipt
	Keep        []Kept                // changes of others: new ones, and those with a new position
	Forget      []syncproto.Dot       // kept ones that every backup has
	Signers     [][]byte              // certificates of those who signed what is kept, DER
	Puts        []Put                 // records of the layer, as they are now
	Drops       []syncproto.RecordKey // records that the layer must not have
	Differing   []Differing           // records that the centre turned out to have otherwise
	Refused     []syncproto.Code      // why segments were not taken
	Notices     []syncproto.Code      // what a person should know: digest alarm, fork, centre behind
	Again       bool                  // another round trip has work to do
	Equal       bool                  // this response ended with equal digests
}

// OwnVerdict is the centre's verdict on own change Seq.
type OwnVerdict struct {
	Seq     uint64
	Verdict syncproto.Verdict
}

// Put is a record for the layer.
type Put struct {
	Key    syncproto.RecordKey
	Record *merge.Record
}

// Differing is a record that both ends should have had alike: after a restore the centre
// does not have it, or a digest alarm found the two apart. The agent takes the centre's;
// what it had itself is for a case.
type Differing struct {
	Key    syncproto.RecordKey
	Mine   *merge.Record
	Theirs *merge.Record // nil: the centre has none
}

// Take works a response into the agent's state. It fails, and nothing is to be stored,
// when the response is of another centre, answers another request or does not verify. A
// response of an earlier life of the centre changes nothing but [Round.Return].
func Take(s State, sent Sent, r *syncpb.Response, j Journal, l Layer, env Env) (*Update, error) {
	before := s
	s.Wants, s.Confirms = slices.Clone(s.Wants), slices.Clone(s.Confirms) // what comes of this is stored only if all goes well
	t := &taker{s: s, sent: sent, r: r, j: j, layer: l, env: env, puts: map[syncproto.RecordKey]*merge.Record{}}
	if err := t.check(); err != nil {
		return nil, err
	}
	current, err := t.lives()
	if err != nil {
		return nil, err
	}
	if !current {
		t.u.Again = t.s.Return && !before.Return
		t.u.State = t.s
		return &t.u, nil
	}
	steps := []func() error{t.refusals, t.tips, t.verdicts, t.receipt, t.wanted, t.page, t.forget, t.confirm, t.compare}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if err := t.finish(before); err != nil {
		return nil, err
	}
	return &t.u, nil
}

type taker struct {
	s     State
	sent  Sent
	r     *syncpb.Response
	j     Journal
	layer Layer
	env   Env
	u     Update
	puts  map[syncproto.RecordKey]*merge.Record
	order []syncproto.RecordKey
	want  []syncproto.RecordKey
	fed   bool                         // a page was taken
	blind bool                         // something was taken that cannot be read here any more: the page leaves its record out
	now   map[uint64]syncproto.Verdict // of this response, by own number; nil: not made yet
}

func (t *taker) check() error {
	if !bytes.Equal(t.r.GetHistory(), t.s.History) {
		return syncproto.Fail(syncproto.CodeOtherCentre, "take response", nil)
	}
	if !bytes.Equal(t.r.GetNonce(), t.sent.Nonce) {
		return syncproto.Fail(syncproto.CodeAnswer, "take response", fmt.Errorf("it answers another request"))
	}
	return nil
}

// refusals notes why segments were not taken. What is mended by the next request is not
// for people.
func (t *taker) refusals() error {
	for _, f := range t.r.GetRefused() {
		code := syncproto.Code(f.GetCode())
		if int(f.GetSegment()) >= len(t.sent.Runs) {
			return syncproto.Fail(syncproto.CodeAnswer, "take refusals", fmt.Errorf("segment %d was not sent", f.GetSegment()))
		}
		run := t.sent.Runs[f.GetSegment()]
		switch {
		case code == syncproto.CodeGeneration, t.u.Generations != nil && !run.Own: // it did not know the newest life
		case code == syncproto.CodeSignerUnknown && !run.Own && t.lacksSigner(run):
		case !run.Own:
			t.s.Tried = append(slices.Clone(t.s.Tried), run.Dots[len(run.Dots)-1])
		default:
			t.u.Refused = append(t.u.Refused, code)
		}
	}
	return nil
}

// lacksSigner has the certificate of a run's signer handed back; it reports false when
// that was done before.
func (t *taker) lacksSigner(run Run) bool {
	k, ok, err := t.j.Kept(run.Dots[len(run.Dots)-1])
	if err != nil || !ok || slices.ContainsFunc(t.s.Lacks, func(b []byte) bool { return bytes.Equal(b, k.Signer) }) {
		return false
	}
	t.s.Lacks = append(slices.Clone(t.s.Lacks), k.Signer)
	return true
}

// tips compares what the centre has of this journal with what is here.
func (t *taker) tips() error {
	best := syncproto.Place{Journal: t.s.Journal}
	foreign := false
	for _, tip := range t.r.GetTips() {
		p, ok, err := t.j.Place(tip.GetSeq())
		if err != nil {
			return fmt.Errorf("take tips: %w", err)
		}
		switch {
		case !ok || !bytes.Equal(p.Hash.Wire(), tip.GetHash()):
			foreign = true
		case p.Seq > best.Seq:
			best = p
		}
	}
	t.s.Tip, t.s.Forked = best, best.Seq == 0 && foreign
	t.s.FromZero = best.Seq == 0 && !foreign || slices.Contains(t.u.Refused, syncproto.CodeUnknownPrevious)
	if foreign {
		t.u.Notices = append(t.u.Notices, syncproto.CodeForked)
	}
	// A receipt of an earlier life may name what this one never had: then its entry explains.
	now := t.s.Lineage.Newest()
	sameLife := t.sent.Life.Number == now.Number && t.sent.Life.Random == now.Random
	if known := min(t.sent.Known.Seq, t.s.Receipt.Seq); sameLife && known > best.Seq && !foreign {
		t.u.Notices = append(t.u.Notices, syncproto.CodeCentreBehind)
	}
	return nil
}

// receipt checks the centre's signature over what it has.
func (t *taker) receipt() error {
	rc := t.r.GetReceipt()
	if rc == nil {
		return nil
	}
	place, ok, err := t.j.Place(rc.GetPlace().GetSeq())
	if err != nil {
		return fmt.Errorf("take receipt: %w", err)
	}
	if !ok || !bytes.Equal(place.Hash.Wire(), rc.GetPlace().GetHash()) {
		return syncproto.Fail(syncproto.CodeReceipt, "take receipt", fmt.Errorf("it is for place %d that is not here", rc.GetPlace().GetSeq()))
	}
	if rc.GetGeneration() > 0xffff || rc.GetPosition() == 0 {
		return syncproto.Fail(syncproto.CodeReceipt, "take receipt", fmt.Errorf("generation %d, position %d", rc.GetGeneration(), rc.GetPosition()))
	}
	all, err := t.allVerdicts()
	if err != nil {
		return err
	}
	hash := syncproto.VerdictsHash(all)
	if !bytes.Equal(hash.Wire(), rc.GetVerdicts()) {
		return syncproto.Fail(syncproto.CodeReceipt, "take receipt", fmt.Errorf("it is for other verdicts"))
	}
	msg := syncproto.ReceiptMessage(t.s.Union, uint16(rc.GetGeneration()), place, syncproto.Position(rc.GetPosition()), hash)
	if err := t.env.Verify(t.s.Union, rc, msg); err != nil {
		return syncproto.Fail(syncproto.CodeReceipt, "take receipt", err)
	}
	if place.Seq > t.s.Receipt.Seq {
		t.s.Receipt = place
		t.u.Receipt = rc
	}
	return nil
}

func (t *taker) record(key syncproto.RecordKey) (*merge.Record, error) {
	if r, ok := t.puts[key]; ok {
		return r, nil
	}
	r, err := t.layer.Record(key)
	if err != nil {
		return nil, fmt.Errorf("read layer: %w", err)
	}
	return r, nil
}

// put sets a record of the layer and keeps the digest in step; nil takes it out.
func (t *taker) put(key syncproto.RecordKey, r *merge.Record) error {
	old, err := t.record(key)
	if err != nil {
		return err
	}
	t.s.Digest = merge.Xor(merge.Xor(t.s.Digest, merge.Hash(key, old)), merge.Hash(key, r))
	if _, ok := t.puts[key]; !ok {
		t.order = append(t.order, key)
	}
	t.puts[key] = r
	if r != nil {
		t.s.Newest = max(t.s.Newest, r.Pos)
	}
	return nil
}

func without(keys []syncproto.RecordKey, key syncproto.RecordKey) []syncproto.RecordKey {
	return slices.DeleteFunc(keys, func(k syncproto.RecordKey) bool { return k == key })
}

func (t *taker) confirming(key syncproto.RecordKey) bool { return slices.Contains(t.s.Confirms, key) }
