package merge

import (
	"slices"

	"unionsync/syncproto"
)

// voidDoubts finds what a person must be asked because of a void: a void whose author had
// not seen the newest of some field, or a change to a record that is void. Arrived says
// for each edit whether it came superseded.
func (m *merger) voidDoubts(arrived []bool) []syncproto.FieldDot {
	m.pruneVoidSaw()
	var doubts []syncproto.FieldDot
	if e := m.c.Edit(syncproto.FieldVoid); e != nil && !e.Cleared {
		doubts = m.voidDoubtsOfVoid()
	} else {
		doubts = m.voidDoubtsOfEdit(arrived)
	}
	var fresh []syncproto.FieldDot
	for _, d := range doubts {
		i, ok := slices.BinarySearchFunc(m.r.Doubts, d, compareFieldDot)
		if !ok {
			m.r.Doubts = slices.Insert(slices.Clone(m.r.Doubts), i, d)
			fresh = append(fresh, d)
		}
	}
	return fresh
}

// voidDoubtsOfVoid is for a change that voids the record: every other field's current
// entry must hold a dot that its author saw. A decision between two voids names in its
// resolves what it settles and saw nothing new, so it raises no doubt.
func (m *merger) voidDoubtsOfVoid() []syncproto.FieldDot {
	if m.resolvesVoid() {
		return nil
	}
	var doubts []syncproto.FieldDot
	for i := range m.r.Fields {
		f := &m.r.Fields[i]
		if f.Number == syncproto.FieldVoid || len(f.Entries) == 0 {
			continue
		}
		if !anyOf(f.Entries[0].Dots, m.saw(f.Number)) && !hasDot(f.Entries[0].Dots, m.dot) {
			doubts = append(doubts, syncproto.FieldDot{Field: f.Number, Dot: m.dot})
		}
	}
	for _, s := range m.c.Saw {
		f := m.r.Field(s.Field)
		if f == nil || !slices.ContainsFunc(f.Entries, func(e Entry) bool { return hasDot(e.Dots, s.Dot) }) {
			m.r.VoidSaw = append(slices.Clone(m.r.VoidSaw), VoidSaw{Void: m.dot, Saw: s})
		}
	}
	return doubts
}

func (m *merger) saw(n syncproto.FieldNumber) []syncproto.Dot {
	var out []syncproto.Dot
	for _, s := range m.c.Saw {
		if s.Field == n {
			out = append(out, s.Dot)
		}
	}
	return out
}

func (m *merger) resolvesVoid() bool {
	return slices.ContainsFunc(m.c.Resolves, func(r syncproto.FieldDot) bool { return r.Field == syncproto.FieldVoid })
}

// voidDoubtsOfEdit is for a change to a record that is void already: a doubt for each
// edit, unless the change resolves the void, a void knew of it, or it came superseded.
func (m *merger) voidDoubtsOfEdit(arrived []bool) []syncproto.FieldDot {
	void := m.standingVoid()
	if len(void) == 0 || m.resolvesVoid() {
		return nil
	}
	var doubts []syncproto.FieldDot
	for i := range m.c.Edits {
		e := &m.c.Edits[i]
		if e.IsSet() || e.Field == syncproto.FieldVoid || arrived[i] || m.voidSawThis(e.Field) {
			continue
		}
		doubts = append(doubts, syncproto.FieldDot{Field: e.Field, Dot: void[0]})
	}
	return doubts
}

// standingVoid gives the dots of all entries of the void field that hold a reason.
func (m *merger) standingVoid() []syncproto.Dot {
	f := m.r.Field(syncproto.FieldVoid)
	if f == nil {
		return nil
	}
	var out []syncproto.Dot
	for _, e := range f.Entries {
		if !e.Cleared {
			out = append(out, e.Dots...)
		}
	}
	return out
}

func (m *merger) voidSawThis(n syncproto.FieldNumber) bool {
	want := syncproto.FieldDot{Field: n, Dot: m.dot}
	return slices.ContainsFunc(m.r.VoidSaw, func(v VoidSaw) bool { return v.Saw == want })
}

// pruneVoidSaw forgets what voids saw that do not stand any more.
func (m *merger) pruneVoidSaw() {
	if len(m.r.VoidSaw) == 0 {
		return
	}
	standing := m.standingVoid()
	m.r.VoidSaw = slices.DeleteFunc(slices.Clone(m.r.VoidSaw), func(v VoidSaw) bool { return !slices.Contains(standing, v.Void) })
}
