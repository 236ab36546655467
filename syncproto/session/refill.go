package session

import (
	"cmp"
	"fmt"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// loading is what is left to be sent: first what another life of the centre may lack, then
// own changes that were never answered.
type loading struct {
	s     *State
	j     Journal
	units []unit // in the order of their old positions
	own   syncproto.Place
	aside bool // some were refused before: own changes go meanwhile, and the refused ones last
}

// unit is what goes as one segment, whole or not at all.
type unit struct {
	own       bool
	previous  syncproto.Place
	changes   []syncproto.Placed
	erased    []bool
	position  syncproto.Position // old one, of its first change
	signature []byte
	signer    []byte
}

func (u *unit) last() syncproto.Place { return u.changes[len(u.changes)-1].Place }

func (u *unit) size() (n int) {
	for _, c := range u.changes {
		n += len(c.Bytes)
	}
	return n
}

// loading finds what is left to be sent.
func (s *State) loading(j Journal) (*loading, error) {
	start, err := s.start(j)
	if err != nil {
		return nil, err
	}
	l := &loading{s: s, j: j, own: start}
	if !s.Refill {
		return l, nil
	}
	stale, err := j.Stale(s.Lineage)
	if err != nil {
		return nil, fmt.Errorf("read what may be lacking: %w", err)
	}
	l.units, _ = runs(stale)
	if len(l.units) == 0 {
		return l, nil
	}
	tried := func(u unit) bool { return slices.Contains(s.Tried, u.last().Dot()) }
	if l.aside = slices.ContainsFunc(l.units, tried); l.aside {
		slices.SortStableFunc(l.units, func(a, b unit) int { return cmp.Compare(bit(tried(a)), bit(tried(b))) })
		return l, nil
	}
	return l, l.addOwnStale()
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// runs puts kept changes together that only go together: a chain up to its signature. The
// rest are changes whose run goes on with one that is not stale: the centre has that, and so
// has it what stands before it.
func runs(stale []Kept) (out []unit, rest []syncproto.Dot) {
	open := map[syncproto.Place]int{} // by the last change so far: branches of a journal may lie between each other
	for _, k := range stale {
		previous := syncproto.Place{Journal: k.Place.Journal, Seq: k.Place.Seq - 1, Hash: k.Previous}
		at, ok := open[previous]
		if !ok {
			at = len(out)
			out = append(out, unit{previous: previous, position: k.Verdict.Position})
		}
		delete(open, previous)
		u := &out[at]
		u.changes, u.erased = append(u.changes, k.Placed), append(u.erased, k.Erased)
		if len(k.Signature) > 0 {
			u.signature, u.signer = k.Signature, k.Signer
		} else {
			open[k.Place] = at
		}
	}
	out = slices.DeleteFunc(out, func(u unit) bool {
		if len(u.signature) > 0 {
			return false
		}
		for _, c := range u.changes {
			rest = append(rest, c.Place.Dot())
		}
		return true
	})
	inOrder(out)
	return out, rest
}

// inOrder raises positions so that what follows in a journal stands behind what it follows:
// after two restores in a row the first may have been sent again, with a newer position, and
// the second not yet.
func inOrder(units []unit) {
	at := make([]int, len(units))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(units[a].last().Seq, units[b].last().Seq) })
	newest := map[syncproto.JournalID]syncproto.Position{}
	for _, i := range at {
		j := units[i].last().Journal
		newest[j] = max(newest[j], units[i].position)
		units[i].position = newest[j]
	}
	slices.SortStableFunc(units, func(a, b unit) int {
		return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.last().Seq, b.last().Seq))
	})
}

// addOwnStale sorts the own changes in that were answered in an earlier life.
func (l *loading) addOwnStale() error {
	for seq := l.own.Seq + 1; seq <= l.s.Head.Seq; seq++ {
		v, ok, err := l.j.Verdict(seq)
		if err != nil {
			return fmt.Errorf("read verdict: %w", err)
		}
		if !ok {
			break
		}
		c, err := l.j.After(seq-1, 0, 1)
		if err != nil {
			return fmt.Errorf("read own change: %w", err)
		}
		l.units = append(l.units, unit{own: true, changes: c, position: v.Position})
	}
	inOrder(l.units)
	return nil
}

// done reports whether nothing is left.
func (l *loading) done() bool { return len(l.units) == 0 && l.own.Seq >= l.s.Head.Seq }

// fill moves as much as the budget allows from l into a request.
func (l *loading) fill(q *syncpb.Request, sent *Sent, env Env) error {
	b := &batch{q: q, sent: sent, union: l.s.Union, env: env, budget: l.s.Budget}
	refilling := len(l.units) > 0
	for l.next(false) && b.room(&l.units[0]) {
		l.add(b)
	}
	if !refilling || l.aside && !l.next(false) {
		if err := l.addOwn(b); err != nil {
			return err
		}
	}
	for l.next(true) && b.room(&l.units[0]) {
		l.add(b)
	}
	b.end()
	return nil
}

// next reports whether there is a unit and it was refused before, or was not.
func (l *loading) next(refused bool) bool {
	return len(l.units) > 0 && slices.Contains(l.s.Tried, l.units[0].last().Dot()) == refused
}

// add moves the first unit into the batch.
func (l *loading) add(b *batch) {
	u := l.units[0]
	l.units = l.units[1:]
	if u.own {
		b.addOwn(l.own, u.changes)
		l.own = u.last()
		return
	}
	b.addKept(&u)
}

// addOwn moves own changes into the batch, as many as fit.
func (l *loading) addOwn(b *batch) error {
	if l.own.Seq >= l.s.Head.Seq || !b.empty() && (b.budget <= 0 || b.changes >= syncproto.MaxBatchChanges) {
		return nil
	}
	own, err := l.j.After(l.own.Seq, b.budget, syncproto.MaxBatchChanges-b.changes)
	if err != nil {
		return err
	}
	if !b.empty() && len(own) > 0 && len(own[0].Bytes) > b.budget {
		return nil
	}
	b.addOwn(l.own, own)
	l.own = own[len(own)-1].Place
	return nil
}

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

// batch is the batch of one request being filled.
type batch struct {
	q       *syncpb.Request
	sent    *Sent
	union   string
	env     Env
	budget  int // bytes left
	changes int
	open    []syncproto.Placed // own changes of the segment that is not signed yet
	from    syncproto.Place    // the place before them
}

func (b *batch) empty() bool { return b.changes == 0 }

// room reports whether a unit still fits; one always does.
func (b *batch) room(u *unit) bool {
	return b.empty() || u.size() <= b.budget && b.changes+len(u.changes) <= syncproto.MaxBatchChanges
}

func (b *batch) count(changes []syncproto.Placed) {
	b.changes += len(changes)
	for _, c := range changes {
		b.budget -= len(c.Bytes)
	}
}

// addOwn adds own changes that follow previous; those that follow each other go as one
// segment.
func (b *batch) addOwn(previous syncproto.Place, own []syncproto.Placed) {
	b.count(own)
	if len(b.open) == 0 {
		b.from = previous
	}
	b.open = append(b.open, own...)
}

// end signs the own changes that are open.
func (b *batch) end() {
	if len(b.open) == 0 {
		return
	}
	b.q.Batch = append(b.q.Batch, OwnSegment(b.union, b.from, b.open, b.env.Sign))
	b.sent.Runs = append(b.sent.Runs, Run{Own: true, First: b.open[0].Place.Seq, Last: b.open[len(b.open)-1].Place.Seq})
	b.open = nil
}

func (b *batch) addKept(u *unit) {
	b.end()
	b.count(u.changes)
	seg := segment(u.previous, u.changes)
	for i := range seg.GetGaps() {
		seg.Gaps[i].Erased = u.erased[seg.Gaps[i].GetIndex()]
	}
	seg.Journal = uint64(u.previous.Journal) // also of another branch of the own one: no receipt is for it
	seg.Signature, seg.Signer = u.signature, u.signer
	b.q.Batch = append(b.q.Batch, seg)
	run := Run{}
	for _, c := range u.changes {
		run.Dots = append(run.Dots, c.Place.Dot())
	}
	b.sent.Runs = append(b.sent.Runs, run)
}

// OwnSegment packs own changes that follow start. A damaged frame goes as its place alone.
func OwnSegment(union string, start syncproto.Place, own []syncproto.Placed, sign func([]byte) []byte) *syncpb.Segment {
	seg := segment(start, own)
	if len(own) > 0 {
		seg.Signature = sign(syncproto.SegmentMessage(union, own[len(own)-1].Place))
	}
	return seg
}

// segment packs changes that follow start, unsigned.
func segment(start syncproto.Place, changes []syncproto.Placed) *syncpb.Segment {
	seg := &syncpb.Segment{First: start.Seq + 1}
	if start.Seq > 0 {
		seg.Previous = start.Hash.Wire()
	}
	for i, p := range changes {
		seg.Changes = append(seg.Changes, p.Bytes)
		if p.Bytes == nil {
			seg.Gaps = append(seg.Gaps, &syncpb.Gap{Index: uint32(i), Hash: p.Place.Hash[:]})
		}
	}
	return seg
}
