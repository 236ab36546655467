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
	State    State
	Verdicts []OwnVerdict // of own changes, new or again
	Receipt  *syncpb.Receipt
	Puts     []Put                 // records of the layer, as they are now
	Drops    []syncproto.RecordKey // records that the layer must not have
	Refused  []syncproto.Code      // why segments were not taken
	Notices  []syncproto.Code      // what a person should know: digest alarm, fork, centre behind
	Again    bool                  // another round trip has work to do
	Equal    bool                  // this response ended with equal digests
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

// Take works a response into the agent's state. It fails, and nothing is to be stored,
// when the response is of another centre, answers another request or does not verify.
func Take(s State, sent Sent, r *syncpb.Response, j Journal, l Layer, env Env) (*Update, error) {
	before := s
	s.Wants = slices.Clone(s.Wants) // what comes of this is stored only if all goes well
	t := &taker{s: s, sent: sent, r: r, j: j, layer: l, env: env, puts: map[syncproto.RecordKey]*merge.Record{}}
	if err := t.check(); err != nil {
		return nil, err
	}
	for _, step := range []func() error{t.tips, t.verdicts, t.receipt, t.wanted, t.page, t.compare} {
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
	all   []syncproto.Verdict // of the response, in its order
	want  []syncproto.RecordKey
	fed   bool // a page was taken
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

// tips compares what the centre has of this journal with what is here.
func (t *taker) tips() error {
	for _, f := range t.r.GetRefused() {
		code := syncproto.Code(f.GetCode())
		t.u.Refused = append(t.u.Refused, code)
	}
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
	if t.sent.Known.Seq > best.Seq && !foreign {
		t.u.Notices = append(t.u.Notices, syncproto.CodeCentreBehind)
	}
	return nil
}

// verdicts takes the answers to the own segment, merges what was taken into the layer in
// the order of positions and compares the record hashes.
func (t *taker) verdicts() error {
	for _, v := range t.r.GetVerdicts() {
		if v.GetSegment() != 0 {
			return syncproto.Fail(syncproto.CodeAnswer, "take verdicts", fmt.Errorf("segment %d was not sent", v.GetSegment()))
		}
		all, err := unpackVerdicts(v, len(t.sent.Own))
		if err != nil {
			return syncproto.Fail(syncproto.CodeAnswer, "take verdicts", err)
		}
		t.all = all
	}
	type last struct {
		hash syncproto.RecordHash
		key  syncproto.RecordKey
	}
	var lasts []last
	for i, v := range t.all {
		own := t.sent.Own[i]
		t.u.Verdicts = append(t.u.Verdicts, OwnVerdict{Seq: own.Place.Seq, Verdict: v})
		if own.Change == nil {
			continue
		}
		touched, err := t.mergeOwn(own, v)
		if err != nil {
			return err
		}
		if touched {
			k := own.Change.Key()
			lasts = slices.DeleteFunc(lasts, func(x last) bool { return x.key == k })
			lasts = append(lasts, last{hash: v.Hash, key: k})
		}
	}
	for _, x := range lasts {
		r, err := t.record(x.key)
		if err != nil {
			return err
		}
		if merge.ShortHash(x.key, r) != x.hash {
			t.want = append(t.want, x.key)
		}
	}
	return nil
}

// mergeOwn puts an own change that was taken into the layer, unless the layer has it. A
// held change leaves the record as it is, but the record's hash is compared all the same:
// the page leaves out a record whose newest change is answered here.
func (t *taker) mergeOwn(own syncproto.Placed, v syncproto.Verdict) (touched bool, err error) {
	key := own.Change.Key()
	r, err := t.record(key)
	if err != nil {
		return false, err
	}
	if v.Position <= t.s.Cursor || (r != nil && v.Position <= r.Pos) {
		return false, nil
	}
	switch {
	case own.Change.EndsHold() || v.Kind == syncproto.VerdictDropped:
		t.want = append(t.want, key)
		return false, nil
	case v.Kind != syncproto.VerdictHeld:
		r, _ = merge.Merge(t.env.Class(key.Kind), r, own.Change, own.Place.Dot(), v.Position)
		return true, t.put(key, r)
	case r != nil:
		moved := *r
		moved.Pos = v.Position
		return true, t.put(key, &moved)
	default:
		return true, nil
	}
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
		return syncproto.Fail(syncproto.CodeReceipt, "take receipt", fmt.Errorf("it is for a place that is not here"))
	}
	if rc.GetGeneration() > 0xffff {
		return syncproto.Fail(syncproto.CodeReceipt, "take receipt", fmt.Errorf("generation %d", rc.GetGeneration()))
	}
	hash := syncproto.VerdictsHash(t.all)
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

// wanted takes the records that were asked for by name.
func (t *taker) wanted() error {
	for _, f := range t.r.GetWanted() {
		key, rec, err := readFeedRecord(f)
		if err != nil {
			return syncproto.Fail(syncproto.CodeAnswer, "take wanted record", err)
		}
		if !slices.Contains(t.sent.Wants, key) {
			continue
		}
		have, err := t.record(key)
		if err != nil {
			return err
		}
		if rec != nil && have != nil && rec.Pos < have.Pos && !t.s.Refetch {
			continue // an own change came in meanwhile: ask again
		}
		t.s.Wants = slices.DeleteFunc(t.s.Wants, func(k syncproto.RecordKey) bool { return k == key })
		if err := t.put(key, rec); err != nil {
			return err
		}
	}
	return nil
}

// page takes the feed if it starts where the layer ends.
func (t *taker) page() error {
	p := t.r.GetPage()
	if p == nil || syncproto.Position(p.GetStart()) != t.s.Cursor || t.sent.Cursor != t.s.Cursor {
		return nil
	}
	if syncproto.Position(p.GetNext()) < t.s.Cursor {
		return syncproto.Fail(syncproto.CodeAnswer, "take page", fmt.Errorf("it goes back to %s", syncproto.Position(p.GetNext())))
	}
	for _, f := range p.GetRecords() {
		key, rec, err := readFeedRecord(f)
		if err != nil {
			return syncproto.Fail(syncproto.CodeAnswer, "take page", err)
		}
		if err := t.put(key, rec); err != nil {
			return err
		}
		t.want = slices.DeleteFunc(t.want, func(k syncproto.RecordKey) bool { return k == key })
		t.s.Wants = slices.DeleteFunc(t.s.Wants, func(k syncproto.RecordKey) bool { return k == key })
	}
	t.s.Cursor = syncproto.Position(p.GetNext())
	t.fed = true
	if !p.GetMore() {
		t.s.Whole = t.s.Cursor
	}
	return nil
}

func readFeedRecord(f *syncpb.FeedRecord) (syncproto.RecordKey, *merge.Record, error) {
	var key syncproto.RecordKey
	if len(f.GetId()) != len(key.ID) || f.GetKind() == 0 || f.GetKind() > 0xffff {
		return key, nil, fmt.Errorf("record of kind %d with an id of %d bytes", f.GetKind(), len(f.GetId()))
	}
	key.Kind = syncproto.KindNumber(f.GetKind())
	copy(key.ID[:], f.GetId())
	if len(f.GetRecord()) == 0 {
		return key, nil, nil
	}
	r, err := merge.Decode(f.GetRecord())
	return key, r, err
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
	return nil
}
