package cluster

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"

	"unionsync/syncproto"
)

// memLog is a log in memory.
type memLog struct{ *raft.InmemStore }

func (memLog) IsMonotonic() bool { return true }
func (memLog) Close() error      { return nil }

func filledLog(t *testing.T, from, to uint64) memLog {
	t.Helper()
	l := memLog{raft.NewInmemStore()}
	for i := from; i <= to && to > 0; i++ {
		if err := l.StoreLog(&raft.Log{Index: i, Data: make([]byte, 100)}); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// at is a machine that has applied entries up to an index.
func at(index uint64) *toy {
	m := &toy{}
	if index > 0 {
		m.state = []toyEntry{{index, fmt.Sprint(index)}}
	}
	return m
}

// TestCheckState: every way in which log, snapshot and machine can stand to each other.
func TestCheckState(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		why          string
		first, last  uint64 // of the log; 0, 0: empty
		snap         uint64 // raft's index of the newest snapshot
		snapApplied  uint64 // what the machine had in it
		applied      uint64 // what the machine has now
		want         syncproto.Code
		wantRestored bool
		wantLast     uint64 // of the log afterwards
	}{
		{"a new node", 0, 0, 0, 0, 0, 0, false, 0},
		{"a log without snapshot, nothing applied", 1, 9, 0, 0, 0, 0, false, 9},
		{"all applied", 1, 9, 0, 0, 9, 0, false, 9},
		{"the machine is behind the log: it is replayed", 5, 20, 10, 10, 12, 0, false, 20},
		{"the machine is at the snapshot", 5, 20, 10, 10, 10, 0, false, 20},
		{"the machine is behind the snapshot", 5, 20, 10, 10, 9, 0, true, 20},
		{"the machine is empty", 5, 20, 10, 10, 0, 0, true, 20},
		{"the snapshot ends with raft's own entries: nothing lost", 5, 20, 10, 7, 7, 0, false, 20},
		{"the same, and lost", 5, 20, 10, 7, 6, 0, true, 20},
		{"a snapshot of raft's own entries alone", 0, 0, 3, 0, 0, 0, false, 0},
		{"a snapshot arrived, the log was emptied", 0, 0, 30, 30, 30, 0, false, 0},
		{"a snapshot arrived, a crash before the restore", 0, 0, 30, 30, 12, 0, true, 0},
		{"a snapshot arrived, a crash before the log was emptied", 1, 12, 30, 30, 12, 0, true, 0},
		{"the log begins right behind the snapshot", 11, 20, 10, 10, 15, 0, false, 20},
		{"the log was removed", 0, 0, 0, 0, 12, syncproto.CodeRaftGap, false, 0},
		{"the log was replaced by an older one", 1, 8, 0, 0, 12, syncproto.CodeRaftGap, false, 8},
		{"the snapshots were removed", 11, 20, 0, 0, 15, syncproto.CodeRaftGap, false, 20},
		{"an older snapshot was put back", 11, 20, 5, 5, 15, syncproto.CodeRaftGap, false, 20},
	} {
		m := at(row.applied)
		log := filledLog(t, row.first, row.last)
		restored, err := checkState(snapshotsAt(t, row.snap, row.snapApplied), log, &shell{machine: m, dataKey: testKey(1)})
		if err == nil && row.want != 0 || err != nil && syncproto.CodeOf(err) != row.want {
			t.Errorf("%s: %v, want E%d", row.why, err, row.want)
		}
		if restored != row.wantRestored || restored && m.Applied() != row.snapApplied {
			t.Errorf("%s: restored %v, now at %d", row.why, restored, m.Applied())
		}
		if _, last, err := bounds(log); err != nil || last != row.wantLast {
			t.Errorf("%s: the log ends at %d, %v", row.why, last, err)
		}
	}
}

// snapshotsAt is a store with one snapshot.
func snapshotsAt(t *testing.T, index, applied uint64) raft.SnapshotStore {
	t.Helper()
	store := raft.NewInmemSnapshotStore()
	if index == 0 {
		return store
	}
	s := &shell{machine: at(applied), dataKey: testKey(1), codec: testCodec(t)}
	pin, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	sink, err := store.Create(1, index, 1, raft.Configuration{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := pin.Persist(sink); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	return store
}
