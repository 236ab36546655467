package ledger

import (
	"strconv"

	"github.com/dgraph-io/badger/v4"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// Case is a question for a person, as the state has it.
type Case struct {
	Union    string
	ID       syncproto.RecordID
	Type     string
	Closed   bool
	Record   syncproto.RecordKey   // zero where it is about no record
	Field    syncproto.FieldNumber // 0: not about one field
	Journal  syncproto.JournalID   // 0: not about one journal
	Dots     string                // the changes on which it stands
	Note     string
	Position syncproto.Position // of its newest change
}

const caseNote = syncproto.FieldNumber(17)

// Cases gives the cases of a union, of all when it is empty, in the order of unions and ids:
// those that are open, or also those that are closed.
func (l *Ledger) Cases(union string, closed bool) ([]Case, error) {
	var out []Case
	_, err := l.AllRecords([]syncproto.KindNumber{KindCase}, func(u string, key syncproto.RecordKey, r *merge.Record) error {
		if c := caseOf(u, key, r); (union == "" || u == union) && (closed || !c.Closed) && !r.Void() {
			out = append(out, c)
		}
		return nil
	})
	return out, err
}

// Case gives one case of this view's union; ok is false if there is none.
func (v *View) Case(id syncproto.RecordID) (c Case, ok bool, err error) {
	key := syncproto.RecordKey{Kind: KindCase, ID: id}
	r, err := v.Read(key)
	if err != nil || r == nil || len(r.Fields) == 0 {
		return Case{}, false, err
	}
	return caseOf(v.union, key, r), true, nil
}

func caseOf(union string, key syncproto.RecordKey, r *merge.Record) Case {
	c := Case{
		Union: union, ID: key.ID, Type: r.Text(caseType), Closed: r.Text(FieldCaseState) == CaseClosed,
		Dots: r.Text(caseDots), Note: r.Text(caseNote), Position: r.Pos,
	}
	// What people wrote and cannot be read is as if it were not there.
	if n, err := strconv.ParseUint(r.Text(caseKind), 10, 16); err == nil {
		c.Record.Kind = syncproto.KindNumber(n)
		c.Record.ID, _ = syncproto.ParseRecordID(r.Text(caseRecord))
	}
	if n, err := strconv.ParseUint(r.Text(caseField), 10, 16); err == nil {
		c.Field = syncproto.FieldNumber(n)
	}
	if n, err := strconv.ParseUint(r.Text(caseJournal), 16, 64); err == nil {
		c.Journal = syncproto.JournalID(n)
	}
	return c
}

// Held gives the held changes of one journal to one record, in their order: those that a
// decision can name.
func (v *View) Held(j syncproto.JournalID, key syncproto.RecordKey) ([]*LogItem, error) {
	return heldItems(v.r.txn, v.union, j, key)
}

func heldItems(txn *badger.Txn, union string, j syncproto.JournalID, key syncproto.RecordKey) ([]*LogItem, error) {
	q, err := readQueue(txn, union, j, key)
	if err != nil {
		return nil, err
	}
	out := make([]*LogItem, len(q.GetPositions()))
	for i, p := range q.GetPositions() {
		if out[i], err = readLog(txn, syncproto.Position(p)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// At gives the logged change of a dot, nil if there is none.
func (v *View) At(d syncproto.Dot) (*LogItem, error) {
	b, err := getBytes(v.r.txn, keyPlace(d))
	if err != nil || b == nil {
		return nil, err
	}
	pos, err := decodePosition(b)
	if err != nil {
		return nil, err
	}
	return readLog(v.r.txn, pos)
}
