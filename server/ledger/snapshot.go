package ledger

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/ristretto/v2/z"

	"unionsync/syncproto"
)

// A snapshot is a magic line, then for each key its length and bytes and its value's
// length and bytes (lengths as varints), then a zero length, the number of keys as eight
// bytes, and the SHA-256 over all before it.
const snapshotMagic = "unionsync state 1\n"

// limits of a snapshot's parts: above them the bytes are not a snapshot of ours.
const (
	maxSnapshotKey   = 1 << 10
	maxSnapshotValue = 1 << 20
)

// Snapshot is the state at one moment, pinned until Release.
type Snapshot struct{ r *reader }

// Snapshot pins the present state.
func (l *Ledger) Snapshot() (*Snapshot, error) { return &Snapshot{r: l.read()}, nil }

// Release lets the pinned state go.
func (s *Snapshot) Release() { s.r.done() }

// Stream streams the state to w.
func (s *Snapshot) Stream(w io.Writer) error {
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)
	if _, err := out.WriteString(snapshotMagic); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	n, err := s.writeKeys(out)
	if err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	tail := binary.BigEndian.AppendUint64([]byte{0}, n)
	if _, err := out.Write(tail); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

func (s *Snapshot) writeKeys(out *bufio.Writer) (n uint64, err error) {
	o := badger.DefaultIteratorOptions
	o.PrefetchSize = 64
	it := s.r.txn.NewIterator(o)
	defer it.Close()
	var head []byte
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		err = item.Value(func(v []byte) error {
			head = binary.AppendUvarint(head[:0], uint64(len(item.Key())))
			head = append(head, item.Key()...)
			head = binary.AppendUvarint(head, uint64(len(v)))
			if _, err := out.Write(head); err != nil {
				return err
			}
			_, err := out.Write(v)
			return err
		})
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Restore replaces the state by what in holds: written into a new folder, checked to the
// last byte, and switched by rename. A crash at any step leaves the old state or the new.
func (l *Ledger) Restore(in io.Reader) error {
	if l.cfg.Memory {
		return errors.New("restore ledger: a store in memory cannot be restored")
	}
	fresh := l.cfg.Dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("restore ledger: %w", err)
	}
	if err := fill(l.cfg, fresh, in); err != nil {
		return errors.Join(fmt.Errorf("restore ledger: %w", err), os.RemoveAll(fresh))
	}
	defer l.use.alone()()
	if err := os.Rename(fresh, l.cfg.Dir+".ok"); err != nil { // from here the new state wins
		return fmt.Errorf("restore ledger: %w", err)
	}
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("restore ledger: close the old state: %w", err)
	}
	if err := l.finishSwitch(); err != nil {
		return err
	}
	db, err := openBadger(l.cfg, l.cfg.Dir)
	if err != nil {
		return err
	}
	return l.load(db)
}

// OpenFrom makes a new ledger in cfg.Dir, or in memory, from what [Snapshot.Stream] wrote: a
// state put back. It refuses a folder that holds anything.
func OpenFrom(cfg Config, in io.Reader) (*Ledger, error) {
	if !cfg.Memory {
		if found, err := os.ReadDir(cfg.Dir); err == nil && len(found) > 0 {
			return nil, syncproto.Fail(syncproto.CodeServerExists, "open ledger from snapshot", nil)
		}
	}
	if !cfg.Memory {
		if err := fill(cfg, cfg.Dir, in); err != nil {
			return nil, fmt.Errorf("open ledger from snapshot: %w", err)
		}
		return Open(cfg)
	}
	l := &Ledger{cfg: cfg, pins: map[uint64]int{}, moved: make(chan struct{})}
	db, err := openBadger(cfg, "")
	if err != nil {
		return nil, err
	}
	if err = fillMemory(db, in); err == nil {
		err = l.load(db)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger from snapshot: %w", err), db.Close())
	}
	return l, nil
}

// finishSwitch ends a restore that was cut off: a folder with the ending .ok is whole and
// takes the place of the old one; one with the ending .new is not and goes.
func (l *Ledger) finishSwitch() error {
	if l.cfg.Memory {
		return nil
	}
	dir := l.cfg.Dir
	if _, err := os.Stat(dir + ".ok"); err == nil {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("switch ledger: %w", err)
		}
		if err := os.Rename(dir+".ok", dir); err != nil {
			return fmt.Errorf("switch ledger: %w", err)
		}
	}
	if err := os.RemoveAll(dir + ".new"); err != nil {
		return fmt.Errorf("switch ledger: %w", err)
	}
	return nil
}

// How a snapshot's keys are written. Keys come in order, so they go straight into tables of
// the last level: nothing is sorted, logged or compacted. The store builds up to 16 tables at
// a time, each held a few times over: see tableBytes.
const fillBatch = 1 << 20 // bytes handed over at once

// fill writes a snapshot's keys into a new store at dir, durably.
func fill(cfg Config, dir string, in io.Reader) error {
	db, err := openBadger(cfg, dir)
	if err != nil {
		return err
	}
	w := db.NewStreamWriter()
	err = w.Prepare()
	if err == nil {
		if err = fillTables(w, in); err == nil {
			err = w.Flush()
		} else {
			w.Cancel()
		}
	}
	if err == nil {
		err = db.Sync()
	}
	return errors.Join(err, db.Close())
}

func fillTables(w *badger.StreamWriter, in io.Reader) error {
	buf := z.NewBuffer(fillBatch+maxSnapshotValue, "snapshot")
	defer func() { _ = buf.Release() }() // it is of plain memory
	err := eachKey(in, func(key, value []byte) error {
		badger.KVToBuffer(&pb.KV{Key: key, Value: value, Version: 1, StreamId: 1}, buf)
		if buf.LenNoPadding() < fillBatch {
			return nil
		}
		defer buf.Reset()
		return w.Write(buf)
	})
	if err != nil {
		return err
	}
	if err := w.Write(buf); err != nil {
		return fmt.Errorf("write keys: %w", err)
	}
	return nil
}

// fillMemory is fill for a store in memory.
func fillMemory(db *badger.DB, in io.Reader) error {
	batch := db.NewWriteBatchAt(1)
	defer batch.Cancel()
	if err := eachKey(in, batch.Set); err != nil {
		return err
	}
	if err := batch.Flush(); err != nil {
		return fmt.Errorf("write keys: %w", err)
	}
	return nil
}

// eachKey calls do for each key of a snapshot with its value, which do may keep, and checks
// that the snapshot is whole.
func eachKey(in io.Reader, do func(key, value []byte) error) error {
	sum := sha256.New()
	r := &summing{r: bufio.NewReaderSize(in, 1<<16), sum: sum}
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != snapshotMagic {
		return fmt.Errorf("not a snapshot of a ledger: %w", err)
	}
	var last []byte
	for n := uint64(0); ; n++ {
		key, err := readLengthed(r, maxSnapshotKey)
		if err != nil {
			return err
		}
		if len(key) == 0 {
			return r.checkTail(n)
		}
		if bytes.Compare(key, last) <= 0 {
			return errors.New("the keys are not in order")
		}
		value, err := readLengthed(r, maxSnapshotValue)
		if err != nil {
			return err
		}
		if err := mayOpen(key, value); err != nil {
			return err
		}
		if err := do(key, value); err != nil {
			return fmt.Errorf("write key: %w", err)
		}
		last = key
	}
}

func readLengthed(r *summing, most uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, fmt.Errorf("read length: %w", err)
	}
	if n > most {
		return nil, fmt.Errorf("a part of %d bytes, want at most %d", n, most)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("read part: %w", err)
	}
	return b, nil
}

// summing hashes what is read through it.
type summing struct {
	r   *bufio.Reader
	sum hash.Hash
}

func (s *summing) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.sum.Write(p[:n])
	return n, err
}

func (s *summing) ReadByte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		s.sum.Write([]byte{b})
	}
	return b, err
}

func (s *summing) checkTail(n uint64) error {
	var count [8]byte
	if _, err := io.ReadFull(s, count[:]); err != nil {
		return fmt.Errorf("read count: %w", err)
	}
	if got := binary.BigEndian.Uint64(count[:]); got != n {
		return fmt.Errorf("%d keys, want %d", n, got)
	}
	want := s.sum.Sum(nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(s.r, got); err != nil {
		return fmt.Errorf("read checksum: %w", err)
	}
	if string(got) != string(want) {
		return errors.New("the checksum differs: the snapshot is damaged")
	}
	return nil
}
