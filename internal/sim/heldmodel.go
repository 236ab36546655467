package sim

import (
	"slices"

	"unionsync/syncproto"
)

// decided is what somebody decided about a held change, also before it came.
type decided struct {
	verb syncproto.Verb
	done bool
}

// judge does with a readable change what its verdict says, and says whether that is right.
func (m *model) judge(x *logged) error {
	q := queueName{x.name(), x.Place.Journal}
	decides, before := x.change.Verb != syncproto.VerbNone, m.ends[x.dot()]
	early := syncproto.VerbNone
	if before != nil && !before.done && !decides {
		early = before.verb
	}
	wrong := func(why string) error {
		return m.w.violate("I1 %s at %s is %s (%s): %s", x.dot(), x.Position, x.Verdict.Kind, x.Verdict.Reason, why)
	}
	switch behind := len(m.queue[q]) > 0 && !decides; {
	case early == syncproto.VerbDrop && x.Verdict.Kind != syncproto.VerdictDropped:
		return wrong("it was dropped before it came")
	case x.Verdict.Kind == syncproto.VerdictDropped:
		if early != syncproto.VerbDrop {
			return wrong("nobody dropped it")
		}
		before.done, x.gone = true, true
	case x.held:
		return m.hold(x, q, behind, early, wrong)
	case decides && !m.mayDecide(x):
		return wrong("its author may not decide")
	case decides:
		m.decide(x)
	case behind && early != syncproto.VerbAccept:
		return wrong("something before it is held")
	default:
		if before != nil {
			before.done = true
		}
		m.record(x.name()).merge(m.classOf, x.change, x.dot())
	}
	return nil
}

// hold queues a held change; its reason must be a true one.
func (m *model) hold(x *logged, q queueName, behind bool, early syncproto.Verb, wrong func(string) error) error {
	switch x.Verdict.Reason {
	case syncproto.HeldBehind:
		if !behind || early == syncproto.VerbAccept {
			return wrong("nothing before it is held")
		}
	case syncproto.HeldNotAllowed:
		if x.change.Verb == syncproto.VerbNone || m.mayDecide(x) {
			return wrong("it is allowed")
		}
	case syncproto.HeldValue:
		if x.change.Note != holdNote {
			return wrong("its values fit")
		}
		if early == syncproto.VerbAccept {
			return wrong("it was accepted before it came")
		}
	case syncproto.HeldAppendOnly:
		if !m.onlyGrows(x) {
			return wrong("nothing stands that it would edit")
		}
	case syncproto.HeldTooLarge:
	case syncproto.HeldRevoked:
		if m.w.revocations == 0 {
			return wrong("nobody was revoked")
		}
	default:
		return wrong("it can be read and is of this union")
	}
	if early == syncproto.VerbAccept {
		delete(m.ends, x.dot())
	}
	m.queue[q] = append(m.queue[q], x)
	return nil
}

func (m *model) mayDecide(x *logged) bool {
	if m.w.centre.ownJournal(x.Union, x.Place.Journal) {
		return true
	}
	for _, r := range x.change.Resolves {
		if r.Field == 0 && r.Dot.Journal != x.Place.Journal {
			return false
		}
	}
	return x.change.Verb == syncproto.VerbDrop
}

// decide takes the held changes that x names out of their queues: accepted ones are merged
// in the order in which they came, and so is what was held only behind them.
func (m *model) decide(x *logged) {
	verb := x.change.Verb
	var hits []*logged
	for _, r := range x.change.Resolves {
		h := m.at[r.Dot]
		switch {
		case r.Field != 0 || m.ends[r.Dot] != nil:
		case h == nil:
			m.ends[r.Dot] = &decided{verb: verb}
		case h.held && h.Union == x.Union && h.change == nil && verb == syncproto.VerbDrop:
			h.held, h.gone = false, true
			m.ends[r.Dot] = &decided{verb, true}
		case h.held && h.Union == x.Union && h.change != nil && h.name() == x.name():
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, func(a, b *logged) int { return int(a.Position) - int(b.Position) })
	var moved []queueName
	for _, h := range hits {
		q := queueName{h.name(), h.Place.Journal}
		if verb == syncproto.VerbAccept {
			m.record(h.name()).merge(m.classOf, h.change, h.dot())
		} else {
			h.gone = true
		}
		h.held = false
		m.ends[h.dot()] = &decided{verb, true}
		m.queue[q] = slices.DeleteFunc(m.queue[q], func(y *logged) bool { return y == h })
		if !slices.Contains(moved, q) {
			moved = append(moved, q)
		}
	}
	for _, q := range moved {
		for len(m.queue[q]) > 0 && m.queue[q][0].Verdict.Reason == syncproto.HeldBehind && !m.onlyGrows(m.queue[q][0]) {
			h := m.queue[q][0]
			m.queue[q] = m.queue[q][1:]
			h.held = false
			m.record(h.name()).merge(m.classOf, h.change, h.dot())
		}
	}
}

// onlyGrows reports whether a change edits a record of which nothing but a void and a same-as
// may be edited once it is there.
func (m *model) onlyGrows(x *logged) bool {
	k, ok := m.w.newest().ByNumber(x.change.Kind)
	if !ok || !k.AppendOnly {
		return false
	}
	there, edits := false, false
	for n, f := range m.record(x.name()).fields {
		there = there || n > syncproto.FieldSameAs && len(f.values) > 0
	}
	for _, e := range x.change.Edits {
		edits = edits || e.Field > syncproto.FieldSameAs
	}
	return there && edits
}
