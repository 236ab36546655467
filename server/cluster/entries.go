package cluster

import (
	"errors"
	"fmt"

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
