package ledger

import (
	"bytes"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// Moment says where in the log a state stands.
type Moment struct {
	LogID     []byte             // of the raft log that Index counts in
	Index     uint64             // of the last entry that is wholly in the state
	Head      syncproto.Position // newest position given
	Time      int64              // of the centre, as the log carries it; Unix seconds
	Watermark syncproto.Position
}

func momentOf(m *entrypb.Meta) Moment {
	return Moment{
		LogID: bytes.Clone(m.GetLogId()), Index: m.GetIndex(), Head: headOf(m), Time: m.GetTime(),
		Watermark: syncproto.Position(m.GetWatermark()),
	}
}

// Whole is the state as it was behind the last entry that was applied: unlike [Ledger.Head]
// it never shows a part of an entry. Right after a start that follows a crash it may, until
// the entry that the crash had cut comes again; a leader has it behind that.
func (l *Ledger) Whole() Moment {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return momentOf(l.whole)
}

// setWhole notes that an entry is applied to its end.
func (l *Ledger) setWhole() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.whole = l.meta
}

// At says where the pinned state stands. It may hold the first part of the entry behind
// Index, whole changes of it: applying that entry goes on there.
func (s *Snapshot) At() (Moment, error) {
	m := new(entrypb.Meta)
	if _, err := getMessage(s.r.txn, []byte{keyMetaByte}, m); err != nil {
		return Moment{}, fmt.Errorf("read what is applied: %w", err)
	}
	return momentOf(m), nil
}

// Lives gives the entries of every life that the pinned state knows, ascending.
func (s *Snapshot) Lives() ([]*entrypb.Generation, error) { return readGenerations(s.r.txn) }

// Tally says how much a state holds.
type Tally struct {
	Changes int `json:"changes"` // in the log, held ones too
	Records int `json:"records"` // of all kinds
	Unions  int `json:"unions"`  // that have a record
	Devices int `json:"devices"`
	Lives   int `json:"generations"`
}

// Tally counts what the pinned state holds.
func (s *Snapshot) Tally() Tally {
	return Tally{
		Changes: countKeys(s.r.txn, prefixLog), Records: countKeys(s.r.txn, prefixRecord), Unions: countKeys(s.r.txn, prefixDigest),
		Devices: countKeys(s.r.txn, prefixDevice), Lives: countKeys(s.r.txn, prefixGen),
	}
}

func countKeys(txn *badger.Txn, prefix byte) (n int) {
	o := badger.DefaultIteratorOptions
	o.Prefix, o.PrefetchValues = []byte{prefix}, false
	it := txn.NewIterator(o)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		n++
	}
	return n
}

// BeginLog says that entries of another raft log follow, and which of its entries the state
// stands for: without it, entries of a new log whose indexes are below those of the old one
// would be taken for applied. Nothing may be applied meanwhile.
func (l *Ledger) BeginLog(id []byte, index uint64) error {
	l.mu.RLock()
	m := cloneOf(l.meta)
	l.mu.RUnlock()
	m.LogId, m.Index = bytes.Clone(id), index
	txn := l.db.NewTransactionAt(l.ts, true)
	defer txn.Discard()
	if err := l.commit(txn, m, nil); err != nil {
		return fmt.Errorf("begin log: %w", err)
	}
	l.setWhole()
	return l.Sync()
}
