package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session"
)

// Classes gives the merge classes by kind; a kind that is not known asks.
func Classes(kinds *kind.Set) func(syncproto.KindNumber) merge.Classes {
	return func(n syncproto.KindNumber) merge.Classes {
		if k, ok := kinds.ByNumber(n); ok {
			return k.Class
		}
		return func(syncproto.FieldNumber) syncproto.MergeClass { return syncproto.ClassAsk }
	}
}

// find gives the full place and the verdict of a logged change.
func find(txn *badger.Txn, j syncproto.JournalID, seq uint64, hash []byte) (syncproto.Place, syncproto.Verdict, bool, error) {
	var full syncproto.Hash
	if len(hash) < 4 {
		return syncproto.Place{}, syncproto.Verdict{}, false, nil
	}
	copy(full[:], hash)
	b, err := getBytes(txn, keyPlace(syncproto.Dot{Journal: j, Seq: seq, Tag: full.Tag()}))
	if err != nil || b == nil {
		return syncproto.Place{}, syncproto.Verdict{}, false, err
	}
	pos, err := decodePosition(b)
	if err != nil {
		return syncproto.Place{}, syncproto.Verdict{}, false, err
	}
	item, err := readLog(txn, pos)
	if err != nil {
		return syncproto.Place{}, syncproto.Verdict{}, false, err
	}
	if !bytes.HasPrefix(item.Place.Hash[:], hash) {
		return syncproto.Place{}, syncproto.Verdict{}, false, nil
	}
	return item.Place, item.Verdict, true, nil
}

func readLog(txn *badger.Txn, p syncproto.Position) (*LogItem, error) {
	b, err := getBytes(txn, keyLog(p))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fmt.Errorf("read log: nothing at position %s", p)
	}
	return decodeLogItem(p, b)
}

// readRecord gives a record, nil if there is none.
func readRecord(txn *badger.Txn, union string, key syncproto.RecordKey) (*merge.Record, error) {
	b, err := getBytes(txn, keyRecord(union, key))
	if err != nil || b == nil {
		return nil, err
	}
	return merge.Decode(b)
}

func readDigest(txn *badger.Txn, union string) (syncproto.Hash, error) {
	var d syncproto.Hash
	b, err := getBytes(txn, keyDigest(union))
	if err == nil && b != nil && len(b) != len(d) {
		err = fmt.Errorf("read digest: %d bytes", len(b))
	}
	copy(d[:], b)
	return d, err
}

// View is one consistent read of a union's state. Done must be called.
type View struct {
	r     *reader
	union string
}

var _ session.View = (*View)(nil)

// View opens a consistent read for one union.
func (l *Ledger) View(union string) *View { return &View{r: l.read(), union: union} }

// Done ends the read.
func (v *View) Done() { v.r.done() }

// Head is the newest position given.
func (v *View) Head() syncproto.Position { return v.r.head }

// Tips gives the newest places of a journal.
func (v *View) Tips(j syncproto.JournalID) ([]syncproto.Place, error) {
	t := new(entrypb.Tips)
	if _, err := getMessage(v.r.txn, keyTips(v.union, j), t); err != nil {
		return nil, err
	}
	out := make([]syncproto.Place, len(t.GetTips()))
	for i, x := range t.GetTips() {
		out[i] = syncproto.Place{Journal: j, Seq: x.GetSeq()}
		copy(out[i].Hash[:], x.GetHash())
	}
	return out, nil
}

// Find gives the full place and the stored verdict of a change of this union by its
// number and the first bytes of its hash.
func (v *View) Find(j syncproto.JournalID, seq uint64, hash []byte) (syncproto.Place, syncproto.Verdict, bool, error) {
	return find(v.r.txn, j, seq, hash)
}

// Feed calls do for each record whose newest change stands after the cursor, in order.
func (v *View) Feed(after syncproto.Position, do func(syncproto.Position, syncproto.RecordKey) (bool, error)) error {
	prefix, from := keyUnion(prefixUnion, v.union), keyUnionLog(v.union, after+1)
	if v.r.layout < layoutUnionLog {
		prefix, from = keyUnion(prefixFeed, v.union), keyFeed(v.union, after+1)
	}
	it := v.r.txn.NewIterator(badger.IteratorOptions{Prefix: prefix}) // values are small and beside their keys
	defer it.Close()
	for it.Seek(from); it.ValidForPrefix(prefix); it.Next() {
		pos, err := decodePosition(it.Item().Key()[len(prefix):])
		if err != nil {
			return err
		}
		var key syncproto.RecordKey
		var newest bool
		err = it.Item().Value(func(b []byte) error {
			if v.r.layout < layoutUnionLog {
				key, err = readRecordKey(b)
				newest = true
				return err
			}
			key, newest, err = readUnionLog(b)
			return err
		})
		if err != nil {
			return fmt.Errorf("read feed: %w", err)
		}
		if !newest {
			continue
		}
		if more, err := do(pos, key); err != nil || !more {
			return err
		}
	}
	return nil
}

// Record gives a record's bytes as a feed carries them, nil if there is none.
func (v *View) Record(key syncproto.RecordKey) ([]byte, error) {
	r, err := readRecord(v.r.txn, v.union, key)
	if err != nil || r == nil {
		return nil, err
	}
	return r.Visible().Encode(), nil
}

// Read gives a record, nil if there is none.
func (v *View) Read(key syncproto.RecordKey) (*merge.Record, error) {
	return readRecord(v.r.txn, v.union, key)
}

// IDs gives the ids of the union's records of a kind.
func (v *View) IDs(n syncproto.KindNumber) (map[syncproto.RecordID]bool, error) {
	prefix := binary.BigEndian.AppendUint16(keyUnion(prefixRecord, v.union), uint16(n))
	it := v.r.txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	out := map[syncproto.RecordID]bool{}
	for it.Rewind(); it.Valid(); it.Next() {
		key, err := readRecordKey(it.Item().Key()[len(prefix)-2:])
		if err != nil {
			return nil, err
		}
		out[key.ID] = true
	}
	return out, nil
}

// Digest is the union's digest.
func (v *View) Digest() (syncproto.Hash, error) { return readDigest(v.r.txn, v.union) }
