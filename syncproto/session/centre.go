package session

import (
	"errors"
	"fmt"
	"iter"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// Segment is one segment of a request, its form checked, ready for signature and log.
type Segment struct {
	Union    string
	Journal  syncproto.JournalID
	First    uint64
	Previous []byte // first bytes of the hash of the place before; empty at the beginning
	Changes  [][]byte
	Gaps     map[int]Gap // by index, where the bytes are missing
	Sign     []byte
	Signer   []byte // device or node; empty: the sender
}

// Gap stands for a change that is lost or erased: its place alone is known.
type Gap struct {
	Hash   syncproto.Hash
	Erased bool
}

// Read checks a request's form and gives its segments. A segment that is malformed is nil
// and its code stands in refused; the others go on. An error refuses the whole request.
func Read(q *syncpb.Request) (segments []*Segment, refused map[int]syncproto.Code, err error) {
	const op = "read request"
	switch {
	case q.GetProtocolMin() > syncproto.ProtocolMax || q.GetProtocolMax() < syncproto.ProtocolMin:
		return nil, nil, syncproto.Fail(syncproto.CodeProtocol, op, nil)
	case q.GetUnion() == "" || len(q.GetUnion()) > syncproto.MaxUnionCode:
		return nil, nil, syncproto.Fail(syncproto.CodeInvalid, op, fmt.Errorf("union code of %d bytes", len(q.GetUnion())))
	case q.GetJournal() == 0:
		return nil, nil, syncproto.Fail(syncproto.CodeInvalid, op, errors.New("no journal"))
	}
	changes, size := 0, 0
	refused = map[int]syncproto.Code{}
	for i, m := range q.GetBatch() {
		s, err := readSegment(q, m)
		if err != nil {
			refused[i] = syncproto.CodeSegment
		}
		segments = append(segments, s)
		changes += len(m.GetChanges())
		for _, c := range m.GetChanges() {
			size += len(c)
		}
	}
	// One change above the budget still goes alone, so the bound has room for it.
	if changes > syncproto.MaxBatchChanges || size > syncproto.MaxBatchBytes+syncproto.MaxChangeBytes {
		return nil, nil, syncproto.Fail(syncproto.CodeTooLarge, op, fmt.Errorf("%d changes of %d bytes", changes, size))
	}
	return segments, refused, nil
}

func readSegment(q *syncpb.Request, m *syncpb.Segment) (*Segment, error) {
	s := &Segment{
		Union: q.GetUnion(), Journal: syncproto.JournalID(m.GetJournal()), First: m.GetFirst(),
		Previous: m.GetPrevious(), Changes: m.GetChanges(), Sign: m.GetSignature(), Signer: m.GetSigner(),
	}
	if s.Journal == 0 {
		s.Journal = syncproto.JournalID(q.GetJournal())
	}
	switch {
	case s.First == 0 || len(s.Changes) == 0:
		return nil, fmt.Errorf("read segment: %d changes from %d", len(s.Changes), s.First)
	case (s.First == 1) != (len(s.Previous) == 0) || s.First > 1 && len(s.Previous) != syncproto.WireHashSize:
		return nil, fmt.Errorf("read segment: previous hash of %d bytes before change %d", len(s.Previous), s.First)
	case s.First+uint64(len(s.Changes)) < s.First:
		return nil, errors.New("read segment: sequence numbers overflow")
	}
	for _, g := range m.GetGaps() {
		var gap Gap
		if int(g.GetIndex()) >= len(s.Changes) || len(g.GetHash()) != len(gap.Hash) || len(s.Changes[g.GetIndex()]) > 0 {
			return nil, fmt.Errorf("read segment: gap at %d of %d", g.GetIndex(), len(s.Changes))
		}
		copy(gap.Hash[:], g.GetHash())
		gap.Erased = g.GetErased()
		if s.Gaps == nil {
			s.Gaps = map[int]Gap{}
		}
		s.Gaps[int(g.GetIndex())] = gap
	}
	for i, c := range s.Changes {
		if _, gap := s.Gaps[i]; !gap && (len(c) == 0 || len(c) > syncproto.MaxChangeBytes) {
			return nil, fmt.Errorf("read segment: change %d has %d bytes", i, len(c))
		}
	}
	return s, nil
}

// Places chains the segment's changes to the place before it.
func (s *Segment) Places(previous syncproto.Place) []syncproto.Place {
	out := make([]syncproto.Place, len(s.Changes))
	p := previous
	for i, c := range s.Changes {
		if g, gap := s.Gaps[i]; gap {
			p = syncproto.Place{Journal: s.Journal, Seq: p.Seq + 1, Hash: g.Hash}
		} else {
			p = p.Next(c)
		}
		out[i] = p
	}
	return out
}

// Outcome is what the ledger made of one segment: a verdict for each change, or a code.
type Outcome struct {
	Refused  syncproto.Code // 0: taken
	Verdicts []syncproto.Verdict
	Keys     []syncproto.RecordKey // the record of each change; zero where it cannot be read
	Last     syncproto.Place
}

// View is one consistent read of a union's state at the centre.
type View interface {
	// Head is the newest position given.
	Head() syncproto.Position
	// Tips gives the newest places of a journal.
	Tips(syncproto.JournalID) ([]syncproto.Place, error)
	// Find gives the full place and the stored verdict of a place by its number and the
	// first bytes of its hash.
	Find(j syncproto.JournalID, seq uint64, hash []byte) (syncproto.Place, syncproto.Verdict, bool, error)
	// Feed calls do for each record of the union whose newest change stands after the
	// cursor, in order of position, until do says stop.
	Feed(after syncproto.Position, do func(pos syncproto.Position, key syncproto.RecordKey) (bool, error)) error
	// Record gives a record's visible bytes, nil if there is none.
	Record(syncproto.RecordKey) ([]byte, error)
	// Digest is the union's digest.
	Digest() (syncproto.Hash, error)
	// Log gives every logged change of the union behind a position, ascending. Of those at
	// positions that bare names the position alone must be there.
	Log(after syncproto.Position, bare func(syncproto.Position) bool) iter.Seq2[*Logged, error]
	// Watermark is up to where every backup that is still offered has the log.
	Watermark() syncproto.Position
}

// Signer signs for what nobody signed: changes made at the centre, and the place where a page
// ends inside a run. The domain is [syncproto.DomainSegment], or [syncproto.DomainHeldSegment]
// where the change is held because its device was revoked.
type Signer struct {
	ID   []byte // of the node
	Sign func(domain string, msg []byte) []byte
}

// Answer makes the response to q from the outcomes of its segments and the state after
// them. The receipt is unsigned: the driver signs what [ReceiptMessage] tells, and adds what
// is not of the ledger, the certificates of those who signed the page's log among it.
func Answer(q *syncpb.Request, outcomes []Outcome, v View, node Signer) (*syncpb.Response, error) {
	r := &syncpb.Response{Nonce: q.GetNonce(), Watermark: uint64(v.Watermark())}
	tips, err := v.Tips(syncproto.JournalID(q.GetJournal()))
	if err != nil {
		return nil, fmt.Errorf("answer tips: %w", err)
	}
	for _, t := range tips {
		r.Tips = append(r.Tips, wirePlace(t))
	}
	p := &pager{q: q, v: v, answered: map[syncproto.RecordKey]syncproto.Position{}, verdicts: map[syncproto.Position]bool{}}
	var all []syncproto.Verdict
	for i, o := range outcomes {
		if o.Refused != 0 {
			r.Refused = append(r.Refused, &syncpb.Refusal{Segment: uint32(i), Code: uint32(o.Refused)})
			continue
		}
		r.Verdicts = append(r.Verdicts, packVerdicts(i, o.Verdicts))
		all = append(all, o.Verdicts...)
		for k, key := range o.Keys {
			p.answered[key] = max(p.answered[key], o.Verdicts[k].Position)
			p.verdicts[o.Verdicts[k].Position] = true
		}
	}
	if err := answerReceipt(r, q, outcomes, all, v); err != nil {
		return nil, err
	}
	if err := p.known(len(tips)); err != nil {
		return nil, err
	}
	if r.Page, err = p.page(node); err != nil {
		return nil, fmt.Errorf("answer page: %w", err)
	}
	return r, answerWanted(r, q, v, p.budget)
}

// AnswerWithout is what somebody gets who may say what he has and may not read: verdicts,
// tips and receipt.
func AnswerWithout(q *syncpb.Request, outcomes []Outcome, v View) (*syncpb.Response, error) {
	r := &syncpb.Response{Nonce: q.GetNonce()}
	tips, err := v.Tips(syncproto.JournalID(q.GetJournal()))
	if err != nil {
		return nil, fmt.Errorf("answer tips: %w", err)
	}
	for _, t := range tips {
		r.Tips = append(r.Tips, wirePlace(t))
	}
	var all []syncproto.Verdict
	for i, o := range outcomes {
		if o.Refused != 0 {
			r.Refused = append(r.Refused, &syncpb.Refusal{Segment: uint32(i), Code: uint32(o.Refused)})
			continue
		}
		r.Verdicts = append(r.Verdicts, packVerdicts(i, o.Verdicts))
		all = append(all, o.Verdicts...)
	}
	return r, answerReceipt(r, q, outcomes, all, v)
}

// answerReceipt states the newest place of the request's journal that the centre has, if
// the agent does not hold a receipt for it already.
func answerReceipt(r *syncpb.Response, q *syncpb.Request, outcomes []Outcome, all []syncproto.Verdict, v View) error {
	var place syncproto.Place
	var pos syncproto.Position
	for i, o := range outcomes {
		// A segment that names its signer or its journal is handed on, be it another branch of
		// the same journal.
		own := i < len(q.GetBatch()) && len(q.GetBatch()[i].GetSigner()) == 0 && q.GetBatch()[i].GetJournal() == 0
		if own && o.Refused == 0 && o.Last.Journal == syncproto.JournalID(q.GetJournal()) && o.Last.Seq > place.Seq {
			place, pos = o.Last, o.Verdicts[len(o.Verdicts)-1].Position
		}
	}
	if h := q.GetHead(); h.GetSeq() > place.Seq {
		p, verdict, ok, err := v.Find(syncproto.JournalID(q.GetJournal()), h.GetSeq(), h.GetHash())
		if err != nil {
			return fmt.Errorf("answer receipt: %w", err)
		}
		if ok {
			place, pos = p, verdict.Position
		}
	}
	if place.Seq == 0 || place.Seq <= q.GetReceipt().GetSeq() {
		return nil
	}
	hash := syncproto.VerdictsHash(all)
	r.Receipt = &syncpb.Receipt{
		Generation: uint32(v.Head().Generation()), Place: wirePlace(place), Position: uint64(pos), Verdicts: hash.Wire(),
	}
	return nil
}

// ReceiptMessage gives what the answering node signs, nil if r carries no receipt.
func ReceiptMessage(q *syncpb.Request, r *syncpb.Response) []byte {
	rc := r.GetReceipt()
	if rc == nil {
		return nil
	}
	place := syncproto.Place{Journal: syncproto.JournalID(q.GetJournal()), Seq: rc.GetPlace().GetSeq()}
	copy(place.Hash[:], rc.GetPlace().GetHash())
	var verdicts syncproto.Hash
	copy(verdicts[:], rc.GetVerdicts())
	return syncproto.ReceiptMessage(q.GetUnion(), uint16(rc.GetGeneration()), place, syncproto.Position(rc.GetPosition()), verdicts)
}

// answerWanted gives the records asked for by name, with the last page: what of the budget it
// left, and at least one.
func answerWanted(r *syncpb.Response, q *syncpb.Request, v View, budget int) error {
	if r.GetPage().GetMore() {
		return nil
	}
	for _, w := range q.GetWant() {
		f := &syncpb.FeedRecord{Kind: w.GetKind(), Id: w.GetId()}
		key, _, err := readFeedRecord(f)
		if err != nil {
			continue // a reference that names nothing is answered by nothing
		}
		if f.Record, err = v.Record(key); err != nil {
			return fmt.Errorf("answer wanted record: %w", err)
		}
		if budget -= len(f.Record); budget < 0 && len(r.Wanted) > 0 {
			return nil
		}
		r.Wanted = append(r.Wanted, f)
	}
	return nil
}
