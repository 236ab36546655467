package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"unionsync/syncproto"
)

// logStore is the raft log and its small table of terms and votes.
type logStore interface {
	raft.LogStore
	raft.StableStore
	raft.MonotonicLogStore
	io.Closer
}

// openLog is the one place that knows which log store this is: raft-wal v0.4.1. That
// version exactly: v0.4.0 cannot restart a node whose tail was truncated (its issue 31),
// v0.4.2 does not build with raft v1.8.0.
func openLog(dir string, segmentBytes int, log hclog.Logger) (logStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, logError(dir, err)
	}
	if err := checkUnlocked(filepath.Join(dir, metadb.FileName)); err != nil {
		return nil, logError(dir, err)
	}
	w, err := wal.Open(dir, wal.WithLogger(log), wal.WithSegmentSize(segmentBytes))
	if err != nil {
		return nil, logError(dir, err)
	}
	return w, nil
}

func logError(dir string, err error) error {
	return syncproto.Fail(syncproto.CodeRaftLog, "open raft log", err, "dir", dir)
}

// checkUnlocked fails when another process has the log open: raft-wal itself would wait
// for that process for ever and say nothing.
func checkUnlocked(meta string) error {
	if _, err := os.Stat(meta); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := bbolt.Open(meta, 0o600, &bbolt.Options{Timeout: time.Second})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return errors.New("another process has it open")
	}
	if err != nil {
		return err
	}
	return db.Close()
}

// CheckUnused fails with [syncproto.CodeRaftLog] when another process has the node of a folder
// open.
func CheckUnused(dir string) error {
	log := filepath.Join(dir, "log")
	if err := checkUnlocked(filepath.Join(log, metadb.FileName)); err != nil {
		return logError(log, err)
	}
	return nil
}

// watchedLog is a log that knows how many bytes its entries have, and that stops the node
// when it cannot be written: after a failed write or fsync nobody knows what is on disk.
type watchedLog struct {
	logStore
	fail func(error)

	mu    sync.Mutex
	first uint64   // index of sizes[0]
	sizes []uint32 // bytes of each entry from first on
}

func watchLog(store logStore, fail func(error)) (*watchedLog, error) {
	w := &watchedLog{logStore: store, fail: fail, first: 1}
	first, last, err := bounds(store)
	if err != nil || last == 0 {
		return w, err
	}
	mean, err := sampleSize(store, first, last)
	if err != nil {
		return nil, err
	}
	w.first, w.sizes = first, make([]uint32, last-first+1)
	for i := range w.sizes {
		w.sizes[i] = mean
	}
	return w, nil
}

func bounds(store raft.LogStore) (first, last uint64, err error) {
	if first, err = store.FirstIndex(); err != nil {
		return 0, 0, fmt.Errorf("read bounds of raft log: %w", err)
	}
	if last, err = store.LastIndex(); err != nil {
		return 0, 0, fmt.Errorf("read bounds of raft log: %w", err)
	}
	return first, last, nil
}

// sampleSize gives the mean size of up to 32 entries spread over the log. Reading all of
// them would make a restart slow, and an estimate is all that their sizes are needed for.
func sampleSize(store raft.LogStore, first, last uint64) (uint32, error) {
	const samples = 32
	step := max(1, (last-first+1)/samples)
	var sum, n uint64
	for i := first; i <= last; i += step {
		var l raft.Log
		if err := store.GetLog(i, &l); err != nil {
			return 0, fmt.Errorf("read entry %d of raft log: %w", i, err)
		}
		sum, n = sum+sizeOf(&l), n+1
	}
	return uint32(sum / n), nil
}

// sizeOf is about what an entry takes on disk.
func sizeOf(l *raft.Log) uint64 { return uint64(len(l.Data)+len(l.Extensions)) + 32 }

// GetLog implements [raft.LogStore]. raft-wal v0.4.1 still gives entries that were deleted
// from the front, as long as they are in its newest file: a follower that was away would be
// fed from a log that ought to be gone, or not, depending on chance.
func (w *watchedLog) GetLog(index uint64, l *raft.Log) error {
	w.mu.Lock()
	gone := index < w.first
	w.mu.Unlock()
	if gone {
		return raft.ErrLogNotFound
	}
	return w.logStore.GetLog(index, l)
}

// StoreLog implements [raft.LogStore].
func (w *watchedLog) StoreLog(l *raft.Log) error { return w.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements [raft.LogStore].
func (w *watchedLog) StoreLogs(logs []*raft.Log) error {
	if err := w.logStore.StoreLogs(logs); err != nil {
		return w.failed("write raft log", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range logs {
		if len(w.sizes) == 0 {
			w.first = l.Index
		}
		w.sizes = append(w.sizes, uint32(sizeOf(l)))
	}
	return nil
}

// DeleteRange implements [raft.LogStore]: from the front when it is compacted, from the
// back when a new leader's entries replace the tail.
func (w *watchedLog) DeleteRange(from, to uint64) error {
	if err := w.logStore.DeleteRange(from, to); err != nil {
		return w.failed("truncate raft log", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.first + uint64(len(w.sizes)) - 1
	switch {
	case len(w.sizes) == 0 || to < w.first || from > last:
	case from <= w.first:
		w.sizes = w.sizes[min(to, last)-w.first+1:]
		w.first = min(to, last) + 1
	default:
		w.sizes = w.sizes[:from-w.first]
	}
	return nil
}

// SetUint64 implements [raft.StableStore]. raft panics when it fails.
func (w *watchedLog) SetUint64(key []byte, v uint64) error {
	if err := w.logStore.SetUint64(key, v); err != nil {
		return w.failed("write raft's table", err)
	}
	return nil
}

func (w *watchedLog) failed(op string, err error) error {
	err = syncproto.Fail(syncproto.CodeRaftDisk, op, err)
	w.fail(err)
	return err
}

// after gives how many entries stand behind index, and their bytes.
func (w *watchedLog) after(index uint64) (logs uint64, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.sizes) - 1; i >= 0 && w.first+uint64(i) > index; i-- {
		logs, bytes = logs+1, bytes+int64(w.sizes[i])
	}
	return logs, bytes
}

// newest gives how many of the newest entries fit into so many bytes, at least one.
func (w *watchedLog) newest(budget int64) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for i := len(w.sizes) - 1; i >= 0; i-- {
		if budget -= int64(w.sizes[i]); budget < 0 {
			break
		}
		n++
	}
	return uint64(max(n, 1))
}
