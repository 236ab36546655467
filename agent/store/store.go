package store

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// Names inside a union's folder.
const (
	DirName   = "store"       // Badger's folder
	CleanName = "store.clean" // what the folder held when it was closed cleanly
	AsideName = "store.aside" // beginning of the names of folders set aside
	BaseName  = "base"        // the base file
)

// Options of [Open]. Key, Classes and Tokens are required.
type Options struct {
	Key     *[seal.KeySize]byte
	Rand    io.Reader // default crypto/rand
	Log     *slog.Logger
	Classes func(syncproto.KindNumber) merge.Classes
	// Tokens gives what a record is found by, such as its document number. They are kept
	// as keyed hashes only.
	Tokens func(syncproto.RecordKey, *merge.Record) [][]byte
	// Lineage is every life of the centre that is known here; [Update] brings newer ones.
	Lineage syncproto.Lineage
	// Fault, if set, is asked before each commit; its error stands for Badger's own. Tests
	// only.
	Fault func() error
}

// Own is one change of this PC's own journal.
type Own struct {
	Place   syncproto.Place
	Bytes   []byte // nil: the frame is damaged
	Verdict syncproto.Verdict
	Earlier []syncproto.Position // that earlier lives of the centre gave it
}

// out reports whether the centre keeps the change off the record.
func (o *Own) out() bool {
	return o.Verdict.Kind == syncproto.VerdictHeld || o.Verdict.Kind == syncproto.VerdictDropped
}

// Source is the journal as the store needs it to be made again.
type Source struct {
	Head    syncproto.Place
	Fetched bool // the first fetch has finished once, whatever the base says
	// Place gives the place of an own change; ok is false if there is none.
	Place func(seq uint64) (p syncproto.Place, ok bool, err error)
	// Own calls do for the own changes above after, in order, each with its verdict if
	// there is one.
	Own func(after uint64, do func(Own) error) error
	// Standing gives the newest own change at or below seq up to which every verdict is
	// held by the lineage: what the centre lost since is not settled. Nil: seq itself.
	Standing func(seq uint64) (uint64, error)
}

// Opened says what [Open] met.
type Opened struct {
	Rebuilt  bool   // the store was made again from base and journal
	Reason   string // why, in English, for the log; empty if not rebuilt
	BaseLost bool   // the base is missing or damaged although there should be one
}

// Store is one union's open store. It is safe for concurrent use.
type Store struct {
	dir      string // the union's folder
	db       *badger.DB
	key      *[seal.KeySize]byte
	tokenKey *[seal.KeySize]byte
	rand     io.Reader
	log      *slog.Logger
	classes  func(syncproto.KindNumber) merge.Classes
	tokens   func(syncproto.RecordKey, *merge.Record) [][]byte

	mu     sync.RWMutex   // one writer; readers only while they take their snapshot
	reads  sync.WaitGroup // snapshots in use
	state  State          // guarded by mu
	laid   laid           // guarded by mu: what is pending, of the newest state
	early  earlier        // guarded by mu: earlier positions of what is pending
	broken error          // guarded by mu: a write failed half way, the store must be made again
	closed bool           // guarded by mu

	lineage atomic.Pointer[syncproto.Lineage] // changed under mu

	baseMu sync.Mutex // one base is written at a time
	fault  func() error
}

// errClosed says that the store was closed.
var errClosed = errors.New("store is closed")

func newStore(dir string, o Options) *Store {
	s := &Store{
		dir: dir, rand: o.Rand, log: o.Log, classes: o.Classes, tokens: o.Tokens,
		key: o.Key, fault: o.Fault,
		tokenKey: seal.Derive(o.Key[:], "unionsync store token"),
	}
	s.lineage.Store(&o.Lineage)
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// openBadger opens the folder, which must be whole or new.
func (s *Store) openBadger() error {
	key := seal.Derive(s.key[:], "unionsync store badger")
	db, err := badger.Open(badgerOptions(s.path(DirName), key[:], s.log))
	if err != nil {
		return fmt.Errorf("open badger: %w", err)
	}
	s.db = db
	return nil
}

// State gives what the store knows of itself.
func (s *Store) State() State {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state
}

// Broken gives the error of the write that failed half way, if one did: the store must be
// closed and opened again, which makes it anew.
func (s *Store) Broken() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.broken
}

// change runs do as the only writer and keeps the state that it leaves. After an error
// nothing more is written here.
func (s *Store) change(do func(b *batch, st *State) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	b, st := newBatch(s.db), s.state
	defer func() { b.discard() }()
	err := do(b, &st)
	if err == nil && s.fault != nil {
		err = s.fault()
	}
	if err == nil {
		err = b.set(stateKey, st.encode())
	}
	if err == nil {
		err = b.commit()
	}
	if err != nil {
		s.broken = err
		return syncproto.Fail(syncproto.CodeStoreFailed, "write store", err)
	}
	s.state = st
	return nil
}

func (s *Store) usable() error {
	switch {
	case s.closed:
		return errClosed
	case s.broken != nil:
		return syncproto.Fail(syncproto.CodeStoreFailed, "use store", s.broken)
	}
	return nil
}

// view reads one snapshot. do may call other reading methods.
func (s *Store) view(do func(r *readTxn) error) error {
	return s.viewState(func(r *readTxn, _ State) error { return do(r) })
}

// viewState reads one snapshot together with the state that belongs to it.
func (s *Store) viewState(do func(r *readTxn, st State) error) error {
	s.mu.RLock()
	if err := s.usable(); err != nil {
		s.mu.RUnlock()
		return err
	}
	s.reads.Add(1)
	txn, st := s.db.NewTransaction(false), s.state
	s.mu.RUnlock()
	defer s.reads.Done()
	defer txn.Discard()
	return do(&readTxn{txn}, st)
}

// Close ends the store and, if it is whole, notes what its folder holds so that the next
// Open may trust it. An error means that the next Open makes the store again; nothing that
// was saved is lost.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.reads.Wait()
	if s.db == nil {
		return nil
	}
	whole := s.Broken() == nil
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	if !whole {
		return nil // without a clean note it is made again
	}
	if err := s.writeClean(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// Abandon ends the store without closing Badger, which on a full disk would end the
// process: it writes its newest table through a memory map. The next Open makes the store
// again; until the process ends, its files stay open.
func (s *Store) Abandon() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.reads.Wait()
}

const tokenSize = 16

// token is the keyed hash under which a token is kept.
func (s *Store) token(kind syncproto.KindNumber, raw []byte) [tokenSize]byte {
	h := hmac.New(sha256.New, s.tokenKey[:])
	h.Write([]byte{byte(kind >> 8), byte(kind)})
	h.Write(raw)
	var out [tokenSize]byte
	copy(out[:], h.Sum(nil))
	return out
}
