package sim

import (
	"fmt"

	"unionsync/syncproto"
)

// maxQuiet bounds the rounds of exchanges until nothing moves any more.
const maxQuiet = 30

// rest leaves everything in peace until nothing moves, and checks what then must hold.
func (w *world) rest() error {
	w.trace.line("rest, night %d, head %s", w.night, w.centre.head())
	if err := w.repair(true); err != nil {
		return err
	}
	w.peace = true
	defer func() { w.peace, w.troubled = false, false }()
	if err := w.quiesce(); err != nil {
		return err
	}
	return w.check()
}

// quiesce lets all PCs exchange over good lines until two rounds in a row change nothing.
func (w *world) quiesce() error {
	still, before := 0, ""
	for round := 0; still < 2; round++ {
		if round > maxQuiet {
			return w.violate("I8 never quiet: %s", before)
		}
		for _, s := range w.seats() {
			if err := s.exchange(); err != nil {
				return err
			}
		}
		now, err := w.shape()
		if err != nil {
			return err
		}
		if now == before {
			still++
		} else {
			still, before = 0, now
		}
	}
	return nil
}

// shape is what must stop moving.
func (w *world) shape() (string, error) {
	out := w.centre.head().String()
	for _, s := range w.seats() {
		st, err := s.u.SessionState()
		if err != nil {
			return "", w.violate("%s: state: %v", s, err)
		}
		out += fmt.Sprintf(" %s:%s,%d,%d,%d,%d,%v,%d,%d", s, st.Cursor, st.Head.Seq, st.Receipt.Seq, st.Answered, len(st.Wants), st.Refetch, len(st.Confirms), len(st.Lineage))
	}
	return out, nil
}

// check holds everything against what must hold after an exchange without anything left to do.
func (w *world) check() error {
	m, err := w.readModel()
	if err != nil {
		return err
	}
	for _, step := range []func(*model) error{w.checkLog, w.checkReplicas, w.checkSaved, w.checkReceipts, w.checkRecords, w.checkSeats, w.checkCases, w.checkCounts} {
		if err := step(m); err != nil {
			return err
		}
	}
	w.note("checked")
	return nil
}

// checkReplicas: I5, equal states at equal positions.
func (w *world) checkReplicas(*model) error {
	var first syncproto.Hash
	for i := range w.centre.nodes {
		h, err := w.centre.stateHash(i)
		if err != nil {
			return err
		}
		if i > 0 && h != first {
			return w.violate("I5 replica %d differs", i)
		}
		first = h
	}
	return nil
}
