package union

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"unionsync/agent/journal"
	"unionsync/agent/store"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// Options of [Create] and [Open]. Key and Kinds are required.
type Options struct {
	Key     *[seal.KeySize]byte // the PC's data key, see agent/keystore
	Kinds   *kind.Set
	Actor   string           // who saves when a draft does not say
	Now     func() time.Time // default time.Now
	Rand    io.Reader        // default crypto/rand
	Log     *slog.Logger     // default: nothing is logged
	Timeout time.Duration    // how long to wait for another program, default 10 s

	// Refuse says why nothing may be saved or exchanged, as on a PC that has moved; nil: it may.
	// It is asked each time.
	Refuse func() error
	// Free gives the bytes free on the disk of a folder; default journal.FreeBytes.
	Free func(dir string) (uint64, error)
	// Second is a folder that receives each entry of the journal too, empty: none. It need
	// not be there always.
	Second string
	// Salvage reads the newest store that was set aside in a folder: store.Salvage, which
	// needs the program's help. Nil: nobody looks into it.
	Salvage  func(ctx context.Context, dir string, key *[seal.KeySize]byte) (store.Salvaged, error)
	patience time.Duration // tests: how long the second place may take; default see saveWait
	fault    func() error  // tests: a failing store

	// Fault, if set, is asked at each step of a write; its error stands for the disk's.
	// Tests and the simulation only.
	Fault func(Step) error
}

// Step is a moment in a write at which a PC may lose power.
type Step string

// Steps.
const (
	StepJournal     Step = "journal"      // before the journal's commit
	StepJournalDone Step = "journal done" // after it: the change is saved, nobody was told
	StepStore       Step = "store"        // before the store's commit; of a base: it is renamed
)

// storeFault is what the store asks before it commits.
func (o *Options) storeFault() func() error {
	if o.Fault == nil {
		return o.fault
	}
	return func() error { return o.Fault(StepStore) }
}

// journalFault is what the journal asks around its commit.
func (o *Options) journalFault() func(done bool) error {
	if o.Fault == nil {
		return nil
	}
	return func(done bool) error {
		if done {
			return o.Fault(StepJournalDone)
		}
		return o.Fault(StepJournal)
	}
}

// Union is one open union. It is safe for concurrent use.
type Union struct {
	dir   string
	o     Options
	j     *journal.Journal
	ids   idSource
	write sync.Mutex // saves and settles stand in line: each goes on from the other's head

	exchanging sync.Mutex    // one sync at a time
	answeredTo atomic.Uint64 // a lower bound of [Union.answered], to begin from
	lives      atomic.Pointer[syncproto.Lineage]
	second     *copier // nil: there is no second place

	storeMu sync.RWMutex
	s       *store.Store // guarded by storeMu
	met     store.Opened // guarded by storeMu: what the newest opening met
	closed  bool         // guarded by storeMu
}

// Create makes a new union in dir, which must not hold one, and opens it.
func Create(dir, code string, o Options) (*Union, error) {
	o.defaults()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create union: %w", err)
	}
	for _, name := range []string{journal.FileName, store.BaseName, store.DirName} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return nil, syncproto.Fail(syncproto.CodeUnionExists, "create union", nil)
		}
	}
	j, err := journal.Create(filepath.Join(dir, journal.FileName), code, o.journal())
	if err != nil {
		return nil, fmt.Errorf("create union: %w", err)
	}
	return open(dir, j, o)
}

// Open opens the union kept in dir. After an unclean stop the store is made again first.
func Open(dir string, o Options) (*Union, error) {
	o.defaults()
	path := filepath.Join(dir, journal.FileName)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) && !anyThere(dir) {
		return nil, syncproto.Fail(syncproto.CodeNoUnion, "open union", err)
	}
	j, err := journal.Open(path, o.journal())
	if err != nil {
		return nil, fmt.Errorf("open union: %w", err)
	}
	return open(dir, j, o)
}

// anyThere reports whether the folder holds other files of a union: then a journal that is
// missing is a loss, not a folder that was never used.
func anyThere(dir string) bool {
	for _, name := range []string{store.BaseName, store.DirName, store.CleanName} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

func open(dir string, j *journal.Journal, o Options) (*Union, error) {
	u := &Union{dir: dir, o: o, j: j, ids: idSource{now: o.Now, rand: o.Rand}}
	u.openSecond()
	err := u.openStore()
	if err == nil {
		if err = u.salvage(); err != nil {
			err = errors.Join(err, u.s.Close())
		}
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return u, nil
}

func (o *Options) defaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func (o *Options) journal() journal.Options {
	return journal.Options{Key: seal.Derive(o.Key[:], "unionsync agent journal"), Rand: o.Rand, Timeout: o.Timeout, Free: o.room, Fault: o.journalFault()}
}

// reserveBytes stay free for the store. Badger writes through memory maps: one that finds
// the disk full ends the process, so that nothing is begun without room for its files.
const reserveBytes = 32 << 20

// room gives the bytes free on the disk beyond the reserve.
func (o *Options) room(dir string) (uint64, error) {
	free := o.Free
	if free == nil {
		free = journal.FreeBytes
	}
	n, err := free(dir)
	return n - min(n, reserveBytes), err
}

// checkRoom refuses to touch the store when its reserve is used up.
func (u *Union) checkRoom() error {
	if n, err := u.o.room(u.dir); err == nil && n == 0 {
		return syncproto.Fail(syncproto.CodeDiskFull, "use store", nil)
	}
	return nil
}

// openStore opens the store or makes it again. Callers hold storeMu or own u alone.
func (u *Union) openStore() error {
	if err := u.checkRoom(); err != nil {
		return err
	}
	if err := u.loadLineage(); err != nil {
		return fmt.Errorf("open union: %w", err)
	}
	fetched, err := u.j.Get(factBucket, factFetched)
	if err != nil {
		return fmt.Errorf("open union: %w", err)
	}
	if err := u.checkIndex(); err != nil {
		return fmt.Errorf("open union: %w", err)
	}
	s, met, err := store.Open(u.dir, u.source(fetched != nil), store.Options{
		Key: seal.Derive(u.o.Key[:], "unionsync agent store"), Rand: u.o.Rand, Log: u.o.Log,
		Classes: u.classes, Tokens: u.tokensOf, Fault: u.o.storeFault(), Lineage: u.lineage(),
	})
	if err != nil {
		return fmt.Errorf("open union: %w", err)
	}
	u.s, u.met = s, met
	if err := u.noteIndex(); err != nil {
		u.o.Log.Warn("the index is made again at the next start", "error", err)
	}
	return nil
}

// source is the journal as the store needs it.
func (u *Union) source(fetched bool) store.Source {
	return store.Source{
		Head:    u.j.Head(),
		Fetched: fetched,
		Place:   u.place, Standing: u.standing,
		Own: func(after uint64, do func(store.Own) error) error {
			return u.j.Range(after+1, u.j.Head().Seq, func(f journal.Frame) error {
				own, err := u.own(f)
				if err != nil {
					return err
				}
				return do(own)
			})
		},
	}
}

// own is a frame with its verdict.
func (u *Union) own(f journal.Frame) (store.Own, error) {
	v, _, err := u.j.Verdict(f.Place.Seq)
	if err != nil {
		return store.Own{}, fmt.Errorf("read verdict: %w", err)
	}
	earlier, err := u.j.Earlier(f.Place.Seq)
	if err != nil {
		return store.Own{}, fmt.Errorf("read verdict: %w", err)
	}
	return store.Own{Place: f.Place, Bytes: f.Bytes, Verdict: v, Earlier: earlier}, nil
}

func (u *Union) place(seq uint64) (p syncproto.Place, ok bool, err error) {
	if seq == 0 || seq > u.j.Head().Seq {
		return p, false, nil
	}
	f, err := u.j.Frame(seq)
	return f.Place, err == nil, err
}

// store gives the open store. One that failed in a write, or could not be made again, is
// made again first.
func (u *Union) store() (*store.Store, error) {
	u.storeMu.RLock()
	s, closed := u.s, u.closed
	u.storeMu.RUnlock()
	switch {
	case closed:
		return nil, syncproto.Fail(syncproto.CodeStoreFailed, "use store", errClosed)
	case s != nil && s.Broken() == nil:
		return s, nil
	}
	return u.heal()
}

var errClosed = errors.New("the union is closed")

// heal makes the store again in place of one that failed.
func (u *Union) heal() (*store.Store, error) {
	u.storeMu.Lock()
	defer u.storeMu.Unlock()
	if u.closed {
		return nil, syncproto.Fail(syncproto.CodeStoreFailed, "use store", errClosed)
	}
	if u.s != nil && u.s.Broken() == nil { // somebody else was here first
		return u.s, nil
	}
	if u.s != nil {
		u.o.Log.Warn("the store failed and is made again", "error", u.s.Broken())
		err := u.closeStore()
		u.s = nil
		if err != nil {
			u.o.Log.Warn("the store that failed does not close", "error", err)
		}
	}
	if err := u.openStore(); err != nil {
		return nil, err
	}
	return u.s, nil
}

// Close closes store and journal, in this order: the journal's lock guards the store.
func (u *Union) Close() error {
	u.write.Lock()
	defer u.write.Unlock()
	u.second.wait(closeWait)
	u.storeMu.Lock()
	defer u.storeMu.Unlock()
	u.closed = true
	var err error
	if u.s != nil {
		err = u.closeStore()
		u.s = nil
	}
	return errors.Join(err, u.j.Close())
}

// closeBytes is the room that closing the store needs at most.
const closeBytes = 8 << 20

func (u *Union) closeStore() error {
	if free, err := u.freeBytes(); err == nil && free < closeBytes {
		u.o.Log.Warn("the disk is full: the store is left as it is and made again at the next start")
		u.s.Abandon()
		return nil
	}
	return u.s.Close()
}

// Code is the union's code.
func (u *Union) Code() string { return u.j.Union() }

// Kinds are the kinds by which this union works.
func (u *Union) Kinds() *kind.Set { return u.o.Kinds }

// Today is the day by which rules are checked: the PC's, or the centre's of the last
// Response if that is later.
func (u *Union) Today() string {
	now := u.o.Now()
	if s, err := u.store(); err == nil {
		if centre := time.Unix(s.State().Centre, 0).In(now.Location()); centre.After(now) {
			now = centre
		}
	}
	return now.Format(time.DateOnly)
}

// classes gives the merge classes of a kind; of one that is not known here every field has
// class ask.
func (u *Union) classes(n syncproto.KindNumber) merge.Classes {
	if k, ok := u.o.Kinds.ByNumber(n); ok {
		return k.Class
	}
	return func(syncproto.FieldNumber) syncproto.MergeClass { return syncproto.ClassAsk }
}
