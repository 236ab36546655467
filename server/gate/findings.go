package gate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"unionsync/server/census"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// kindFinding is the kind of what rules find after a merge.
const kindFinding = "finding"

// Words of the kind finding.
const (
	findingOpen   = "open"
	findingClosed = "closed"
)

// Bounds of the work on findings.
const (
	findingItems   = 500  // logged changes looked at in one step
	findingChanges = 300  // staff changes in one entry
	findingNote    = 5000 // positions after which the log says how far the work has come, though nothing was found
)

// finder works out, at the leader and after the fact, what the rules of the newest kind files
// find on records that were touched. Its work list is the log: the state says up to where
// the work is in it, a new leader goes on from there, and work done twice changes nothing.
type finder struct {
	g     *Gate
	mu    sync.Mutex         // one step at a time; guards the rest
	at    syncproto.Position // worked out up to here; 0: to be read
	noted syncproto.Position // as the state has it
}

// Findings works out what is left of the log, and returns when nothing is. On a node that
// does not lead it does nothing. No exchange waits for it.
func (g *Gate) Findings(ctx context.Context) error {
	for {
		more, err := g.finder.step(ctx)
		if err != nil || !more || ctx.Err() != nil {
			return err
		}
	}
}

// step works out a part of the log and reports whether some is left.
func (f *finder) step(ctx context.Context) (more bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.g.cfg.Ledger
	if !f.g.cfg.Log.Leads() || !l.Ready() {
		f.at = 0
		return false, nil
	}
	if f.at == 0 {
		if f.noted, err = l.Found(); err != nil {
			return false, err
		}
		f.at = f.noted
	}
	if f.at >= l.Head() {
		return false, nil
	}
	list, to, err := f.touched()
	if err != nil {
		return false, fmt.Errorf("read what was touched: %w", err)
	}
	w := newFinding(l, f.g.now())
	defer w.done()
	for _, t := range list {
		if err := w.record(t); err != nil {
			return false, fmt.Errorf("check a record of %s: %w", t.union, err)
		}
	}
	if len(w.changes) > 0 || far(f.noted, to) {
		if err := f.propose(ctx, w.changes, to); err != nil {
			return false, err
		}
		f.noted = to
	}
	f.at = to
	return to < l.Head(), nil
}

// far reports whether a new leader would have much to work out again.
func far(noted, to syncproto.Position) bool {
	if noted.Generation() != to.Generation() {
		return to.Count() >= findingNote
	}
	return to-noted >= findingNote
}

// touch is one record that changed, with what the last change to it says of its author.
type touch struct {
	union   string
	key     syncproto.RecordKey
	version uint32 // of the kind by which the author's program checked
	blind   bool   // something changed that the author had not seen
}

var errEnough = errors.New("enough")

// touched gives the records that the log touches next, each once, and up to where it looked.
func (f *finder) touched() ([]touch, syncproto.Position, error) {
	type name struct {
		union string
		key   syncproto.RecordKey
	}
	all, n, last := map[name]touch{}, 0, f.at
	head, err := f.g.cfg.Ledger.Log(f.at, func(item *ledger.LogItem) error {
		if n == findingItems {
			return errEnough
		}
		n++
		last = item.Position
		if item.Verdict.Kind == syncproto.VerdictHeld {
			return nil
		}
		c, err := syncproto.DecodeChange(item.Bytes, item.Place.Journal)
		if err != nil {
			return nil //nolint:nilerr // what cannot be read touched nothing
		}
		all[name{item.Union, c.Key()}] = touch{union: item.Union, key: c.Key(), version: c.KindVersion,
			blind: item.Verdict.Kind != syncproto.VerdictApplied}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, 0, err
	}
	if err == nil {
		last = head
	}
	list := slices.SortedFunc(maps.Values(all), func(a, b touch) int {
		return cmp.Or(strings.Compare(a.union, b.union), a.key.Compare(b.key))
	})
	return list, last, nil
}

// propose commits changes in entries of a bounded size; the last one says how far the work
// has come.
func (f *finder) propose(ctx context.Context, changes []*entrypb.StaffChange, to syncproto.Position) error {
	for {
		n := min(len(changes), findingChanges)
		s := &entrypb.Staff{Time: f.g.now(), Actor: clip("node/"+f.g.cfg.Node.ID(), syncproto.MaxActorBytes), Changes: changes[:n], Node: f.g.cfg.Node.ID()}
		if changes = changes[n:]; len(changes) == 0 {
			s.Found = uint64(to)
		}
		if _, err := f.g.propose(ctx, s); err != nil {
			return fmt.Errorf("propose findings: %w", err)
		}
		if len(changes) == 0 {
			return nil
		}
	}
}

// finding turns records into changes of kind finding.
type finding struct {
	l        *ledger.Ledger
	versions *kind.Versions
	kind     *kind.Kind // finding itself; nil while it is not in force
	today    string
	changes  []*entrypb.StaffChange
	ids      map[syncproto.KindNumber][]string // of rules, by kind

	// The union whose records have their turn: one view serves them all.
	union string
	view  *ledger.View
	known map[syncproto.RecordID]bool // findings that there are, open or closed
}

func newFinding(l *ledger.Ledger, now int64) *finding {
	w := &finding{l: l, versions: l.Versions(), today: census.DayAt(now).String(), ids: map[syncproto.KindNumber][]string{}}
	w.kind, _ = w.versions.Newest().Kind(kindFinding)
	return w
}

// record compares what the rules find on one record with the findings that are open.
func (w *finding) record(t touch) error {
	k, ok := w.versions.Newest().ByNumber(t.key.Kind)
	if !ok || w.kind == nil || k == w.kind {
		return nil
	}
	rules := w.rules(k.Number)
	if len(rules) == 0 {
		return nil
	}
	if err := w.turn(t.union); err != nil {
		return err
	}
	found, err := w.check(w.view, k, t)
	if err != nil || len(found) == 0 && len(w.known) == 0 {
		return err
	}
	for _, rule := range rules {
		if err := w.one(w.view, t, k, rule, found[rule]); err != nil {
			return err
		}
	}
	return nil
}

// turn opens a union, unless it is open. Most unions have no findings, and need not be asked for
// each rule of each record.
func (w *finding) turn(union string) (err error) {
	if w.view != nil && w.union == union {
		return nil
	}
	w.done()
	w.union, w.view = union, w.l.View(union)
	w.known, err = w.view.IDs(w.kind.Number)
	return err
}

// done closes the union that is open.
func (w *finding) done() {
	if w.view != nil {
		w.view.Done()
		w.view = nil
	}
}

// rules gives the ids of all rules that a version of the kind ever had and whose findings are
// kept: those that forbid and those that want an explanation.
func (w *finding) rules(n syncproto.KindNumber) []string {
	if ids, ok := w.ids[n]; ok {
		return ids
	}
	ids := map[string]bool{}
	for _, k := range w.versions.Of(n) {
		for _, r := range k.Rules {
			if r.Class == kind.ClassBlocks || r.Class == kind.ClassExplain {
				ids[r.ID] = true
			}
		}
	}
	w.ids[n] = slices.Sorted(maps.Keys(ids))
	return w.ids[n]
}

// check gives what the newest rules find, by rule. A voided record has no findings. What
// wants an explanation was explained by an author whose program had the rule and who saw all
// that the record holds.
func (w *finding) check(v *ledger.View, k *kind.Kind, t touch) (map[string]*kind.Rule, error) {
	r, err := v.Read(t.key)
	if err != nil || r == nil || r.Void() {
		return nil, err
	}
	env := kind.Env{Today: w.today, Related: func(name string, id syncproto.RecordID) (kind.Values, bool) {
		other, ok := w.versions.Newest().Kind(name)
		if !ok {
			return nil, false
		}
		rec, err := v.Read(syncproto.RecordKey{Kind: other.Number, ID: id})
		if err != nil || rec == nil || rec.Void() {
			return nil, false
		}
		return valuesOf(other, rec), true
	}}
	theirs, _ := w.versions.At(k.Number, t.version)
	out := map[string]*kind.Rule{}
	for _, f := range k.CheckRules(valuesOf(k, r), env) {
		if f.Code != syncproto.CodeRule {
			continue
		}
		if f.Class == kind.ClassBlocks || f.Class == kind.ClassExplain && (t.blind || !hasRule(theirs, f.Rule)) {
			out[f.Rule] = ruleOf(k, f.Rule)
		}
	}
	return out, nil
}

func hasRule(k *kind.Kind, id string) bool { return k != nil && ruleOf(k, id) != nil }

func ruleOf(k *kind.Kind, id string) *kind.Rule {
	for _, r := range k.Rules {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// valuesOf gives a record's current values as rules see them.
func valuesOf(k *kind.Kind, r *merge.Record) kind.Values {
	out := kind.Values{}
	for _, f := range k.Fields {
		if f.Type == kind.TypeSet {
			var set []string
			for _, e := range r.Set(f.Number) {
				set = append(set, string(e))
			}
			if len(set) > 0 {
				out[f.Number] = kind.JoinSet(set)
			}
		} else if v, ok := r.Value(f.Number); ok {
			out[f.Number] = slices.Clone(v)
		}
	}
	return out
}

// FindingID names the finding of a rule on a record: the same wherever it is made.
func FindingID(kind string, id syncproto.RecordID, rule string) syncproto.RecordID {
	return syncproto.HashedID(kindFinding, kind, id.String(), rule)
}

// one makes the change that brings one finding up to date, if any is needed.
func (w *finding) one(v *ledger.View, t touch, k *kind.Kind, id string, rule *kind.Rule) error {
	key := syncproto.RecordKey{Kind: w.kind.Number, ID: FindingID(k.Name, t.key.ID, id)}
	if rule == nil && !w.known[key.ID] {
		return nil
	}
	before, err := v.Read(key)
	if err != nil {
		return err
	}
	want := map[string]string{"state": findingClosed}
	switch {
	case rule != nil:
		want = map[string]string{
			"kind": k.Name, "record": t.key.ID.String(), "rule": id, "severity": rule.Class, "state": findingOpen,
			"zh": rule.Message.Zh, "en": rule.Message.En, "source": rule.Source, "version": strconv.FormatUint(uint64(k.Version), 10),
		}
	case before == nil:
		return nil
	}
	var fields []*entrypb.FieldValue
	for _, f := range w.kind.Fields {
		value, ok := want[f.Name]
		if old, _ := before.Value(f.Number); ok && !bytes.Equal(old, []byte(value)) {
			fields = append(fields, &entrypb.FieldValue{Field: uint32(f.Number), Value: []byte(value)})
		}
	}
	if len(fields) > 0 {
		w.changes = append(w.changes, &entrypb.StaffChange{Union: t.union, Kind: uint32(key.Kind), Id: key.ID[:], KindVersion: w.kind.Version, Fields: fields})
	}
	return nil
}
