package sim

import (
	"slices"

	"unionsync/server/ledger"
	"unionsync/syncproto"
)

// model is what the centre's log must have come to, worked out a second time in the plainest
// way: every change from the first, one after the other.
type model struct {
	w     *world
	log   []*logged
	at    map[syncproto.Dot]*logged
	pos   map[syncproto.Position]*logged
	recs  map[recordName]*naive
	queue map[queueName][]*logged // held changes of a journal to a record, in order
	ends  map[syncproto.Dot]*decided
}

type recordName struct {
	union string
	key   syncproto.RecordKey
}

type queueName struct {
	recordName
	journal syncproto.JournalID
}

// logged is one change of the log.
type logged struct {
	*ledger.LogItem
	change *syncproto.Change // nil: it cannot be read, or is of another union
	held   bool              // now
	gone   bool              // dropped
}

func (x *logged) dot() syncproto.Dot { return x.Place.Dot() }

func (x *logged) name() recordName { return recordName{x.Union, x.change.Key()} }

// readModel reads the first replica's log and works it out.
func (w *world) readModel() (*model, error) {
	m := &model{
		w: w, at: map[syncproto.Dot]*logged{}, pos: map[syncproto.Position]*logged{},
		recs: map[recordName]*naive{}, queue: map[queueName][]*logged{}, ends: map[syncproto.Dot]*decided{},
	}
	_, err := w.centre.nodes[0].Log(0, func(it *ledger.LogItem) error {
		x := &logged{LogItem: it}
		if c, err := syncproto.DecodeChange(it.Bytes, it.Place.Journal); err == nil && len(it.Bytes) > 0 && c.Union == it.Union && c.Kind != 0 {
			x.change = c
		}
		return m.next(x)
	})
	return m, err
}

// next takes the next change of the log.
func (m *model) next(x *logged) error {
	if was := m.at[x.dot()]; was != nil {
		return m.w.violate("I2 %s is in the log at %s and at %s", x.dot(), was.Position, x.Position)
	}
	m.log = append(m.log, x)
	m.at[x.dot()], m.pos[x.Position] = x, x
	x.held = x.Verdict.Kind == syncproto.VerdictHeld
	if x.change == nil {
		early := m.ends[x.dot()]
		dropped := early != nil && !early.done && early.verb == syncproto.VerbDrop
		if x.held == dropped || dropped && x.Verdict.Kind != syncproto.VerdictDropped {
			return m.w.violate("I1 %s cannot be read and is %s", x.dot(), x.Verdict.Kind)
		}
		if dropped {
			early.done = true
		} else if early != nil && !early.done {
			delete(m.ends, x.dot())
		}
		return nil
	}
	if err := m.judge(x); err != nil {
		return err
	}
	r := m.record(x.name())
	r.pos = x.Position
	if h := r.hash(x.change.Key()); syncproto.RecordHash(h[:syncproto.RecordHashSize]) != x.Verdict.Hash {
		return m.w.violate("I1 %s at %s: the record is another after it: %s", x.dot(), x.Position, r)
	}
	return nil
}

func (m *model) record(n recordName) *naive {
	r := m.recs[n]
	if r == nil {
		r = &naive{fields: map[syncproto.FieldNumber]*naiveField{}}
		m.recs[n] = r
	}
	return r
}

func (m *model) classOf(k syncproto.KindNumber, n syncproto.FieldNumber) syncproto.MergeClass {
	if kind, ok := m.w.newest().ByNumber(k); ok {
		return kind.Class(n)
	}
	return syncproto.ClassAsk
}

// union gives the names of a union's records that hold anything, in order.
func (m *model) union(code string) []recordName {
	var out []recordName
	for n, r := range m.recs {
		if n.union == code && !r.empty() {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b recordName) int { return a.key.Compare(b.key) })
	return out
}

// digest is a union's digest.
func (m *model) digest(code string) (d syncproto.Hash) {
	for _, n := range m.union(code) {
		h := m.recs[n].hash(n.key)
		for i := range d {
			d[i] ^= h[i]
		}
	}
	return d
}
