package cluster

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/hashicorp/raft"
)

// ErrCompacted says that the log does not go back that far any more.
var ErrCompacted = errors.New("the raft log has been cut off in front")

// Entries calls do for each of the machine's entries with an index in (after, to], ascending,
// as the machine applies it; raft's own entries are left out. to must be applied: such
// entries are committed. data belongs to do. The errors are [ErrCompacted], that of do, and
// those of a log that cannot be read.
func (n *Node) Entries(after, to uint64, do func(index uint64, data []byte) error) error {
	return readEntries(n.log, n.shell.codec, after, to, do)
}

func readEntries(log raft.LogStore, c *codec, after, to uint64, do func(index uint64, data []byte) error) error {
	for i := after + 1; i <= to; i++ {
		var l raft.Log
		err := log.GetLog(i, &l)
		if errors.Is(err, raft.ErrLogNotFound) {
			return fmt.Errorf("read entry %d of raft log: %w", i, ErrCompacted)
		}
		if err != nil {
			return fmt.Errorf("read entry %d of raft log: %w", i, err)
		}
		if l.Type != raft.LogCommand {
			continue
		}
		data, err := c.decode(l.Data)
		if err != nil {
			return fmt.Errorf("read entry %d of raft log: %w", i, err)
		}
		if err := do(i, data); err != nil {
			return err
		}
	}
	return nil
}

// Behind gives about how many bytes the log has behind an index.
func (n *Node) Behind(index uint64) int64 {
	_, bytes := n.log.after(index)
	return bytes
}

// ReadLog calls do for each of the machine's entries behind an index in the log of a node
// that does not run, also those that may not have been committed. It fails with
// [ErrCompacted] when the log begins further on.
func ReadLog(dir string, dataKey *[32]byte, after uint64, do func(index uint64, data []byte) error) (err error) {
	var space Space
	space.setDefaults()
	store, err := openLog(filepath.Join(dir, "log"), space.SegmentBytes, newRaftLog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	first, last, err := bounds(store)
	if err != nil || last <= after {
		return err
	}
	if first > after+1 {
		return fmt.Errorf("read raft log from %d: %w", after+1, ErrCompacted)
	}
	c, err := newCodec(dataKey, rand.Reader, space.EntryBytes)
	if err != nil {
		return err
	}
	defer c.close()
	return readEntries(store, c, after, last, do)
}
