package ledger

import (
	"cmp"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// settled is what became of a readable change and of its record.
type settled struct {
	after  *merge.Record
	bytes  []byte // of after; nil: not encoded yet
	kind   syncproto.VerdictKind
	reason syncproto.HeldReason
}

// settle says what becomes of a readable change. A decision about held changes is carried
// out and not held behind them; a change that was decided about before it came gets what was
// decided; any other is merged, or held and queued.
func (a *applier) settle(c *arrival, key syncproto.RecordKey, before *merge.Record, p syncproto.Position) (settled, error) {
	reason, err := a.holdReason(c, key, before)
	if err != nil {
		return settled{}, err
	}
	if reason == syncproto.HeldNot && c.change.EndsHold() {
		return a.decide(c, key, before, p)
	}
	early, err := a.takeEarly(c.place.Dot())
	if err != nil {
		return settled{}, err
	}
	mergeable := reason == syncproto.HeldNot || early == syncproto.VerbAccept && reason != syncproto.HeldMalformed
	switch {
	case early == syncproto.VerbDrop:
		if reason != syncproto.HeldRevoked { // that one is told apart for good: see session's pager
			reason = syncproto.HeldNot
		}
		return settled{after: touched(before, p), kind: syncproto.VerdictDropped, reason: reason}, nil
	case mergeable:
		after, kind := a.merged(key, before, c.change, c.place.Dot(), p)
		if b := after.Encode(); len(b) <= syncproto.MaxRecordBytes {
			return settled{after: after, bytes: b, kind: kind}, a.endEarly(c.place.Dot(), early)
		}
		reason = syncproto.HeldTooLarge
	}
	if err := a.forgetEarly(c.place.Dot(), early); err != nil {
		return settled{}, err
	}
	if err := a.queue(c, key, p); err != nil {
		return settled{}, err
	}
	return settled{after: touched(before, p), kind: syncproto.VerdictHeld, reason: reason}, nil
}

// merged gives the record after a change; it may be larger than a record may be.
func (a *applier) merged(key syncproto.RecordKey, before *merge.Record, c *syncproto.Change, dot syncproto.Dot, p syncproto.Position) (after *merge.Record, kind syncproto.VerdictKind) {
	after, result := merge.Merge(a.classes(key.Kind), before, c, dot, p)
	return after, result.Kind
}

// holdReason says why a readable change may not touch its record, if so.
func (a *applier) holdReason(c *arrival, key syncproto.RecordKey, before *merge.Record) (syncproto.HeldReason, error) {
	if c.held != syncproto.HeldNot {
		return c.held, nil
	}
	if bad := c.change.Check(); bad != nil || c.change.EndsHold() && len(c.change.Edits) > 0 {
		return syncproto.HeldMalformed, nil //nolint:nilerr // a verdict, not a failure
	}
	if c.change.EndsHold() {
		if !a.mayDecide(c) {
			return syncproto.HeldNotAllowed, nil
		}
		return syncproto.HeldNot, nil // it ends a hold, so it is not held behind it
	}
	if a.onlyGrows(key, before, c.change) {
		return syncproto.HeldAppendOnly, nil
	}
	q, err := a.heldQueue(c.union, c.place.Journal, key)
	if err != nil {
		return 0, err
	}
	if len(q.GetPositions()) > 0 {
		return syncproto.HeldBehind, nil
	}
	return syncproto.HeldNot, nil
}

// onlyGrows reports whether c edits what may not be edited of a record of its kind. A record
// of which only a void or a same-as has come is not there yet: what makes it may follow.
func (a *applier) onlyGrows(key syncproto.RecordKey, before *merge.Record, c *syncproto.Change) bool {
	k, ok := a.kinds.ByNumber(key.Kind)
	return ok && k.AppendOnly && before != nil && editsMore(c) &&
		slices.ContainsFunc(before.Fields, func(f merge.Field) bool { return ownField(f.Number) })
}

// mayDecide reports whether c's author may decide what it decides: staff about everything,
// the author of a held change to drop it.
func (a *applier) mayDecide(c *arrival) bool {
	if a.isStaff(c.union, c.place.Journal) {
		return true
	}
	return c.change.Verb == syncproto.VerbDrop && !slices.ContainsFunc(c.change.Resolves, func(r syncproto.FieldDot) bool {
		return r.Field == 0 && r.Dot.Journal != c.place.Journal
	})
}

// isStaff reports whether j is the journal of staff to a union, in any life of the centre.
func (a *applier) isStaff(union string, j syncproto.JournalID) bool {
	return IsStaffJournal(a.lineage, union, j)
}

// takeEarly gives what was decided about a change before it came, if anything; a drop is
// carried out thereby.
func (a *applier) takeEarly(d syncproto.Dot) (syncproto.Verb, error) {
	if a.meta.GetEarly() == 0 {
		return syncproto.VerbNone, nil
	}
	e := new(entrypb.Decision)
	ok, err := getMessage(a.txn, keyEnded(d), e)
	if err != nil || !ok || e.GetDone() {
		return syncproto.VerbNone, err
	}
	verb := syncproto.Verb(e.GetVerb())
	if verb == syncproto.VerbDrop {
		return verb, a.endEarly(d, verb)
	}
	return verb, nil
}

// endEarly notes that what was decided about a change before it came has been carried out.
func (a *applier) endEarly(d syncproto.Dot, verb syncproto.Verb) error {
	if verb == syncproto.VerbNone {
		return nil
	}
	e := new(entrypb.Decision)
	if _, err := getMessage(a.txn, keyEnded(d), e); err != nil {
		return err
	}
	e.Done = true
	a.meta.Early--
	return a.setMessage(keyEnded(d), e)
}

// forgetEarly takes back an acceptance of what cannot be merged now that it has come.
func (a *applier) forgetEarly(d syncproto.Dot, verb syncproto.Verb) error {
	if verb == syncproto.VerbNone {
		return nil
	}
	a.meta.Early--
	return a.delete(keyEnded(d))
}

// ending is a decision about held changes of one record, being carried out.
type ending struct {
	a      *applier
	c      *arrival
	key    syncproto.RecordKey
	p      syncproto.Position
	record *merge.Record
	kind   syncproto.VerdictKind
	queues map[syncproto.JournalID]*entrypb.HeldQueue
	order  []syncproto.JournalID // those that lost something
}

// decide carries out a decision: what it names goes out of its queue and, if it is accepted,
// into the record, in the order of their positions; then what was held only behind it
// follows. What has not come is remembered. Of opposed decisions the first stands.
func (a *applier) decide(c *arrival, key syncproto.RecordKey, before *merge.Record, p syncproto.Position) (settled, error) {
	e := &ending{a: a, c: c, key: key, p: p, record: before, kind: syncproto.VerdictApplied, queues: map[syncproto.JournalID]*entrypb.HeldQueue{}}
	var hits []*LogItem
	for _, r := range c.change.Resolves {
		if r.Field != 0 {
			continue
		}
		item, err := e.find(r.Dot)
		if err != nil {
			return settled{}, err
		}
		if item != nil {
			hits = append(hits, item)
		}
	}
	slices.SortFunc(hits, func(x, y *LogItem) int { return cmp.Compare(x.Position, y.Position) })
	for _, item := range hits {
		if err := e.end(item); err != nil {
			return settled{}, err
		}
	}
	if err := e.release(); err != nil {
		return settled{}, err
	}
	return settled{after: touched(e.record, p), kind: e.kind}, nil
}

// find gives a held change that waits for this decision, nil if there is nothing to end now.
func (e *ending) find(d syncproto.Dot) (*LogItem, error) {
	a := e.a
	was := new(entrypb.Decision)
	if known, err := getMessage(a.txn, keyEnded(d), was); err != nil || known {
		if err == nil && syncproto.Verb(was.GetVerb()) != e.c.change.Verb {
			a.opposed(e.c, d)
		}
		return nil, err
	}
	b, err := getBytes(a.txn, keyPlace(d))
	if err != nil {
		return nil, err
	}
	if b == nil {
		a.meta.Early++
		return nil, e.note(d, false)
	}
	pos, err := decodePosition(b)
	if err != nil {
		return nil, err
	}
	item, err := readLog(a.txn, pos)
	if err != nil || item.Verdict.Kind != syncproto.VerdictHeld || item.Union != e.c.union {
		return nil, err
	}
	return item, nil
}

func (e *ending) note(d syncproto.Dot, done bool) error {
	return e.a.setMessage(keyEnded(d), &entrypb.Decision{Verb: uint32(e.c.change.Verb), Done: done, Position: uint64(e.p)})
}

// end takes one held change out of its queue. One that cannot be merged stays, if it is
// accepted: it can only be dropped.
func (e *ending) end(item *LogItem) error {
	drop := e.c.change.Verb == syncproto.VerbDrop
	held := readable(item)
	if held == nil {
		if !drop {
			return nil
		}
		e.a.unreadableHeld(item.Place.Dot(), true)
		return e.note(item.Place.Dot(), true) // it was in no queue
	}
	j := item.Place.Journal
	q, err := e.queue(j)
	if err != nil {
		return err
	}
	i := slices.Index(q.Positions, uint64(item.Position))
	if i < 0 || !drop && !e.merge(item, held) {
		return nil
	}
	q.Positions = slices.Delete(q.Positions, i, i+1)
	if !slices.Contains(e.order, j) {
		e.order = append(e.order, j)
	}
	return e.note(item.Place.Dot(), true)
}

// merge merges a held change at the decision's position, if it can be merged.
func (e *ending) merge(item *LogItem, held *syncproto.Change) bool {
	if held.Check() != nil || item.Verdict.Reason == syncproto.HeldMalformed {
		return false
	}
	after, kind := e.a.merged(e.key, e.record, held, item.Place.Dot(), e.p)
	fits := len(after.Encode()) <= syncproto.MaxRecordBytes
	if fits {
		e.record, e.kind = after, max(e.kind, kind)
	}
	return fits
}

// release merges what was held only behind what this decision ended, and writes the queues.
func (e *ending) release() error {
	for _, j := range e.order {
		q := e.queues[j]
		for len(q.Positions) > 0 {
			item, err := readLog(e.a.txn, syncproto.Position(q.Positions[0]))
			if err != nil {
				return err
			}
			held := readable(item)
			if item.Verdict.Reason != syncproto.HeldBehind || held == nil || e.a.onlyGrows(e.key, e.record, held) || !e.merge(item, held) {
				break
			}
			q.Positions = q.Positions[1:]
		}
		k := keyHeld(e.c.union, j, e.key)
		var err error
		if len(q.Positions) == 0 {
			err = e.a.delete(k)
		} else {
			err = e.a.setMessage(k, q)
		}
		if err == nil {
			err = e.a.heldMoved(j, e.key, q)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *ending) queue(j syncproto.JournalID) (*entrypb.HeldQueue, error) {
	if q := e.queues[j]; q != nil {
		return q, nil
	}
	q, err := e.a.heldQueue(e.c.union, j, e.key)
	e.queues[j] = q
	return q, err
}

// readable gives the change of a log item that names a record of its own union, else nil.
func readable(item *LogItem) *syncproto.Change {
	if item.Bytes == nil {
		return nil
	}
	c, err := syncproto.DecodeChange(item.Bytes, item.Place.Journal)
	if err != nil || c.Kind == 0 || c.Union != item.Union {
		return nil
	}
	return c
}

func (a *applier) heldQueue(union string, j syncproto.JournalID, key syncproto.RecordKey) (*entrypb.HeldQueue, error) {
	if !a.l.queued[union] {
		return new(entrypb.HeldQueue), nil
	}
	return readQueue(a.txn, union, j, key)
}

func readQueue(txn *badger.Txn, union string, j syncproto.JournalID, key syncproto.RecordKey) (*entrypb.HeldQueue, error) {
	q := new(entrypb.HeldQueue)
	_, err := getMessage(txn, keyHeld(union, j, key), q)
	return q, err
}

func (a *applier) queue(c *arrival, key syncproto.RecordKey, p syncproto.Position) error {
	q, err := a.heldQueue(c.union, c.place.Journal, key)
	if err != nil {
		return err
	}
	q.Positions = append(q.Positions, uint64(p))
	if len(q.Positions) == 1 {
		a.raise(doubt{typ: CaseHeld, key: key, journal: c.place.Journal, dots: []syncproto.Dot{c.place.Dot()}})
	}
	a.l.queued[c.union] = true
	return a.setMessage(keyHeld(c.union, c.place.Journal, key), q)
}

// readQueued gives the unions that have a queue of held changes: most never do, and to look for one
// at each change of a city costs more than to know.
func readQueued(txn *badger.Txn) (map[string]bool, error) {
	out := map[string]bool{}
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{prefixHeld}})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		union, _, err := unionOf(it.Item().Key())
		if err != nil {
			return nil, err
		}
		out[union] = true
	}
	return out, nil
}

// touched gives r as it stands after a change that did not merge: only its place in the
// feed moves.
func touched(r *merge.Record, p syncproto.Position) *merge.Record {
	t := merge.Record{}
	if r != nil {
		t = *r
	}
	t.Pos = p
	return &t
}
