package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// oracle remembers what was promised to people: every change that somebody saw as saved,
// every receipt, and every position. It never forgets.
type oracle struct {
	saved    map[syncproto.Dot]*saved
	records  map[string][]record // by union, in the order in which they were made
	receipts map[receiptKey]receipt
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
	whole    syncproto.Hash
}

func newOracle() *oracle {
	return &oracle{saved: map[syncproto.Dot]*saved{}, records: map[string][]record{}, receipts: map[receiptKey]receipt{}}
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
	if was, ok := o.receipts[k]; ok && was.position > pos && w.centre.holds(was.position) {
		return w.violate("I6 %s: place %d had a receipt at %s, now at %s", s, k.seq, was.position, pos)
	}
	o.receipts[k] = receipt{union: s.union, position: pos}
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
	for _, c := range t.r.GetPage().GetLog() {
		if p, ok := l.w.centre.placeAt(syncproto.Position(c.GetPosition())); ok && p.Journal != l.s.head.Journal {
			l.s.holds[p.Dot()] = true
		}
	}
}

// describe names a change for a violation.
func (x *saved) describe() string {
	return fmt.Sprintf("%s of %s, kind %d, %d edits", x.place.Dot(), x.union, x.change.Kind, len(x.change.Edits))
}
