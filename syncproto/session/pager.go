package session

import (
	"bytes"
	"iter"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// pager fills a page: the records whose newest change stands after the cursor, each once,
// and the signed changes of the same stretch of the log, in its order.
type pager struct {
	q        *syncpb.Request
	v        View
	answered map[syncproto.RecordKey]syncproto.Position // newest verdict of this response by record
	verdicts map[syncproto.Position]bool                // positions that have a verdict here
	own      uint64                                     // changes of the request's journal up to here are at the agent

	p      *syncpb.Page
	budget int
	places []syncproto.Place // by index in p.Log
}

// known finds out which changes of its own journal the agent has for certain: those up to
// the receipt that it named, if the centre knows that place and the journal went one way.
func (p *pager) known(tips int) error {
	rc := p.q.GetReceipt()
	if tips != 1 || rc.GetSeq() == 0 {
		return nil
	}
	_, _, ok, err := p.v.Find(syncproto.JournalID(p.q.GetJournal()), rc.GetSeq(), rc.GetHash())
	if ok {
		p.own = rc.GetSeq()
	}
	return err
}

func (p *pager) page(node Signer) (*syncpb.Page, error) {
	cursor := syncproto.Position(p.q.GetCursor())
	p.p = &syncpb.Page{Start: uint64(cursor), Next: uint64(cursor)}
	p.budget = min(max(int(p.q.GetBudget()), syncproto.MinBudgetBytes), syncproto.MaxBatchBytes)
	next, stop := iter.Pull2(p.v.Log(max(cursor, p.v.Watermark()), p.verdict))
	defer stop()
	log := &logReader{next: next}
	err := p.v.Feed(cursor, func(pos syncproto.Position, key syncproto.RecordKey) (bool, error) {
		if more, err := p.logged(log, pos); err != nil || !more {
			return false, err
		}
		return p.record(pos, key)
	})
	if err == nil && !p.p.GetMore() {
		_, err = p.logged(log, syncproto.Position(1<<64-1))
	}
	if err != nil {
		return nil, err
	}
	p.sign(node)
	if p.p.GetMore() {
		return p.p, nil
	}
	p.p.Next = max(p.p.Next, uint64(p.v.Head()))
	d, err := p.v.Digest()
	p.p.Digest = d.Wire()
	return p.p, err
}

// record adds a record whose newest change stands at pos, unless that change is answered in
// this response. It reports false when the page is full.
func (p *pager) record(pos syncproto.Position, key syncproto.RecordKey) (bool, error) {
	if p.answered[key] == pos {
		p.p.Next = max(p.p.Next, uint64(pos))
		return true, nil
	}
	rec, err := p.v.Record(key)
	if err != nil {
		return false, err
	}
	// The change itself stands in the log already: then its record goes along.
	together := len(p.p.GetLog()) > 0 && p.p.Log[len(p.p.Log)-1].GetPosition() == uint64(pos)
	if !together && p.full(len(rec)) {
		return false, nil
	}
	p.budget -= len(rec)
	p.p.Records = append(p.p.Records, &syncpb.FeedRecord{Kind: uint32(key.Kind), Id: key.ID[:], Record: rec})
	p.p.Next = max(p.p.Next, uint64(pos))
	return true, nil
}

// verdict reports whether the change at a position has its verdict in this response: then the
// agent has it, and nothing of it needs to be read.
func (p *pager) verdict(pos syncproto.Position) bool { return p.verdicts[pos] }

// full reports whether n more bytes are too many, and says so in the page. An empty page
// has room for anything.
func (p *pager) full(n int) bool {
	items := max(len(p.p.GetRecords()), len(p.p.GetLog()))
	p.p.More = items > 0 && (p.budget < n || items >= syncproto.MaxBatchChanges)
	return p.p.GetMore()
}

// logged adds the signed changes up to a position. It reports false when the page is full.
// The page does not reach that position by it: the record whose newest change stands there
// may not fit any more.
func (p *pager) logged(log *logReader, upTo syncproto.Position) (bool, error) {
	for {
		l, err := log.peek()
		if err != nil || l == nil || l.Verdict.Position > upTo {
			return true, err
		}
		if !p.there(l) {
			if p.full(len(l.Bytes)) {
				return false, nil
			}
			p.add(l)
		}
		log.take()
		if l.Verdict.Position < upTo {
			p.p.Next = max(p.p.Next, uint64(l.Verdict.Position))
		}
	}
}

// there reports whether the agent has a change for certain.
func (p *pager) there(l *Logged) bool {
	own := l.Place.Journal == syncproto.JournalID(p.q.GetJournal()) && l.Place.Seq <= p.own
	return own || p.verdicts[l.Verdict.Position]
}

func (p *pager) add(l *Logged) {
	p.budget -= len(l.Bytes)
	m := &syncpb.LoggedChange{
		Position: uint64(l.Verdict.Position), Journal: uint64(l.Place.Journal), Seq: l.Place.Seq, Change: l.Bytes,
		Kind: uint32(l.Verdict.Kind) | uint32(l.Verdict.Reason)<<4, Signature: l.Signature, Erased: l.Erased,
	}
	if len(l.Signature) > 0 {
		m.Signer = l.Signer
	}
	if len(l.Bytes) == 0 {
		m.Hash = l.Place.Hash[:]
	}
	if before := p.before(l.Place.Journal); l.Place.Seq > 1 && (before.Seq+1 != l.Place.Seq || before.Hash != l.Previous) {
		m.Previous = l.Previous[:]
	}
	p.p.Log, p.places = append(p.p.Log, m), append(p.places, l.Place)
}

// before gives the newest place of a journal in the log so far.
func (p *pager) before(j syncproto.JournalID) syncproto.Place {
	for i := len(p.places) - 1; i >= 0; i-- {
		if p.places[i].Journal == j {
			return p.places[i]
		}
	}
	return syncproto.Place{}
}

// sign signs the end of each run that nobody signed: what follows in its journal on this
// page does not follow it, or nothing follows. A node signs for what is held because of a
// revocation in a domain of its own, and for nothing else in the same run: a centre that lost
// the change and does not know its device gets it back as what it was.
func (p *pager) sign(node Signer) {
	followed := map[syncproto.JournalID]string{} // the domain of what follows; none: nothing does
	for i := len(p.p.GetLog()) - 1; i >= 0; i-- {
		m, place, domain := p.p.Log[i], p.places[i], syncproto.DomainSegment
		if syncproto.HeldReason(m.GetKind()>>4) == syncproto.HeldRevoked {
			domain = syncproto.DomainHeldSegment
		}
		if len(m.GetSignature()) == 0 && followed[place.Journal] != domain {
			m.Signature, m.Signer = node.Sign(domain, syncproto.SegmentMessage(p.q.GetUnion(), place)), bytes.Clone(node.ID)
		}
		followed[place.Journal] = ""
		if len(m.GetPrevious()) == 0 && m.GetSeq() > 1 {
			followed[place.Journal] = domain
		}
	}
}

// logReader reads a log one change ahead.
type logReader struct {
	next func() (*Logged, error, bool)
	at   *Logged
	err  error
}

// peek gives the next change, nil behind the end.
func (l *logReader) peek() (*Logged, error) {
	if l.at == nil && l.err == nil {
		l.at, l.err, _ = l.next()
	}
	return l.at, l.err
}

func (l *logReader) take() { l.at = nil }
