package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// badgerOptions are small settings: `make bench` prints what the program comes to with
// 10,000 members. Each was measured; ValueThreshold above 15 % of MemTableSize or one
// compactor make Open fail, BlockCacheSize 0 with compression panics. A compaction holds
// several tables under construction at three times their size and 3 MiB: smaller ones than
// these come in greater number and save nothing. Each opening leaves a table in level zero,
// and each compaction writes most of level one again: four openings share one.
func badgerOptions(dir string, key []byte, log *slog.Logger) badger.Options {
	return badger.DefaultOptions(dir).
		WithMemTableSize(1 << 20).
		WithNumMemtables(1).
		WithNumLevelZeroTables(4).
		WithNumLevelZeroTablesStall(8).
		WithValueLogFileSize(1 << 20).
		WithValueThreshold(64 << 10).
		WithBaseTableSize(512 << 10).
		WithBaseLevelSize(2 << 20).
		WithBlockCacheSize(1 << 20).
		WithIndexCacheSize(1 << 20).
		WithNumCompactors(2).
		WithNumGoroutines(1).
		WithCompression(options.ZSTD).
		WithEncryptionKey(key).
		WithDetectConflicts(false). // one writer
		WithMetricsEnabled(false).
		WithLogger(badgerLog{log})
}

// badgerLog passes Badger's log on; its warnings are not ours to a person.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) line(level slog.Level, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "badger", "text", strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}

// Errorf implements badger.Logger.
func (l badgerLog) Errorf(f string, a ...any) { l.line(slog.LevelWarn, f, a) }

// Warningf implements badger.Logger.
func (l badgerLog) Warningf(f string, a ...any) { l.line(slog.LevelDebug, f, a) }

// Infof implements badger.Logger.
func (l badgerLog) Infof(f string, a ...any) { l.line(slog.LevelDebug, f, a) }

// Debugf implements badger.Logger.
func (l badgerLog) Debugf(f string, a ...any) { l.line(slog.LevelDebug, f, a) }

// batch is a write that may need several Badger transactions: one is limited to 15 % of
// MemTableSize. It need not be atomic on disk, because a store that was not closed cleanly
// is never read again; readers inside the process wait for [Store.change] to end.
type batch struct {
	db  *badger.DB
	txn *badger.Txn
}

func newBatch(db *badger.DB) *batch { return &batch{db: db, txn: db.NewTransaction(true)} }

// turn commits what there is and goes on in a new transaction.
func (b *batch) turn() error {
	if err := b.txn.Commit(); err != nil {
		return err
	}
	b.txn = b.db.NewTransaction(true)
	return nil
}

func (b *batch) set(key, value []byte) error {
	err := b.txn.Set(key, value)
	if errors.Is(err, badger.ErrTxnTooBig) {
		if err = b.turn(); err == nil {
			err = b.txn.Set(key, value)
		}
	}
	return err
}

func (b *batch) del(key []byte) error {
	err := b.txn.Delete(key)
	if errors.Is(err, badger.ErrTxnTooBig) {
		if err = b.turn(); err == nil {
			err = b.txn.Delete(key)
		}
	}
	return err
}

// delIfThere writes no mark of deletion where there is nothing to delete.
func (b *batch) delIfThere(key []byte) error {
	there, err := b.read().has(key)
	if err != nil || !there {
		return err
	}
	return b.del(key)
}

func (b *batch) commit() error  { return b.txn.Commit() }
func (b *batch) discard()       { b.txn.Discard() }
func (b *batch) read() *readTxn { return &readTxn{b.txn} }

// readTxn reads values out of a transaction.
type readTxn struct{ txn *badger.Txn }

// get gives a copy of the value, nil if there is none.
func (r *readTxn) get(key []byte) ([]byte, error) {
	item, err := r.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

func (r *readTxn) has(key []byte) (bool, error) {
	_, err := r.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

// scan calls do for each key with the prefix, in order, until it returns false. The key
// is do's to keep; the item is valid inside do only.
func (r *readTxn) scan(prefix, from []byte, values bool, do func(key []byte, item *badger.Item) (bool, error)) error {
	o := badger.DefaultIteratorOptions
	o.Prefix = prefix
	o.PrefetchValues = values
	o.PrefetchSize = 16
	it := r.txn.NewIterator(o)
	defer it.Close()
	for it.Seek(from); it.ValidForPrefix(prefix); it.Next() {
		more, err := do(it.Item().KeyCopy(nil), it.Item())
		if err != nil || !more {
			return err
		}
	}
	return nil
}
