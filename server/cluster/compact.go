package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/raft"
)

// compact takes a snapshot when the log behind the last one has grown too large, so that
// raft can drop what is below. raft itself counts entries only, and ours differ in size by
// a factor of a thousand.
func (n *Node) compact(ctx context.Context) error {
	tick := time.NewTicker(n.cfg.Timing.Check)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		logs, bytes := n.log.after(n.snapshotIndex())
		if logs < n.cfg.Space.SnapshotLogs && bytes < n.cfg.Space.SnapshotBytes {
			continue
		}
		if err := n.TakeSnapshot(ctx); err != nil && ctx.Err() == nil {
			n.cfg.Log.Warn("snapshot was not taken; it is tried again", "error", err)
		}
	}
}

// TakeSnapshot writes a snapshot now and lets raft drop the entries that it covers, but
// for the newest that fit into Space.TrailingBytes. Nothing new to write is no error.
func (n *Node) TakeSnapshot(ctx context.Context) error {
	keep := n.raft.ReloadableConfig()
	keep.TrailingLogs = n.log.newest(n.cfg.Space.TrailingBytes)
	if err := n.raft.ReloadConfig(keep); err != nil {
		return fmt.Errorf("take snapshot: %w", err)
	}
	begun := time.Now()
	_, err := wait(ctx, n, n.raft.Snapshot)
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take snapshot: %w", err)
	}
	logs, bytes := n.log.after(0)
	n.cfg.Log.Info("snapshot taken", "index", n.snapshotIndex(), "elapsed", time.Since(begun), "logs", logs, "log_bytes", bytes)
	return nil
}

// snapshotIndex is the index of the newest snapshot. raft gives it in its table of texts
// only.
func (n *Node) snapshotIndex() uint64 {
	i, err := strconv.ParseUint(n.raft.Stats()["last_snapshot_index"], 10, 64)
	if err != nil {
		return 0
	}
	return i
}

// Stats is what an operator may want to know of a node.
type Stats struct {
	ID            string
	State         string // Follower, Candidate, Leader, Shutdown
	Term          uint64
	LastIndex     uint64 // newest entry in the log here
	CommitIndex   uint64 // newest that a majority has, as known here
	Applied       uint64 // newest in the machine
	SnapshotIndex uint64
	Logs          uint64        // entries in the log here
	LogBytes      int64         // about, as they are on disk
	LastContact   time.Duration // since the leader was heard; 0 for the leader, negative: never
}

// Stats gives the present numbers; they are not taken at one moment.
func (n *Node) Stats() Stats {
	logs, bytes := n.log.after(0)
	s := Stats{
		ID: n.id, State: n.raft.State().String(), Term: n.raft.CurrentTerm(),
		LastIndex: n.raft.LastIndex(), CommitIndex: n.raft.CommitIndex(), Applied: n.shell.machine.Applied(),
		SnapshotIndex: n.snapshotIndex(), Logs: logs, LogBytes: bytes,
	}
	if n.raft.State() != raft.Leader {
		s.LastContact = -1
		if at := n.raft.LastContact(); !at.IsZero() {
			s.LastContact = time.Since(at)
		}
	}
	return s
}
