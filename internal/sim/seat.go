package sim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"unionsync/agent/union"
	"unionsync/syncproto"
)

// seat is one union on one PC.
type seat struct {
	pc    *pc
	union string
	dir   string
	u     *union.Union
	power power
	full  bool // the disk

	own     []syncproto.Dot        // every change that somebody saw as saved in this journal, in order
	head    syncproto.Place        // of these
	holds   map[syncproto.Dot]bool // changes of others that an answer gave, to be kept
	damaged map[uint64]bool        // own frames harmed in the file
	held    bool                   // an exchange told that something is held
	notices []syncproto.Code       // of the newest exchange
}

func (s *seat) String() string { return s.pc.name + "/" + s.union }

var dataKey = [32]byte{11, 22, 33}

func (s *seat) options() union.Options {
	return union.Options{
		Key: &dataKey, Kinds: s.pc.kinds, Actor: s.pc.name, Now: s.pc.now, Rand: s.pc.bytes, Timeout: time.Second,
		Free: s.free, Fault: s.fault,
	}
}

// free is the room on the disk: plenty, nothing, or just what the reserve takes.
func (s *seat) free(string) (uint64, error) {
	if !s.full {
		return 1 << 40, nil
	}
	return 33 << 20, nil
}

// create makes the folder as an enrolment does.
func (s *seat) create() error {
	u, err := union.Create(s.dir, s.union, s.options())
	if err != nil {
		return err
	}
	s.u, s.head.Journal = u, u.JournalID()
	return s.exchange()
}

// day is a day's work on this union and the evening's exchange, if they come about.
func (s *seat) day() error {
	h, d := s.pc.w.habits, s.pc.dice
	s.full = d.chance(h.full)
	if s.full {
		s.pc.w.fault("disk full")
	}
	defer func() { s.full = false }()
	for n := 0; n < 4 && d.chance(h.save); n++ {
		if err := s.risky(s.act); err != nil {
			return err
		}
	}
	if d.chance(h.exchange) {
		if d.chance(h.poor) {
			if err := s.poorLine(); err != nil {
				return err
			}
		}
		if err := s.risky(s.exchange); err != nil {
			return err
		}
	}
	if d.chance(0.1) {
		if err := s.look(); err != nil {
			return err
		}
	}
	if d.chance(h.bundle) {
		if err := s.risky(s.writeBundle); err != nil {
			return err
		}
	}
	s.full = false
	if d.chance(h.restart) {
		return s.restart()
	}
	return nil
}

// adopt takes what the journal has beyond what is known as saved: after a save that was
// told, and after a power cut in one that was not.
func (s *seat) adopt() error {
	w := s.pc.w
	for {
		more, err := s.u.OwnChanges().After(s.head.Seq, 1<<20, 1000)
		if err != nil {
			return w.violate("I1 %s: the journal cannot be read: %v", s, err)
		}
		if len(more) == 0 {
			return nil
		}
		for _, p := range more {
			if s.damaged[p.Place.Seq] {
				return w.violate("I1 %s: change %d was harmed before it was known", s, p.Place.Seq)
			}
			sum := sha256.Sum256(append(append([]byte{}, s.head.Hash[:]...), p.Bytes...))
			if p.Place.Seq != s.head.Seq+1 || p.Place.Hash != sum || p.Change == nil {
				return w.violate("I1 %s: change %s does not follow %s", s, p.Place.Dot(), s.head.Dot())
			}
			if err := w.oracle.save(w, s, p); err != nil {
				return err
			}
			s.own, s.head = append(s.own, p.Place.Dot()), p.Place
			w.trace.line("%s saved %s kind %d edits %d", s, p.Place.Dot(), p.Change.Kind, len(p.Change.Edits))
		}
	}
}

// checkJournal holds what was saved against the journal after it was opened anew.
func (s *seat) checkJournal() error {
	w := s.pc.w
	if got := s.u.JournalID(); got != s.head.Journal {
		return w.violate("I1 %s: the journal is %s, want %s", s, got, s.head.Journal)
	}
	if s.head.Seq == 0 {
		return s.adopt()
	}
	p, ok, err := s.u.OwnChanges().Place(s.head.Seq)
	if err != nil || !ok || p != s.head {
		return w.violate("I1 %s: saved up to %s, the journal has %s, %v, %v", s, s.head.Dot(), p.Dot(), ok, err)
	}
	return s.adopt()
}

// poorLine has the PC remember a line that bore next to nothing: it begins with the smallest
// batches and pages.
func (s *seat) poorLine() error {
	budget := binary.BigEndian.AppendUint32(nil, syncproto.MinBudgetBytes)
	err := s.u.PutFacts(union.Fact{Bucket: "exchange", Key: []byte("budget"), Value: budget})
	s.pc.w.note("poor line")
	return s.deadOr(err, "remember a poor line")
}

// look is a person who looks at what the centre and colleagues changed, and at the cases.
func (s *seat) look() error {
	w, ctx := s.pc.w, context.Background()
	news, err := s.u.News(ctx)
	if err == nil {
		err = s.deadOr(s.u.Looked(news), "look at news")
	}
	if err != nil {
		return w.violate("I7 %s: news: %v", s, err)
	}
	cases, err := s.u.Cases(ctx)
	if err != nil {
		return w.violate("I7 %s: cases: %v", s, err)
	}
	w.trace.line("%s looked at %d news and %d cases", s, len(news), len(cases))
	return nil
}

// restart closes the program and opens it again. Sometimes the store's folder is put back
// to an older copy meanwhile.
func (s *seat) restart() error {
	w := s.pc.w
	w.note("restart")
	w.trace.line("%s restart", s)
	back := s.pc.dice.chance(0.3)
	var old map[string][]byte
	if back {
		old = s.copyStore()
	}
	if back && s.pc.dice.chance(0.5) {
		if err := s.act(); err != nil { // what the older copy does not have
			return err
		}
	}
	if err := s.u.Close(); err != nil {
		return w.violate("%s: close: %v", s, err)
	}
	if back {
		w.fault("store put back")
		if err := s.putBack(old); err != nil {
			return err
		}
	}
	return s.open()
}

// open opens the folder and checks what is in it.
func (s *seat) open() error {
	u, err := union.Open(s.dir, s.options())
	if err != nil {
		s.u = nil
		return s.pc.w.violate("I1 %s: open: %v", s, err)
	}
	s.u = u
	return s.checkJournal()
}

// exchange syncs with the centre over a line that may fail.
func (s *seat) exchange() error {
	id := string(s.pc.id)
	s.pc.w.exchanging[id] = true
	defer delete(s.pc.w.exchanging, id)
	l := &line{w: s.pc.w, s: s}
	forgotten, wasSilent := s.forgotten(), s.pc.w.silent
	r, err := s.u.Exchange(context.Background(), l, s.pc.party())
	if s.power.dead {
		return nil
	}
	s.held, s.notices = s.held || r.Held > 0, r.Notices
	s.pc.w.trace.line("%s exchange rounds %d sent %d received %d complete %v equal %v err %d", s, r.Rounds, r.Sent, r.Received, r.Complete, r.Equal, syncproto.CodeOf(err))
	if err := l.settled(); err != nil {
		return err
	}
	if bad := s.alarming(r); bad != nil {
		return bad
	}
	if forgotten && err == nil && s.pc.w.silent == wasSilent && !slices.Contains(r.Notices, syncproto.CodeCentreBehind) && !slices.Contains(r.Notices, syncproto.CodeForked) {
		return s.pc.w.violate("I6 %s: the centre forgot what it gave a receipt for, and nobody is told", s)
	}
	if c := s.pc.w.city; err == nil && r.Complete && c != nil && s.pc.w.night <= 2*week {
		c.heard[s] = s.pc.w.night
	}
	if err == nil {
		return s.adopt() // what was saved midway
	}
	if errors.Is(err, errOver) {
		return err
	}
	if s.expected(l, err) {
		return s.adopt()
	}
	return s.pc.w.violate("I8 %s: exchange: %v", s, err)
}

// alarming looks for alarms without a cause.
func (s *seat) alarming(r union.Result) error {
	if s.pc.w.habits.silent > 0 && s.pc.w.troubled {
		return nil // alarms have a cause until all is in peace again
	}
	for _, c := range r.Notices {
		switch c {
		case syncproto.CodeDigest:
			return s.pc.w.violate("I3 %s: a digest alarm", s)
		case syncproto.CodeCentreBehind:
			return s.pc.w.violate("I6 %s: the centre is said to be behind, and it is not", s)
		case syncproto.CodeForked:
			if !s.pc.w.o.Features.Images {
				return s.pc.w.violate("I6 %s: a fork without a cause", s)
			}
		}
	}
	return nil
}

// expected tells whether an exchange may fail in this way after what was done to it.
func (s *seat) expected(l *line, err error) bool {
	switch syncproto.CodeOf(err) {
	case syncproto.CodeDiskFull:
		return s.full
	case syncproto.CodeCut, syncproto.CodeUnreachable:
		return l.faults > 0
	case syncproto.CodeAnswer:
		return l.stale > 0
	case syncproto.CodeDeviceRevoked:
		return s.pc.revoked
	}
	return false
}

// shows reads what the PC shows of a record.
func (s *seat) get(r record) (union.Row, bool) {
	row, err := s.u.Get(r.kind, r.id)
	return row, err == nil
}

var errDead = fmt.Errorf("the PC has no power")
