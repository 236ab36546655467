package cluster

import (
	"fmt"

	"github.com/hashicorp/raft"

	"unionsync/syncproto"
)

// checkState makes log, snapshots and machine fit together before raft starts, or refuses.
//
// raft is told not to restore its snapshot at each start, because the machine has its own
// disk; it then believes that everything up to the newest snapshot is applied and never
// replays it. Three things can make that false, and are looked for here: the machine's
// disk lost a tail that was never synced, a crash came between the arrival of another
// node's snapshot and its restore, or somebody removed files.
func checkState(snaps raft.SnapshotStore, log raft.LogStore, s *shell) (restored bool, err error) {
	first, last, err := bounds(log)
	if err != nil {
		return false, err
	}
	list, err := snaps.List()
	if err != nil {
		return false, fmt.Errorf("list snapshots: %w", err)
	}
	var snap uint64
	if len(list) > 0 {
		snap = list[0].Index // the one that raft will take for applied
		if restored, err = catchUp(snaps, list[0], s); err != nil {
			return false, err
		}
	}
	// A log that ends before the snapshot: the crash came before raft could empty it, and
	// the next entry would not follow its last one.
	if last > 0 && last < snap {
		if err := log.DeleteRange(first, last); err != nil {
			return false, fmt.Errorf("empty outdated raft log: %w", err)
		}
		first, last = 0, 0
	}
	applied := s.machine.Applied()
	if applied > max(last, snap) || last > 0 && first > snap+1 {
		return false, syncproto.Fail(syncproto.CodeRaftGap, "start node", nil, "applied", fmt.Sprint(applied),
			"first", fmt.Sprint(first), "last", fmt.Sprint(last), "snapshot", fmt.Sprint(snap))
	}
	return restored, nil
}

// catchUp restores the machine from the newest snapshot if it lacks something of it. The
// snapshot's index also counts raft's own entries; what the machine had is in its head.
func catchUp(snaps raft.SnapshotStore, newest *raft.SnapshotMeta, s *shell) (restored bool, err error) {
	if s.machine.Applied() >= newest.Index {
		return false, nil
	}
	unusable := func(err error) error {
		return syncproto.Fail(syncproto.CodeSnapshotUnusable, "start node", err, "snapshot", newest.ID)
	}
	_, src, err := snaps.Open(newest.ID)
	if err != nil {
		return false, unusable(err)
	}
	defer func() { _ = src.Close() }() // only read
	r, err := newSnapshotReader(src, s.dataKey)
	if err != nil {
		return false, unusable(err)
	}
	defer r.Close()
	applied, err := readApplied(r)
	if err != nil {
		return false, unusable(err)
	}
	if s.machine.Applied() >= applied {
		return false, nil
	}
	if err := s.machine.Restore(r); err != nil {
		return false, unusable(err)
	}
	if got := s.machine.Applied(); got != applied {
		return false, unusable(fmt.Errorf("restored state is at %d, the snapshot at %d", got, applied))
	}
	return true, nil
}
