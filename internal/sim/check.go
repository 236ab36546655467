package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"

	"unionsync/syncproto"
)

// stateHash is the SHA-256 of a replica's whole state.
func (c *centre) stateHash(i int) (syncproto.Hash, error) {
	h := sha256.New()
	err := c.snapshot(i, h)
	return syncproto.Hash(h.Sum(nil)), err
}

// checkLog: positions rise, nobody's change is invented, nothing stands in another union.
func (w *world) checkLog(m *model) error {
	last := syncproto.Position(0)
	for _, x := range m.log {
		if x.Position <= last {
			return w.violate("I2 position %s follows %s", x.Position, last)
		}
		last = x.Position
		was := w.oracle.saved[x.dot()]
		switch {
		case was == nil && w.centre.ownJournal(x.Union, x.Place.Journal) && bytes.Equal(w.oracle.staff[x.dot()], x.Bytes):
			continue
		case was == nil:
			return w.violate("I1 %s at %s: nobody saved it", x.dot(), x.Position)
		case was.union != x.Union:
			return w.violate("I9 %s of %s is in the log of %s", x.dot(), was.union, x.Union)
		case len(x.Bytes) == 0 && len(was.lost) == 0:
			return w.violate("I1 %s at %s has no bytes, and was never harmed", x.dot(), x.Position)
		case len(x.Bytes) > 0 && !bytes.Equal(x.Bytes, was.bytes):
			return w.violate("I1 %s at %s has other bytes than were saved", x.dot(), x.Position)
		}
	}
	return nil
}

// checkSaved: I1, what a person saw as saved and some PC still has is at the centre.
func (w *world) checkSaved(m *model) error {
	for _, s := range w.seats() {
		if s.pc.revoked {
			continue // within its quota, and what is beyond stays in its journal
		}
		for _, d := range s.own {
			if m.at[d] == nil {
				return w.violate("I1 %s: %s is in the journal and not at the centre", s, w.oracle.saved[d].describe())
			}
		}
		for _, d := range sortedDots(s.holds) {
			if m.at[d] == nil {
				return w.violate("I1 %s: %s was given to it and is not at the centre", s, d)
			}
		}
	}
	return nil
}

// checkReceipts: I6, what the centre gave a receipt for stands where the receipt says.
func (w *world) checkReceipts(m *model) error {
	for k, r := range w.oracle.receipts {
		if !w.centre.standsBy(r) {
			continue
		}
		x := m.pos[r.position]
		if x == nil || x.Place.Journal != k.journal || x.Place.Seq != k.seq || !bytes.HasPrefix(x.Place.Hash[:], k.hash[:]) {
			return w.violate("I6 a receipt says that %s/%d stands at %s", k.journal, k.seq, r.position)
		}
	}
	return nil
}

// checkRecords: the centre's records and digests are those of the model.
func (w *world) checkRecords(m *model) error {
	for _, code := range w.codes {
		v := w.centre.nodes[0].View(code)
		defer v.Done()
		for _, n := range m.union(code) {
			rec, err := v.Read(n.key)
			if err != nil {
				return err
			}
			if got, want := naiveOf(rec), m.recs[n]; got.hash(n.key) != want.hash(n.key) || got.pos != want.pos {
				return w.violate("I1 %s %d %s at the centre: %s at %s, want %s at %s", code, n.key.Kind, n.key.ID, got, got.pos, want, want.pos)
			}
		}
		if d, err := v.Digest(); err != nil || d != m.digest(code) {
			return w.violate("I3 digest of %s at the centre is not that of its records: %v", code, err)
		}
	}
	return nil
}

// checkSeats: I3, I8 and I9 at every PC.
func (w *world) checkSeats(m *model) error {
	for _, s := range w.seats() {
		if s.pc.revoked {
			if err := s.checkDoctor(m); err != nil {
				return err
			}
			continue
		}
		for _, step := range []func(*model) error{s.checkDrained, s.checkFork, s.checkLayer, s.checkVerdicts, s.checkDoctor} {
			if err := step(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkDrained: I8, nothing waits any more.
func (s *seat) checkDrained(*model) error {
	st, err := s.u.SessionState()
	if err != nil {
		return err
	}
	switch {
	case st.Head != s.head:
		return s.pc.w.violate("I1 %s: the journal ends at %s, saved was %s", s, st.Head.Dot(), s.head.Dot())
	case st.Answered != st.Head.Seq:
		return s.pc.w.violate("I8 %s: answered up to %d of %d", s, st.Answered, st.Head.Seq)
	case st.Receipt != st.Head && st.Head.Seq > 0:
		return s.pc.w.violate("I8 %s: receipt for %s, head %s", s, st.Receipt.Dot(), st.Head.Dot())
	case len(st.Wants)+len(st.Confirms) > 0 || st.Refetch || st.Whole != st.Cursor:
		return s.pc.w.violate("I8 %s: %d wanted, fetched up to %s of %s", s, len(st.Wants), st.Whole, st.Cursor)
	case !st.Proved.Done || st.Proved.Cursor != st.Cursor:
		return s.pc.w.violate("I3 %s: equality is proved at %s, the cursor is %s", s, st.Proved.Cursor, st.Cursor)
	case st.Lineage.Newest().Random != s.pc.w.centre.lineage().Newest().Random:
		return s.pc.w.violate("I6 %s: the newest life is %d, at the centre %d", s, st.Lineage.Newest().Number, s.pc.w.centre.lineage().Newest().Number)
	}
	return nil
}

// checkLayer: I3 and I9, the PC has the centre's records of its union and no others.
func (s *seat) checkLayer(m *model) error {
	layer, err := s.u.CentreRecords()
	if err != nil {
		return err
	}
	keys, err := layer.Keys()
	if err != nil {
		return err
	}
	there := 0
	for _, key := range keys {
		rec, err := layer.Record(key)
		if err != nil {
			return err
		}
		got, want := naiveOf(rec), m.recs[recordName{s.union, key}]
		if want == nil && got.empty() {
			continue // only held changes are of it, and the centre had them lost
		}
		if want == nil {
			return s.pc.w.violate("I9 %s: record %d %s is not of this union: %s at %s", s, key.Kind, key.ID, got, got.pos)
		}
		if got.hash(key) != want.hash(key) {
			return s.pc.w.violate("I3 %s: record %d %s is %s, at the centre %s", s, key.Kind, key.ID, got, want)
		}
		if !got.empty() {
			there++
		}
	}
	if want := len(m.union(s.union)); there != want {
		return s.pc.w.violate("I3 %s: %d records, at the centre %d", s, there, want)
	}
	return nil
}

// checkVerdicts: what the PC says became of its changes is what became of them.
func (s *seat) checkVerdicts(m *model) error {
	for i, d := range s.own {
		v, ok, err := s.u.OwnChanges().Verdict(uint64(i + 1))
		x := m.at[d]
		if err != nil || !ok || v != x.Verdict {
			return s.pc.w.violate("I6 %s: verdict on %s is %+v %v %v, at the centre %+v", s, d, v, ok, err, x.Verdict)
		}
	}
	return nil
}

// checkDoctor lets the PC look after itself: journal, store and view.
func (s *seat) checkDoctor(*model) error {
	r, err := s.u.Doctor(context.Background(), 0)
	if err != nil {
		return s.pc.w.violate("%s: doctor: %v", s, err)
	}
	for _, f := range r.Findings {
		switch f.Err.Code {
		case syncproto.CodeFoundHeld, syncproto.CodeFoundAside, syncproto.CodeFoundUndeliver, syncproto.CodeFoundBase:
		case syncproto.CodeFoundFrames:
			if len(s.damaged) == 0 {
				return s.pc.w.violate("I1 %s: doctor: %v", s, f.Err)
			}
		default:
			return s.pc.w.violate("I3 %s: doctor: %v", s, f.Err)
		}
	}
	return nil
}

// checkFork: I7, a PC whose journal went two ways is told so.
func (s *seat) checkFork(m *model) error {
	if m.tips(s.union)[s.head.Journal] > 1 && !slices.Contains(s.notices, syncproto.CodeForked) {
		return s.pc.w.violate("I7 %s: its journal went two ways, and nobody says so", s)
	}
	return nil
}
