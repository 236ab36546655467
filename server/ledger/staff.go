package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// StaffResult says what became of the changes of a Staff entry.
type StaffResult struct {
	Added, Changed, Unchanged int
	Head                      syncproto.Position
}

// StaffJournal names the journal of staff changes to one union in one generation.
func StaffJournal(union string, random uint64) syncproto.JournalID {
	b := binary.BigEndian.AppendUint64([]byte("unionsync staff journal v1"), random)
	sum := sha256.Sum256(append(b, union...))
	return syncproto.JournalID(binary.BigEndian.Uint64(sum[:8]))
}

// staff makes changes at the centre. Each sees the record as it stands here and now, so
// none conflicts; a field that has the value already is not edited.
func (a *applier) staff(s *entrypb.Staff) (any, error) {
	now := a.raiseTime(s.GetTime())
	gen := new(entrypb.Generation)
	if _, err := getMessage(a.txn, keyGeneration(uint16(a.meta.GetGeneration())), gen); err != nil {
		return nil, err
	}
	var res StaffResult
	for _, m := range s.GetChanges() {
		j := StaffJournal(m.GetUnion(), gen.GetRandom())
		c, isNew, err := a.staffChange(m, s.GetActor(), now)
		if err != nil {
			return nil, err
		}
		switch {
		case c == nil:
			res.Unchanged++
			continue
		case isNew:
			res.Added++
		default:
			res.Changed++
		}
		prev, err := a.newestTip(m.GetUnion(), j)
		if err != nil {
			return nil, err
		}
		b := c.Encode(j)
		v, err := a.enter(&arrival{union: c.Union, prev: prev, place: prev.Next(b), bytes: b, change: c, signer: []byte(s.GetNode())}, c.Key())
		if err != nil {
			return nil, err
		}
		if v.Kind == syncproto.VerdictHeld {
			// A result and no error: all replicas come to it, and an error would stop them all,
			// and again whenever they start. What came before it in the entry stands.
			return syncproto.Fail(syncproto.CodeInvalid, "apply staff change",
				fmt.Errorf("kind %d is held: %s", c.Kind, v.Reason), "what", "change"), nil
		}
	}
	res.Head = headOf(a.meta)
	return res, a.found(s.GetFound())
}

func (a *applier) newestTip(union string, j syncproto.JournalID) (syncproto.Place, error) {
	p := syncproto.Place{Journal: j}
	t, err := a.tipsOf(union, j)
	if err != nil {
		return p, err
	}
	for _, x := range t.GetTips() {
		if x.GetSeq() > p.Seq {
			p.Seq = x.GetSeq()
			copy(p.Hash[:], x.GetHash())
		}
	}
	return p, nil
}

// staffChange builds the change that sets m's fields; nil when nothing differs.
func (a *applier) staffChange(m *entrypb.StaffChange, actor string, now int64) (*syncproto.Change, bool, error) {
	c := &syncproto.Change{
		Union: m.GetUnion(), Kind: syncproto.KindNumber(m.GetKind()), KindVersion: m.GetKindVersion(),
		Actor: actor, Time: now, Note: m.GetNote(),
	}
	copy(c.ID[:], m.GetId())
	before, err := readRecord(a.txn, c.Union, c.Key())
	if err != nil {
		return nil, false, err
	}
	if before != nil {
		c.Base = before.Pos
	}
	c.Verb = syncproto.Verb(min(m.GetVerb(), uint32(syncproto.VerbDrop)))
	for _, r := range m.GetResolves() {
		c.Resolves = append(c.Resolves, syncproto.FieldDot{Field: syncproto.FieldNumber(r.GetField()),
			Dot: syncproto.Dot{Journal: syncproto.JournalID(r.GetJournal()), Seq: r.GetSeq(), Tag: r.GetTag()}})
	}
	class := a.classes(c.Kind)
	for _, f := range m.GetFields() {
		n := syncproto.FieldNumber(f.GetField())
		if decided(c, n) { // it supersedes what its author saw, and not what came since
			c.Edits = append(c.Edits, syncproto.Edit{Field: n, Value: f.GetValue(), Cleared: len(f.GetValue()) == 0})
			continue
		}
		old, ok := before.Value(n)
		if ok == (len(f.GetValue()) > 0) && string(old) == string(f.GetValue()) {
			continue
		}
		c.Edits = append(c.Edits, syncproto.Edit{
			Field: n, Value: f.GetValue(), Cleared: len(f.GetValue()) == 0, Overwrote: before.SeenDots(n, class(n)),
		})
	}
	if len(c.Edits) == 0 && c.Verb == syncproto.VerbNone {
		return nil, false, nil
	}
	return c, before == nil || len(before.Fields) == 0, nil
}

// decided reports whether c settles field n.
func decided(c *syncproto.Change, n syncproto.FieldNumber) bool {
	return slices.ContainsFunc(c.Resolves, func(r syncproto.FieldDot) bool { return r.Field == n })
}

// AllRecords calls do for every record of the kinds, in the order of unions, kinds and
// ids, in one consistent view, and gives the view's position.
func (l *Ledger) AllRecords(kinds []syncproto.KindNumber, do func(union string, key syncproto.RecordKey, r *merge.Record) error) (syncproto.Position, error) {
	r := l.read()
	defer r.done()
	err := eachMessage(r.txn, []byte{prefixRecord}, func(k, v []byte) error {
		union, rest, err := unionOf(k)
		if err != nil {
			return err
		}
		key, err := readRecordKey(rest)
		if err != nil || !wanted(kinds, key.Kind) {
			return err
		}
		return decodeTo(union, key, v, do)
	})
	return r.head, err
}

// decodeTo decodes a copy of v, since records keep their bytes' memory.
func decodeTo(union string, key syncproto.RecordKey, v []byte, do func(string, syncproto.RecordKey, *merge.Record) error) error {
	rec, err := merge.Decode(append([]byte(nil), v...))
	if err != nil {
		return err
	}
	return do(union, key, rec)
}

func wanted(kinds []syncproto.KindNumber, n syncproto.KindNumber) bool {
	for _, k := range kinds {
		if k == n {
			return true
		}
	}
	return len(kinds) == 0
}

// Log calls do for every logged change after a position, in order, in one consistent
// view, and gives the view's position.
func (l *Ledger) Log(after syncproto.Position, do func(*LogItem) error) (syncproto.Position, error) {
	r := l.read()
	defer r.done()
	prefix := []byte{prefixLog}
	o := badger.DefaultIteratorOptions
	o.Prefix = prefix
	it := r.txn.NewIterator(o)
	defer it.Close()
	for it.Seek(keyLog(after + 1)); it.ValidForPrefix(prefix); it.Next() {
		p, err := decodePosition(it.Item().Key()[1:])
		if err != nil {
			return r.head, err
		}
		v, err := it.Item().ValueCopy(nil)
		if err != nil {
			return r.head, fmt.Errorf("read log: %w", err)
		}
		item, err := decodeLogItem(p, v)
		if err != nil {
			return r.head, err
		}
		if err := do(item); err != nil {
			return r.head, err
		}
	}
	return r.head, nil
}

// cloneOf keeps a stored message apart from what callers do with it.
func cloneOf[M proto.Message](m M) M { return proto.CloneOf(m) }
