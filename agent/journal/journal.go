package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// FileName is the journal's name inside a union's folder.
const FileName = "journal.db"

// Options of [Create] and [Open]. Key is required; zero values of the others are the
// defaults.
type Options struct {
	Key     *[seal.KeySize]byte              // the PC's data key
	Rand    io.Reader                        // of ids and nonces; default crypto/rand
	Timeout time.Duration                    // how long to wait for another program; default 10 s
	Free    func(dir string) (uint64, error) // bytes free on the disk; default [FreeBytes]
	// Fault, if set, is asked before each commit and again once it is done; its error stands
	// for the disk's. Tests and the simulation only.
	Fault  func(done bool) error
	commit func(tx *bbolt.Tx) error // tests put faults here
}

// Journal is one open journal. It is safe for concurrent use; writes stand in line.
type Journal struct {
	db    *bbolt.DB
	file  *os.File // the file below db: closed by hand when db cannot be closed any more
	path  string
	key   *[seal.KeySize]byte
	rand  io.Reader
	free  func(dir string) (uint64, error)
	id    syncproto.JournalID
	union string

	commit func(tx *bbolt.Tx) error

	mu     sync.Mutex // one writer
	head   syncproto.Place
	broken error // set once: nothing is written any more until reopened
	torn   bool  // a read or write panicked inside db: it cannot be closed in the usual way
}

var (
	bucketMeta     = []byte("meta")
	bucketFrames   = []byte("frames")
	bucketVerdicts = []byte("verdicts")
	bucketReceipts = []byte("receipts")
	bucketFacts    = []byte("facts")

	metaFormat = []byte("format")
	metaID     = []byte("journal")
	metaUnion  = []byte("union")
	metaProof  = []byte("proof") // the journal's id, sealed: tells a wrong key from damage
	metaHead   = []byte("head")
)

// minFile is bbolt's smallest file: two pages of metadata, one of free pages, one leaf.
const minFile = 4 << 12

// format is the layout described in DESIGN.md.
const format = 1

// Create makes the journal of union at path, which must not exist, and opens it. It is
// made under another name and renamed when it is complete and synced: a crash leaves no
// journal or a whole one.
func Create(path, union string, o Options) (*Journal, error) { return CreateAs(path, union, 0, o) }

// CreateAs is [Create] of a journal that was lost: it gets its id again, so that its entries
// can be put back with [Journal.Restore]. Zero draws a new one.
func CreateAs(path, union string, id syncproto.JournalID, o Options) (*Journal, error) {
	o.defaults()
	if union == "" || len(union) > syncproto.MaxUnionCode {
		return nil, fmt.Errorf("create journal: union code of %d bytes", len(union))
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, syncproto.Fail(syncproto.CodeUnionExists, "create journal", err)
	}
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("create journal: remove an unfinished one: %w", err)
	}
	if err := writeNew(draft, union, id, o); err != nil {
		return nil, fmt.Errorf("create journal: %w", classify(err))
	}
	if err := os.Rename(draft, path); err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("create journal: sync folder: %w", err)
	}
	return Open(path, o)
}

// writeNew makes an empty journal and closes it again.
func writeNew(path, union string, as syncproto.JournalID, o Options) (err error) {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], uint64(as))
	for binary.BigEndian.Uint64(id[:]) == 0 { // zero is no journal
		if _, err := io.ReadFull(o.Rand, id[:]); err != nil {
			return fmt.Errorf("draw id: %w", err)
		}
	}
	proof, err := seal.Seal(o.Key, o.Rand, id[:], aadProof)
	if err != nil {
		return err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: o.Timeout})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketFrames, bucketVerdicts, bucketReceipts, bucketFacts} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		m := tx.Bucket(bucketMeta)
		return errors.Join(m.Put(metaFormat, []byte{format}), m.Put(metaID, id[:]),
			m.Put(metaUnion, []byte(union)), m.Put(metaProof, proof), m.Put(metaHead, encodeHead(syncproto.Place{})))
	})
}

// Open opens the journal at path. It reads the newest frame only; an older one that is
// damaged shows where it is read. A file that cannot be read at all, a wrong key and
// another program that has it open are errors with codes of their own.
func Open(path string, o Options) (*Journal, error) {
	o.defaults()
	info, err := os.Stat(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, syncproto.Fail(syncproto.CodeJournalMissing, "open journal", err)
		}
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if info.Size() < minFile { // bbolt would fill an empty file, and has no error value for a short one
		return nil, syncproto.Fail(syncproto.CodeJournalDamaged, "open journal", errShort)
	}
	j := &Journal{path: path, key: o.Key, rand: o.Rand, free: o.Free, commit: o.commit}
	err = guard(func() error { return j.openFile(o) })
	if err == nil {
		err = j.view(j.readMeta)
	}
	if err != nil {
		_ = j.Close() // the first error tells more
		return nil, fmt.Errorf("open journal: %w", classify(err))
	}
	return j, nil
}

func (o *Options) defaults() {
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Free == nil {
		o.Free = FreeBytes
	}
	if o.commit == nil {
		o.commit = (&Options{Fault: o.Fault}).commitFaulty
	}
}

// commitFaulty commits, with Fault around it.
func (o *Options) commitFaulty(tx *bbolt.Tx) error {
	if o.Fault == nil {
		return tx.Commit()
	}
	if err := o.Fault(false); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return o.Fault(true)
}

// openFile opens bbolt and keeps the file's handle, so that the lock can be given back
// even if bbolt panics on a damaged file.
func (j *Journal) openFile(o Options) (err error) {
	j.torn = true // until db is known to be whole
	j.db, err = bbolt.Open(j.path, 0o600, &bbolt.Options{
		Timeout: o.Timeout,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
			j.file = f
			return f, err
		},
	})
	j.torn = err != nil
	return err
}

// readMeta reads what Open needs to know and checks the newest frame.
func (j *Journal) readMeta(tx *bbolt.Tx) error {
	m, frames := tx.Bucket(bucketMeta), tx.Bucket(bucketFrames)
	if m == nil || frames == nil || tx.Bucket(bucketVerdicts) == nil ||
		tx.Bucket(bucketReceipts) == nil || tx.Bucket(bucketFacts) == nil {
		return errNoJournal
	}
	version, id := m.Get(metaFormat), m.Get(metaID)
	if len(version) != 1 || len(id) != 8 {
		return errNoJournal
	}
	if version[0] > format {
		return syncproto.Fail(syncproto.CodeNewerFormat, "open journal", nil, "file", FileName)
	}
	proof, err := seal.Open(j.key, m.Get(metaProof), aadProof)
	if err != nil || string(proof) != string(id) {
		return syncproto.Fail(syncproto.CodeWrongKey, "open journal", err)
	}
	j.id = syncproto.JournalID(binary.BigEndian.Uint64(id))
	j.union = string(m.Get(metaUnion))
	j.head, err = j.readHead(m.Get(metaHead), frames)
	return err
}

// readHead gives the newest place: as the meta bucket names it and, should that entry be
// damaged, as the newest frame does.
func (j *Journal) readHead(stored []byte, frames *bbolt.Bucket) (syncproto.Place, error) {
	head, err := decodeHead(stored)
	if err != nil {
		k, v := frames.Cursor().Last()
		if k == nil {
			return syncproto.Place{Journal: j.id}, nil
		}
		f := j.decodeFrame(binary.BigEndian.Uint64(k), v)
		if f.Damaged {
			return syncproto.Place{}, errNoJournal
		}
		return f.Place, nil
	}
	head.Journal = j.id
	return head, nil
}

// Close gives the file back. Nothing is lost without it.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken == nil {
		j.broken = errClosed
	}
	switch {
	case j.torn && j.file != nil:
		unlock(j.file)
		if err := j.file.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			return fmt.Errorf("close journal: %w", err)
		}
	case j.db != nil:
		if err := j.db.Close(); err != nil {
			return fmt.Errorf("close journal: %w", err)
		}
	}
	return nil
}

// ID is the journal's name, drawn when the file was made.
func (j *Journal) ID() syncproto.JournalID { return j.id }

// Union is the code of the union whose changes these are.
func (j *Journal) Union() string { return j.union }

// Head is the newest place; its Seq is zero while the journal is empty.
func (j *Journal) Head() syncproto.Place {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.head
}

// classify gives bbolt's and the system's errors the code that a person meets.
func classify(err error) error {
	var coded *syncproto.Error
	switch {
	case err == nil || errors.As(err, &coded):
		return err
	case errors.Is(err, bolterrors.ErrTimeout):
		return syncproto.Fail(syncproto.CodeInUse, "lock journal", err)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum),
		errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, errNoJournal), errors.Is(err, errPanic):
		return syncproto.Fail(syncproto.CodeJournalDamaged, "read journal", err)
	case isDiskFull(err):
		return syncproto.Fail(syncproto.CodeDiskFull, "write journal", err)
	}
	return err
}
