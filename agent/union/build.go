package union

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"unionsync/agent/store"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

func itoa(n int) string { return strconv.Itoa(n) }

// group builds the changes of one save, one after the other: a later draft sees what an
// earlier one leaves, and may refer to its record.
type group struct {
	u     *Union
	s     *store.Store
	head  syncproto.Place
	views map[syncproto.RecordKey]*merge.Record
	built []built
}

// built is one change, ready for the journal.
type built struct {
	saved  Saved
	bytes  []byte
	change *syncproto.Change
}

// draft is one draft being turned into a change.
type draft struct {
	g      *group
	d      Draft
	k      *kind.Kind
	key    syncproto.RecordKey
	before *merge.Record // what the person saw; nil: new
	want   kind.Values   // values to be set
	clear  map[syncproto.FieldNumber]bool
	c      *syncproto.Change
	notes  []kind.Note
	bad    []*kind.Problem
}

// add builds the change of one draft.
func (g *group) add(d Draft) error {
	w := &draft{g: g, d: d, want: kind.Values{}, clear: map[syncproto.FieldNumber]bool{}}
	if err := w.open(); err != nil {
		return err
	}
	if err := w.read(); err != nil {
		return err
	}
	w.derive()
	if err := w.edits(); err != nil {
		return err
	}
	if len(w.c.Edits) == 0 && len(w.c.Resolves) == 0 {
		return syncproto.Fail(syncproto.CodeNothingChanged, "save", nil)
	}
	return w.finish()
}

// open finds the record and the kind.
func (w *draft) open() (err error) {
	if w.k, err = w.g.u.o.Kinds.Find(w.d.Kind); err != nil {
		return err
	}
	w.key = syncproto.RecordKey{Kind: w.k.Number, ID: w.d.ID}
	isNew := w.d.New || w.d.ID == syncproto.RecordID{}
	if w.d.ID == (syncproto.RecordID{}) {
		if w.key.ID, err = w.g.u.NewID(); err != nil {
			return err
		}
	}
	if w.before, err = w.g.view(w.key); err != nil {
		return err
	}
	switch {
	case isNew && there(w.before):
		return syncproto.Fail(syncproto.CodeRecordExists, "save", nil)
	case !isNew && !there(w.before):
		return syncproto.Fail(syncproto.CodeNotFound, "save", nil, "what", w.d.ID.String())
	}
	if w.d.still != nil {
		if err := w.d.still(w.before); err != nil {
			return err
		}
	}
	layer, err := w.g.s.Layer(w.key)
	if err != nil {
		return err
	}
	w.c = &syncproto.Change{
		Union: w.g.u.Code(), Kind: w.k.Number, ID: w.key.ID, KindVersion: w.k.Version,
		Actor: w.d.Actor, Time: w.g.u.o.Now().Unix(), Group: w.d.Group, Note: w.d.Note,
	}
	if w.c.Actor == "" {
		w.c.Actor = w.g.u.o.Actor
	}
	if layer != nil {
		w.c.Base = layer.Pos
	}
	return nil
}

// view gives a record as it stands after the drafts so far.
func (g *group) view(key syncproto.RecordKey) (*merge.Record, error) {
	if r, ok := g.views[key]; ok {
		return r, nil
	}
	return g.s.View(key)
}

// read gathers what is to be set and what is to be cleared.
func (w *draft) read() error {
	for n, v := range w.d.Values {
		w.want[n] = v
	}
	for _, n := range w.d.Clear {
		w.clear[n] = true
	}
	if w.d.Void != "" {
		w.want[syncproto.FieldVoid] = []byte(w.d.Void)
	}
	for _, name := range slices.Sorted(maps.Keys(w.d.Text)) {
		f, err := w.k.Find(name)
		if err != nil {
			return err
		}
		v, notes, problem := f.Parse(w.d.Text[name])
		switch {
		case problem != nil:
			w.bad = append(w.bad, problem)
		case len(v) == 0:
			w.clear[f.Number] = true
		default:
			w.want[f.Number] = v
			w.notes = append(w.notes, notes...)
		}
	}
	if len(w.bad) > 0 {
		return &Refused{Draft: len(w.g.built), Problems: w.bad}
	}
	for _, n := range w.fields() {
		if _, ok := w.k.FieldByNumber(n); !ok && n >= syncproto.FirstFieldNumber {
			return syncproto.Fail(syncproto.CodeUnknownName, "save", nil, "kind", w.k.Name, "field", itoa(int(n)))
		}
	}
	if w.k.AppendOnly && there(w.before) && slices.ContainsFunc(w.fields(), isOwnField) {
		return syncproto.Fail(syncproto.CodeAppendOnly, "save", nil, "kind", w.k.Name)
	}
	return nil
}

func isOwnField(n syncproto.FieldNumber) bool { return n >= syncproto.FirstFieldNumber }

// fields lists every field that the draft names, in order.
func (w *draft) fields() []syncproto.FieldNumber {
	set := map[syncproto.FieldNumber]bool{}
	for n := range w.want {
		set[n] = true
	}
	for n := range w.clear {
		set[n] = true
	}
	for _, m := range []map[syncproto.FieldNumber][][]byte{w.d.Add, w.d.Remove} {
		for n := range m {
			set[n] = true
		}
	}
	for _, n := range w.d.Decide {
		set[n] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// derive fills in what follows from the values: for a new record also defaults, for one
// that is edited only what follows from a field edited here.
func (w *draft) derive() {
	after := kind.Values{}
	if there(w.before) {
		after = Values(w.k, w.before)
	}
	for n, v := range w.want {
		after[n] = v
	}
	for n := range w.clear {
		delete(after, n)
	}
	seen := maps.Clone(after)
	switch {
	case !there(w.before):
		w.notes = append(w.notes, w.k.Complete(after)...)
	case w.derivesFromEdit():
		w.notes = append(w.notes, w.k.Derive(after)...)
	default:
		return
	}
	for n, v := range after {
		if !bytes.Equal(seen[n], v) {
			w.want[n] = v
			delete(w.clear, n)
		}
	}
}

func (w *draft) derivesFromEdit() bool {
	return slices.ContainsFunc(w.k.Fields, func(f *kind.Field) bool {
		if f.Derive == nil {
			return false
		}
		from, ok := w.k.Field(f.Derive.From)
		return ok && len(w.want[from.Number]) > 0
	})
}

// edits makes the change's edits, in the order of field numbers. What changes nothing is
// left out.
func (w *draft) edits() error {
	for _, n := range w.fields() {
		f, _ := w.k.FieldByNumber(n)
		if f != nil && f.Type == kind.TypeSet {
			w.editSet(n)
		} else {
			w.editValue(n)
		}
	}
	if slices.ContainsFunc(w.c.Edits, func(e syncproto.Edit) bool { return e.Field == syncproto.FieldVoid && !e.Cleared }) && w.before != nil {
		w.c.Saw = w.before.SawAll()
	}
	return nil
}

func (w *draft) editValue(n syncproto.FieldNumber) {
	decide := slices.Contains(w.d.Decide, n)
	have, has := w.before.Value(n)
	e := syncproto.Edit{Field: n, Value: w.want[n], Cleared: w.clear[n] && len(w.want[n]) == 0}
	field := w.before.Field(n)
	if decide && field != nil && len(field.Entries) > 0 {
		if len(e.Value) == 0 && !e.Cleared { // the current value is the one chosen
			e.Value, e.Cleared = field.Entries[0].Value, field.Entries[0].Cleared
		}
		for _, entry := range field.Entries {
			for _, d := range entry.Dots {
				w.c.Resolves = append(w.c.Resolves, syncproto.FieldDot{Field: n, Dot: d})
			}
		}
	} else if len(e.Value) > 0 && has && bytes.Equal(have, e.Value) || e.Cleared && !has {
		return
	}
	if len(e.Value) == 0 && !e.Cleared {
		return
	}
	e.Overwrote = w.before.SeenDots(n, w.k.Class(n))
	w.c.Edits = append(w.c.Edits, e)
}

func (w *draft) editSet(n syncproto.FieldNumber) {
	have := map[string][]syncproto.Dot{}
	if f := w.before.Field(n); f != nil {
		for _, e := range f.Elements {
			have[string(e.Value)] = e.Dots
		}
	}
	add, remove := map[string]bool{}, map[string]bool{}
	if v, ok := w.want[n]; ok || w.clear[n] {
		for _, e := range kind.SplitSet(v) {
			add[e] = true
		}
		for e := range have {
			remove[e] = !add[e]
		}
	}
	for _, e := range w.d.Add[n] {
		add[string(e)] = true
	}
	for _, e := range w.d.Remove[n] {
		remove[string(e)] = true
	}
	edit := syncproto.Edit{Field: n}
	for _, e := range slices.Sorted(maps.Keys(add)) {
		if have[e] == nil && e != "" {
			edit.Add = append(edit.Add, []byte(e))
		}
	}
	for _, e := range slices.Sorted(maps.Keys(remove)) {
		if remove[e] && have[e] != nil {
			edit.Remove = append(edit.Remove, syncproto.ElementDots{Element: []byte(e), Dots: have[e]})
		}
	}
	if edit.IsSet() {
		w.c.Edits = append(w.c.Edits, edit)
	}
}

// finish checks the record as it would be, and its limits, and takes the change into the
// group.
func (w *draft) finish() error {
	if err := w.c.Check(); err != nil {
		return syncproto.Fail(syncproto.CodeInvalid, "save", err, "what", "change")
	}
	b := w.c.Encode(w.g.head.Journal)
	if len(b) > syncproto.MaxChangeBytes {
		return syncproto.Fail(syncproto.CodeChangeTooLarge, "save", fmt.Errorf("%d bytes", len(b)), "max", itoa(syncproto.MaxChangeBytes))
	}
	place := w.g.head.Next(b)
	after, _ := merge.Merge(w.g.u.classes(w.key.Kind), w.before, w.c, place.Dot(), 0)
	if n := len(after.Encode()); n > syncproto.MaxRecordBytes {
		return syncproto.Fail(syncproto.CodeRecordTooLarge, "save", fmt.Errorf("%d bytes", n), "max", itoa(syncproto.MaxRecordBytes))
	}
	findings, err := w.check(after)
	if err != nil {
		return err
	}
	w.g.head = place
	w.g.views[w.key] = after
	w.g.built = append(w.g.built, built{bytes: b, change: w.c, saved: Saved{
		Kind: w.k.Name, ID: w.key.ID, New: !there(w.before), Place: place, Findings: findings, Notes: w.notes,
	}})
	return nil
}

// check runs the kind's rules. They do not keep anybody from saying that a record never
// was, or that two are one.
func (w *draft) check(after *merge.Record) ([]kind.Finding, error) {
	if !slices.ContainsFunc(w.c.Edits, func(e syncproto.Edit) bool { return isOwnField(e.Field) }) {
		return nil, nil
	}
	found := w.k.Check(Values(w.k, after), kind.Env{Today: w.g.u.Today(), Related: w.g.related, Explain: w.d.Explain})
	if kind.Blocked(found) {
		slices.SortStableFunc(found, func(a, b kind.Finding) int { return rank(a) - rank(b) })
		return nil, &Refused{Draft: len(w.g.built), Findings: found}
	}
	return found, nil
}

func rank(f kind.Finding) int {
	if f.Blocks() {
		return 0
	}
	return 1
}

// related finds a record that another refers to, also one of this group.
func (g *group) related(name string, id syncproto.RecordID) (kind.Values, bool) {
	if k, ok := g.u.o.Kinds.Kind(name); ok {
		if r := g.views[syncproto.RecordKey{Kind: k.Number, ID: id}]; r != nil && !r.Void() {
			return Values(k, r), true
		}
	}
	return g.u.Related(name, id)
}
