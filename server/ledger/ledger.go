package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Config is what a ledger needs.
type Config struct {
	Dir    string    // folder of its own; made when missing
	Key    *[32]byte // encrypts the store
	Log    *slog.Logger
	Memory bool // keeps nothing on disk: for tests
}

// Ledger is the state of one node of the centre. Apply and Restore are called by one
// goroutine at a time; everything else may be called at any time.
type Ledger struct {
	cfg    Config
	queued map[string]bool // unions that may have a queue of held changes; owned by Apply and Restore
	use    readers         // every reader is in it; Restore waits until none is, to switch stores

	mu      sync.RWMutex // guards what follows; Restore swaps all of it
	db      *badger.DB
	ts      uint64            // newest commit timestamp: the ledger's own counter
	pins    map[uint64]int    // read timestamps in use
	meta    *entrypb.Meta     // as committed
	whole   *entrypb.Meta     // as it was behind the last entry
	kinds   *kind.Versions    // nil before genesis
	layout  byte              // of the state's keys
	lineage syncproto.Lineage // every life known; empty before genesis
	checked Checked           // the own answer to the newest check since the start
	recent  recent            // what the newest changes touched
	moved   chan struct{}     // closed and replaced when the head moves
}

// Open opens or makes the state in cfg.Dir.
func Open(cfg Config) (*Ledger, error) {
	l := &Ledger{cfg: cfg, pins: map[uint64]int{}, moved: make(chan struct{})}
	if err := l.finishSwitch(); err != nil {
		return nil, err
	}
	db, err := openBadger(cfg, cfg.Dir)
	if err != nil {
		return nil, err
	}
	if err := l.load(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

// openBadger opens one store with the settings that were measured: memory of a node stays
// bounded, and no transaction of ours comes near the limit of 15 % of a memtable.
func openBadger(cfg Config, dir string) (*badger.DB, error) {
	db, err := badger.OpenManaged(StoreOptions(cfg, dir))
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeLedgerOpen, "open ledger", err)
	}
	return db, nil
}

// tableBytes is the size of a table of the store, the same on every level. Compactions and
// restores build many tables at a time and hold each a few times over; the store's own sizes
// go up to 64 MiB, with which a restore of a city took 2.9 GB.
const tableBytes = 4 << 20

// StoreOptions are the settings of a store of the ledger in dir.
func StoreOptions(cfg Config, dir string) badger.Options {
	o := badger.DefaultOptions(dir).WithLogger(badgerLog{cfg.Log}).
		WithSyncWrites(false). // the raft log is what survives a power cut; see Sync
		WithMemTableSize(16 << 20).
		WithNumMemtables(2).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(16 << 20).
		WithBlockCacheSize(16 << 20).
		WithIndexCacheSize(16 << 20).
		WithCompression(options.Snappy).
		WithNumVersionsToKeep(1).
		WithDetectConflicts(false).
		WithNumCompactors(2).
		WithBaseTableSize(tableBytes).
		WithChecksumVerificationMode(options.OnBlockRead). // a damaged block is an error, not another state
		WithMetricsEnabled(false)
	o.TableSizeMultiplier = 1
	if cfg.Key != nil {
		o = o.WithEncryptionKey(cfg.Key[:])
	}
	if cfg.Memory {
		o = o.WithDir("").WithValueDir("").WithInMemory(true).WithValueThreshold(1 << 20).
			WithMemTableSize(8 << 20).WithNumMemtables(1).WithBlockCacheSize(1 << 20).WithIndexCacheSize(1 << 20)
	}
	return o
}

// load reads what is kept in memory beside db.
func (l *Ledger) load(db *badger.DB) error {
	ts := db.MaxVersion()
	txn := db.NewTransactionAt(ts, false)
	defer txn.Discard()
	meta := new(entrypb.Meta)
	if _, err := getMessage(txn, []byte{keyMetaByte}, meta); err != nil {
		return fmt.Errorf("read what is applied: %w", err)
	}
	if err := knows("open ledger", levelIn(meta)); err != nil {
		return err
	}
	kinds, err := loadKinds(txn, l.kinds)
	if err != nil {
		return err
	}
	lineage, err := loadLineage(txn)
	if err != nil {
		return err
	}
	if l.queued, err = readQueued(txn); err != nil {
		return err
	}
	layout, err := readLayout(txn)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.db, l.ts, l.meta, l.whole, l.kinds, l.lineage = db, ts, meta, meta, kinds, lineage
	l.layout, l.recent = layout, recent{from: headOf(meta)}
	close(l.moved)
	l.moved = make(chan struct{})
	return nil
}

// readLayout gives the layout of a state; one of a layout that is not known is another
// program's.
func readLayout(txn *badger.Txn) (byte, error) {
	b, err := getBytes(txn, []byte{keyLayoutByte})
	if err != nil || b == nil {
		return layoutIndexes, err
	}
	if len(b) != 1 || b[0] > layoutUnionLog {
		return 0, syncproto.Fail(syncproto.CodeLedgerOpen, "read layout", fmt.Errorf("layout %x is not known", b))
	}
	return b[0], nil
}

// Close closes the store; nothing may be running.
func (l *Ledger) Close() error {
	defer l.use.alone()()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("close ledger: %w", err)
	}
	return nil
}

// Applied is the raft index of the last entry that is wholly in the store.
func (l *Ledger) Applied() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.meta.GetIndex()
}

// Ready reports whether the first entry of the centre has been applied.
func (l *Ledger) Ready() bool { return l.Kinds() != nil }

// Head is the newest position given.
func (l *Ledger) Head() syncproto.Position {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return headOf(l.meta)
}

// Time is the centre's time as the log carries it: the newest, never falling.
func (l *Ledger) Time() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.meta.GetTime()
}

func headOf(m *entrypb.Meta) syncproto.Position {
	return syncproto.MakePosition(uint16(m.GetGeneration()), m.GetCount())
}

// Sync makes everything applied durable.
func (l *Ledger) Sync() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.cfg.Memory {
		return nil
	}
	if err := l.db.Sync(); err != nil {
		return fmt.Errorf("sync ledger: %w", err)
	}
	return nil
}

// reader is a consistent read of the state at one moment.
type reader struct {
	l         *Ledger
	layout    byte
	txn       *badger.Txn
	ts        uint64
	head      syncproto.Position
	watermark syncproto.Position
}

// read opens a reader; its timestamp is kept from being cleaned up until done.
func (l *Ledger) read() *reader {
	l.use.enter()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pins[l.ts]++
	return &reader{l: l, layout: l.layout, txn: l.db.NewTransactionAt(l.ts, false), ts: l.ts, head: headOf(l.meta), watermark: syncproto.Position(l.meta.GetWatermark())}
}

func (r *reader) done() {
	defer r.l.use.leave()
	r.txn.Discard()
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	if r.l.pins[r.ts]--; r.l.pins[r.ts] == 0 {
		delete(r.l.pins, r.ts)
	}
}

// commit makes a transaction's writes the state, together with meta. Touched are the records
// that its changes touched, in order.
func (l *Ledger) commit(txn *badger.Txn, meta *entrypb.Meta, touched []recentRecord) error {
	b, err := proto.Marshal(meta)
	if err != nil {
		return fmt.Errorf("encode what is applied: %w", err)
	}
	if err := txn.Set([]byte{keyMetaByte}, b); err != nil {
		return fmt.Errorf("write what is applied: %w", err)
	}
	ts := l.ts + 1 // only Apply writes ts, and Apply calls this
	if err := txn.CommitAt(ts, nil); err != nil {
		return fmt.Errorf("commit at %d: %w", ts, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if meta.GetGeneration() != l.meta.GetGeneration() || l.meta.GetMoving() {
		l.recent, touched = recent{from: headOf(meta)}, nil // positions have moved
	}
	l.recent.add(touched)
	l.ts, l.meta = ts, proto.CloneOf(meta)
	oldest := ts
	for p := range l.pins {
		oldest = min(oldest, p)
	}
	l.db.SetDiscardTs(oldest)
	close(l.moved)
	l.moved = make(chan struct{})
	return nil
}

// Moved gives a channel that closes when the state moves on.
func (l *Ledger) Moved() <-chan struct{} {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.moved
}

func getMessage(txn *badger.Txn, key []byte, m proto.Message) (bool, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %q: %w", key[:1], err)
	}
	err = item.Value(func(v []byte) error { return proto.Unmarshal(v, m) })
	if err != nil {
		return false, fmt.Errorf("read %q: %w", key[:1], err)
	}
	return true, nil
}

func set(txn *badger.Txn, key, value []byte) error {
	if err := txn.Set(key, value); err != nil {
		return fmt.Errorf("write %q: %w", key[:1], err)
	}
	return nil
}

// getBytes gives a copy of a value, nil if there is none.
func getBytes(txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", key[:1], err)
	}
	b, err := item.ValueCopy(nil)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", key[:1], err)
	}
	return b, nil
}

// eachMessage calls do for every key with the prefix, in order; key and value hold only
// during the call.
func eachMessage(txn *badger.Txn, prefix []byte, do func(key, value []byte) error) error {
	o := badger.DefaultIteratorOptions
	o.Prefix = prefix
	it := txn.NewIterator(o)
	defer it.Close()
	for it.Seek(prefix); it.ValidForPrefix(prefix); it.Next() {
		item := it.Item()
		if err := item.Value(func(v []byte) error { return do(item.Key(), v) }); err != nil {
			return err
		}
	}
	return nil
}

// badgerLog passes the store's warnings on; its chatter is dropped.
type badgerLog struct{ log *slog.Logger }

func (b badgerLog) Errorf(f string, a ...any) {
	if b.log != nil {
		b.log.Error("ledger store", "message", fmt.Sprintf(f, a...))
	}
}

func (b badgerLog) Warningf(f string, a ...any) {
	if b.log != nil {
		b.log.Warn("ledger store", "message", fmt.Sprintf(f, a...))
	}
}
func (badgerLog) Infof(string, ...any)  {}
func (badgerLog) Debugf(string, ...any) {}
