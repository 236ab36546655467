package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// OpenCases counts the cases that wait for a person, by type. It jumps from union to union
// and reads nothing but cases: a city has two million other records.
func (l *Ledger) OpenCases() (map[string]int, error) {
	r := l.read()
	defer r.done()
	out := map[string]int{}
	it := r.txn.NewIterator(badger.IteratorOptions{Prefix: []byte{prefixRecord}})
	defer it.Close()
	it.Rewind()
	for it.Valid() {
		union, rest, err := unionOf(it.Item().Key())
		if err != nil {
			return nil, err
		}
		key, err := readRecordKey(rest)
		if err != nil {
			return nil, err
		}
		switch {
		case key.Kind < KindCase:
			it.Seek(binary.BigEndian.AppendUint16(keyUnion(prefixRecord, union), uint16(KindCase)))
		case key.Kind > KindCase:
			it.Seek(append(keyUnion(prefixRecord, union), behindRecords...))
		default:
			if err := countCase(out, union, key, it.Item()); err != nil {
				return nil, err
			}
			it.Next()
		}
	}
	return out, nil
}

// behindRecords, behind a union, sorts after every record of it.
var behindRecords = bytes.Repeat([]byte{0xff}, recordKeySize+1)

func countCase(out map[string]int, union string, key syncproto.RecordKey, item *badger.Item) error {
	err := item.Value(func(v []byte) error {
		rec, err := merge.Decode(append([]byte(nil), v...))
		if err != nil {
			return err
		}
		if c := caseOf(union, key, rec); !c.Closed && !rec.Void() {
			out[c.Type]++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("count cases: %w", err)
	}
	return nil
}

// HeldChanges counts the changes that wait in a hold.
func (l *Ledger) HeldChanges() (int, error) {
	r := l.read()
	defer r.done()
	n := 0
	err := eachMessage(r.txn, []byte{prefixHeld}, func(_, v []byte) error {
		q := new(entrypb.HeldQueue)
		if err := proto.Unmarshal(v, q); err != nil {
			return fmt.Errorf("read held changes: %w", err)
		}
		n += len(q.GetPositions())
		return nil
	})
	return n, err
}

// Size gives the bytes that the state takes on disk: of its tree and of its value log. The
// store looks once a minute.
func (l *Ledger) Size() (lsm, vlog int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.db.Size()
}
