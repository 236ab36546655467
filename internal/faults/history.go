package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// history is what agents sent and were answered, in one clock.
type history struct {
	now func() time.Duration // since it began

	mu       sync.Mutex
	journals map[syncproto.JournalID]*journal
	accepted []span // exchanges that brought a new receipt, in order of their end
	broken   []string
	receipts int
	reads    int
}

// span is from when to when something took, since the history began.
type span struct{ call, end time.Duration }

// journal is what is known of one journal.
type journal struct {
	union    string
	places   []place // by number, from 1
	receipts map[uint64]receipt
	newest   receipt
	reads    []read
}

// place is one change: when it was sent first, and when a receipt covered it.
type place struct {
	sent, covered time.Duration // covered: never for [math.MaxInt64]
}

// never is the end of what has not ended.
const never = time.Duration(math.MaxInt64)

// receipt is what the centre signed for.
type receipt struct {
	seq      uint64
	hash     []byte
	position syncproto.Position
	at       time.Duration
}

// read is a tip that an answer named, which was the true one at some moment of the span.
type read struct {
	span
	seq uint64
}

func newHistory() *history {
	began := time.Now()
	return &history{now: func() time.Duration { return time.Since(began) }, journals: map[syncproto.JournalID]*journal{}}
}

func (h *history) journal(id syncproto.JournalID, union string) *journal {
	j := h.journals[id]
	if j == nil {
		j = &journal{union: union, receipts: map[uint64]receipt{}}
		h.journals[id] = j
	}
	return j
}

// asked is a request that is on its way.
type asked struct {
	q     *syncpb.Request
	call  time.Duration
	fresh bool // it has changes without a receipt
}

// sending notes a request before it leaves.
func (h *history) sending(q *syncpb.Request) asked {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := asked{q: q, call: h.now()}
	j := h.journal(syncproto.JournalID(q.GetJournal()), q.GetUnion())
	for _, s := range q.GetBatch() {
		if s.GetJournal() != 0 || len(s.GetSigner()) > 0 {
			continue // somebody else's
		}
		last := s.GetFirst() + uint64(len(s.GetChanges())) - 1
		a.fresh = a.fresh || last > j.newest.seq
		for uint64(len(j.places)) < last {
			j.places = append(j.places, place{sent: a.call, covered: never})
		}
	}
	return a
}

// answered notes what came back.
func (h *history) answered(a asked, r *syncpb.Response) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	j := h.journal(syncproto.JournalID(a.q.GetJournal()), a.q.GetUnion())
	h.tips(j, a, r, now)
	rc := r.GetReceipt()
	if rc == nil {
		return
	}
	h.receipts++
	is := receipt{rc.GetPlace().GetSeq(), rc.GetPlace().GetHash(), syncproto.Position(rc.GetPosition()), now}
	if was, ok := j.receipts[is.seq]; ok && (!bytes.Equal(was.hash, is.hash) || was.position != is.position) {
		h.breaks("two receipts for place %d of a journal of %s: %x at %s, %x at %s", is.seq, j.union, was.hash, was.position, is.hash, is.position)
	} else if !ok {
		j.receipts[is.seq] = is
	}
	if is.seq > uint64(len(j.places)) {
		h.breaks("a receipt for place %d of a journal of %s, of which %d were sent", is.seq, j.union, len(j.places))
		return
	}
	if is.seq > j.newest.seq {
		for i := j.newest.seq; i < is.seq; i++ {
			j.places[i].covered = now
		}
		j.newest = is
		h.accepted = append(h.accepted, span{a.call, now})
	}
}

// tips notes the newest place that an answer names.
func (h *history) tips(j *journal, a asked, r *syncpb.Response, now time.Duration) {
	if len(r.GetTips()) > 1 {
		h.breaks("a journal of %s has %d tips", j.union, len(r.GetTips()))
		return
	}
	n := read{span: span{a.call, now}}
	if len(r.GetTips()) == 1 {
		n.seq = r.GetTips()[0].GetSeq()
		if was, ok := j.receipts[n.seq]; ok && !bytes.Equal(was.hash, r.GetTips()[0].GetHash()) {
			h.breaks("place %d of a journal of %s has hash %x, its receipt %x", n.seq, j.union, r.GetTips()[0].GetHash(), was.hash)
		}
	}
	if !a.fresh { // of a leader that may have been replaced: not behind the receipt named
		n.call = 0
		if was, ok := j.receipts[a.q.GetReceipt().GetSeq()]; ok {
			n.call = min(was.at+1, a.call) // behind it: spans that touch count as concurrent
		}
	}
	j.reads = append(j.reads, n)
	h.reads++
}

// breaks notes a promise that was broken, the first few of them.
func (h *history) breaks(format string, args ...any) {
	const most = 50
	if len(h.broken) < most {
		h.broken = append(h.broken, fmt.Sprintf(format, args...))
	}
}

// broke is [history.breaks] for others.
func (h *history) broke(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.breaks(format, args...)
}

// newestReceipt gives the newest receipt that anybody has for the journal.
func (h *history) newestReceipt(id syncproto.JournalID) receipt {
	h.mu.Lock()
	defer h.mu.Unlock()
	if j := h.journals[id]; j != nil {
		return j.newest
	}
	return receipt{}
}

// journalsOf gives the journals of a union, in order.
func (h *history) journalsOf(union string) []syncproto.JournalID {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []syncproto.JournalID
	for id, j := range h.journals {
		if j.union == union && len(j.places) > 0 {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// acceptedSince gives the end of the first exchange that was begun since then and accepted.
func (h *history) acceptedSince(t time.Duration) (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := len(h.accepted)
	for first > 0 && h.accepted[first-1].end >= t {
		first--
	}
	for _, s := range h.accepted[first:] {
		if s.call >= t {
			return s.end, true
		}
	}
	return 0, false
}

// acceptedIn counts exchanges that were begun and accepted between two moments.
func (h *history) acceptedIn(from, to time.Duration) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.accepted) - 1; i >= 0 && h.accepted[i].end >= from; i-- {
		if h.accepted[i].call >= from && h.accepted[i].end <= to {
			n++
		}
	}
	return n
}
