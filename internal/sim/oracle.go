package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"unionsync/server/ledger"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// oracle remembers what was promised to people: every change that somebody saw as saved,
// every receipt, and every position. It never forgets.
type oracle struct {
	saved    map[syncproto.Dot]*saved
	records  map[string][]record        // by union, in the order in which they were made
	holding  map[string][]syncproto.Dot // by union: changes that the centre of this world holds
	receipts map[receiptKey]receipt
	staff    map[syncproto.Dot][]byte             // what the centre itself ever wrote
	given    map[syncproto.Position]syncproto.Dot // every position ever given
	beyond   map[syncproto.Dot]bool               // false: held as a revoked device's in every life; true: not in each, or accepted
}

// saved is a change that a person saw as saved.
type saved struct {
	place  syncproto.Place
	union  string
	bytes  []byte
	change *syncproto.Change
	lost   map[*seat]bool // seats on which its entry was harmed
}

type receiptKey struct {
	journal syncproto.JournalID
	seq     uint64
	hash    [syncproto.WireHashSize]byte
}

// receipt is the centre's word that it has a place, at a position.
type receipt struct {
	union    string
	position syncproto.Position
	life     syncproto.Generation // of the centre that gave it
}

func newOracle() *oracle {
	return &oracle{saved: map[syncproto.Dot]*saved{}, records: map[string][]record{}, holding: map[string][]syncproto.Dot{}, receipts: map[receiptKey]receipt{},
		staff: map[syncproto.Dot][]byte{}, given: map[syncproto.Position]syncproto.Dot{}, beyond: map[syncproto.Dot]bool{}}
}

// save takes note of a change that is saved.
func (o *oracle) save(w *world, s *seat, p syncproto.Placed) error {
	d := p.Place.Dot()
	if was := o.saved[d]; was != nil && !bytes.Equal(was.bytes, p.Bytes) {
		return w.violate("I2 %s: two changes are called %s", s, d)
	}
	if p.Change.Union != s.union {
		return w.violate("I9 %s: a change of %s was saved", s, p.Change.Union)
	}
	if p.Change.Note == holdNote && o.saved[d] == nil {
		o.holding[s.union] = append(o.holding[s.union], d)
	}
	o.saved[d] = &saved{place: p.Place, union: s.union, bytes: bytes.Clone(p.Bytes), change: p.Change, lost: map[*seat]bool{}}
	return nil
}

func (o *oracle) harm(d syncproto.Dot, s *seat) { o.saved[d].lost[s] = true }

// answer looks at what the centre says before the agent gets it.
func (o *oracle) answer(w *world, s *seat, q *syncpb.Request, r *syncpb.Response) error {
	for _, v := range r.GetVerdicts() {
		for i := range len(v.GetHashes()) / syncproto.RecordHashSize {
			if len(v.GetKinds()) > i && syncproto.VerdictKind(v.GetKinds()[i]&15) == syncproto.VerdictHeld {
				s.held = true
			}
		}
	}
	fed := map[string]bool{}
	for _, f := range r.GetPage().GetRecords() {
		k := fmt.Sprintf("%d %x", f.GetKind(), f.GetId())
		if fed[k] {
			return w.violate("I3 %s: a page carries record %s twice", s, k)
		}
		fed[k] = true
	}
	if err := o.wholeLog(w, s, q, r); err != nil {
		return err
	}
	return o.receipt(w, s, q, r)
}

// receipt verifies a receipt by its bytes and remembers it.
func (o *oracle) receipt(w *world, s *seat, q *syncpb.Request, r *syncpb.Response) error {
	rc := r.GetReceipt()
	if rc == nil {
		return nil
	}
	msg := lengthed(nil, s.union)
	msg = binary.BigEndian.AppendUint16(msg, uint16(rc.GetGeneration()))
	msg = binary.BigEndian.AppendUint64(msg, q.GetJournal())
	msg = binary.BigEndian.AppendUint64(msg, rc.GetPlace().GetSeq())
	msg = append(msg, rc.GetPlace().GetHash()...)
	msg = binary.BigEndian.AppendUint64(msg, rc.GetPosition())
	msg = append(msg, rc.GetVerdicts()...)
	if err := w.centre.verifyReceipt(rc, msg); err != nil {
		return w.violate("I6 %s: a receipt does not verify: %v", s, err)
	}
	k := receiptKey{journal: syncproto.JournalID(q.GetJournal()), seq: rc.GetPlace().GetSeq()}
	copy(k.hash[:], rc.GetPlace().GetHash())
	pos := syncproto.Position(rc.GetPosition())
	if was, ok := o.receipts[k]; ok && was.position > pos && w.centre.standsBy(was) && !w.troubled {
		return w.violate("I6 %s: place %d had a receipt at %s, now at %s", s, k.seq, was.position, pos)
	}
	o.receipts[k] = receipt{union: s.union, position: pos, life: w.centre.lineage().Newest()}
	return nil
}

func lengthed(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// settled tells which rounds of an exchange the agent took, when the exchange is over.
func (l *line) settled() error {
	st, err := l.s.u.State()
	if err != nil {
		if syncproto.CodeOf(err) == syncproto.CodeDiskFull && l.s.full {
			return nil
		}
		return l.w.violate("%s: state: %v", l.s, err)
	}
	l.took(st.Cursor)
	return nil
}

// follow looks at the next request: its cursor tells whether the answer before was taken.
func (l *line) follow(q *syncpb.Request) error {
	if q.GetUnion() != l.s.union {
		return l.w.violate("I9 %s: a request for %s", l.s, q.GetUnion())
	}
	l.took(syncproto.Position(q.GetCursor()))
	return nil
}

// took notes the changes of others that came with a page which the agent took: from now on
// it is to keep them.
func (l *line) took(cursor syncproto.Position) {
	t := l.last
	l.last = nil
	if t == nil || cursor != syncproto.Position(t.r.GetPage().GetNext()) || t.q.GetCursor() != t.r.GetPage().GetStart() {
		return
	}
	own := map[syncproto.Dot]bool{}
	for _, d := range l.s.own {
		own[d] = true
	}
	last := map[syncproto.JournalID]syncproto.Hash{}
	for _, c := range t.r.GetPage().GetLog() {
		p := placeOf(c, last)
		if last[p.Journal] = p.Hash; !own[p.Dot()] {
			l.s.holds[p.Dot()] = true
		}
	}
}

// placeOf works out the place of a change of a page's log.
func placeOf(c *syncpb.LoggedChange, last map[syncproto.JournalID]syncproto.Hash) syncproto.Place {
	p := syncproto.Place{Journal: syncproto.JournalID(c.GetJournal()), Seq: c.GetSeq()}
	if len(c.GetHash()) > 0 {
		copy(p.Hash[:], c.GetHash())
		return p
	}
	previous := last[p.Journal]
	if len(c.GetPrevious()) > 0 || p.Seq == 1 {
		previous = syncproto.Hash{}
		copy(previous[:], c.GetPrevious())
	}
	p.Hash = sha256.Sum256(append(previous[:], c.GetChange()...))
	return p
}

// logged takes note of what came into the log above a position: what the centre wrote
// itself, and that no position is given twice.
func (o *oracle) logged(w *world, before syncproto.Position) error {
	if w.centre.head() == before {
		return nil
	}
	var bad error
	_, err := w.centre.nodes[0].Log(before, func(it *ledger.LogItem) error {
		if was, ok := o.given[it.Position]; ok && was != it.Place.Dot() && w.habits.amnesia == 0 && w.habits.silent == 0 {
			bad = w.violate("I2 position %s was given to %s and is given to %s", it.Position, was, it.Place.Dot())
			return bad
		}
		o.given[it.Position] = it.Place.Dot()
		if bad = o.stillHeld(w, it); bad != nil {
			return bad
		}
		if w.centre.ownJournal(it.Union, it.Place.Journal) {
			o.staff[it.Place.Dot()] = bytes.Clone(it.Bytes)
		}
		return nil
	})
	return errors.Join(err, bad)
}

// describe names a change for a violation.
func (x *saved) describe() string {
	return fmt.Sprintf("%s of %s, kind %d, %d edits", x.place.Dot(), x.union, x.change.Kind, len(x.change.Edits))
}

// wholeLog: a page carries every change of its stretch of the union's log above the
// watermark, so that whoever takes it can give it back to a centre that lost it. Left out are
// what this answer has a verdict on, and the PC's own changes up to its receipt.
func (o *oracle) wholeLog(w *world, s *seat, q *syncpb.Request, r *syncpb.Response) error {
	p := r.GetPage()
	if p == nil {
		return nil
	}
	there := map[syncproto.Position]bool{}
	for _, c := range p.GetLog() {
		there[syncproto.Position(c.GetPosition())] = true
	}
	for _, v := range r.GetVerdicts() {
		at := syncproto.Position(v.GetPosition())
		there[at] = true
		for i := range len(v.GetHashes())/syncproto.RecordHashSize - 1 {
			step := int64(1)
			if len(v.GetSteps()) > 0 {
				step = v.GetSteps()[i]
			}
			at += syncproto.Position(step)
			there[at] = true
		}
	}
	from := max(syncproto.Position(p.GetStart()), w.centre.nodes[0].Watermark())
	var bad error
	_, err := w.centre.nodes[0].Log(from, func(it *ledger.LogItem) error {
		own := uint64(it.Place.Journal) == q.GetJournal() && it.Place.Seq <= q.GetReceipt().GetSeq()
		if it.Position <= syncproto.Position(p.GetNext()) && it.Union == s.union && !own && !there[it.Position] {
			bad = w.violate("I1 %s: a page up to %s leaves out %s at %s", s, syncproto.Position(p.GetNext()), it.Place.Dot(), it.Position)
		}
		return bad
	})
	return errors.Join(err, bad)
}
