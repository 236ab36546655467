package cluster

import (
	"errors"
	"testing"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"unionsync/syncproto"
)

func noFault(t interface{ Errorf(string, ...any) }) func(error) {
	return func(err error) { t.Errorf("failed: %v", err) }
}

// TestWatchedLog checks the watched log against a plain map of sizes, over appends,
// compaction from the front, truncation of the tail and restarts.
func TestWatchedLog(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		inner := memLog{raft.NewInmemStore()}
		w, err := watchLog(inner, noFault(t))
		if err != nil {
			t.Fatal(err)
		}
		sizes := map[uint64]int64{}
		first, last := uint64(1), uint64(0)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				var logs []*raft.Log
				for range rapid.IntRange(1, 4).Draw(t, "entries") {
					last++
					l := &raft.Log{Index: last, Data: make([]byte, rapid.IntRange(0, 500).Draw(t, "size"))}
					sizes[last] = int64(len(l.Data)) + 32
					logs = append(logs, l)
				}
				err = w.StoreLogs(logs)
			case 2:
				if first <= last {
					to := rapid.Uint64Range(first, last).Draw(t, "to")
					err = w.DeleteRange(first, to)
					for i := first; i <= to; i++ {
						delete(sizes, i)
					}
					first = to + 1
				}
			case 3:
				if first < last {
					from := rapid.Uint64Range(first+1, last).Draw(t, "from")
					err = w.DeleteRange(from, last)
					for i := from; i <= last; i++ {
						delete(sizes, i)
					}
					last = from - 1
				}
			case 4: // after a snapshot of another node the log begins further on
				if first > last {
					last += rapid.Uint64Range(0, 5).Draw(t, "jump")
					first = last + 1
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			compareSizes(t, w, sizes, first, last)
		}
	})
}

func compareSizes(t *rapid.T, w *watchedLog, sizes map[uint64]int64, first, last uint64) {
	index := rapid.Uint64Range(0, last+1).Draw(t, "index")
	var logs uint64
	var bytes int64
	for i, n := range sizes {
		if i > index {
			logs, bytes = logs+1, bytes+n
		}
	}
	if l, b := w.after(index); l != logs || b != bytes {
		t.Fatalf("after %d: %d entries of %d bytes, want %d of %d", index, l, b, logs, bytes)
	}
	budget := rapid.Int64Range(0, 3000).Draw(t, "budget")
	var fits uint64
	for i, left := last, budget; i >= first && i > 0 && left >= sizes[i]; i-- {
		left -= sizes[i]
		fits++
	}
	if got := w.newest(budget); got != max(fits, 1) {
		t.Fatalf("%d entries fit into %d, want %d", got, budget, max(fits, 1))
	}
}

// TestSizesAfterRestart: the sizes of entries that were there before are an estimate from
// a sample.
func TestSizesAfterRestart(t *testing.T) {
	t.Parallel()
	inner := filledLog(t, 101, 1100)
	w, err := watchLog(inner, noFault(t))
	if err != nil {
		t.Fatal(err)
	}
	if logs, bytes := w.after(0); logs != 1000 || bytes != 132_000 {
		t.Errorf("%d entries of %d bytes", logs, bytes)
	}
	if logs, bytes := w.after(1000); logs != 100 || bytes != 13_200 {
		t.Errorf("%d entries of %d bytes", logs, bytes)
	}
}

// TestDeletedEntriesAreGone: see watchedLog.GetLog.
func TestDeletedEntriesAreGone(t *testing.T) {
	t.Parallel()
	store, err := openLog(t.TempDir(), 1<<20, newRaftLog(discard()))
	if err != nil {
		t.Fatal(err)
	}
	w, err := watchLog(store, noFault(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(10) {
		if err := w.StoreLog(&raft.Log{Index: i + 1, Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.DeleteRange(1, 6); err != nil {
		t.Fatal(err)
	}
	var l raft.Log
	if err := w.GetLog(6, &l); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("a deleted entry: %v", err)
	}
	if err := w.GetLog(7, &l); err != nil || l.Index != 7 {
		t.Errorf("the first that is left: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// failingLog is a disk that is full.
type failingLog struct{ memLog }

var errFull = errors.New("no space left on device")

func (failingLog) StoreLogs([]*raft.Log) error    { return errFull }
func (failingLog) DeleteRange(_, _ uint64) error  { return errFull }
func (failingLog) SetUint64([]byte, uint64) error { return errFull }

// TestFullDiskStopsTheNode: after a write that failed nobody knows what is on disk, so it
// is not tried again.
func TestFullDiskStopsTheNode(t *testing.T) {
	t.Parallel()
	for what, do := range map[string]func(*watchedLog) error{
		"append":   func(w *watchedLog) error { return w.StoreLog(&raft.Log{Index: 1}) },
		"truncate": func(w *watchedLog) error { return w.DeleteRange(1, 1) },
		"table":    func(w *watchedLog) error { return w.SetUint64([]byte("CurrentTerm"), 1) },
	} {
		var told error
		w, err := watchLog(failingLog{memLog{raft.NewInmemStore()}}, func(err error) { told = err })
		if err != nil {
			t.Fatal(err)
		}
		err = do(w)
		wantCode(t, what, err, syncproto.CodeRaftDisk)
		wantCode(t, what+": the node", told, syncproto.CodeRaftDisk)
		if !errors.Is(err, errFull) {
			t.Errorf("%s: the cause is lost: %v", what, err)
		}
		if logs, _ := w.after(0); logs != 0 {
			t.Errorf("%s: %d entries counted", what, logs)
		}
	}
}

// TestLeaderWithFullDisk: the same in a running node: the proposer does not know, the node
// ends, and after a restart with space all is well.
func TestLeaderWithFullDisk(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	m := r.leader()
	r.propose("a")
	good := m.node.log.logStore
	m.node.log.logStore = fullFor{good}
	_, _, err := m.node.Propose(t.Context(), []byte("b"))
	wantCode(t, "the proposer", err, syncproto.CodeUnknownOutcome)
	wantCode(t, "Run", <-m.ended, syncproto.CodeRaftDisk)
	m.restart(-1)
	r.propose("c")
	wantData(t, m.machine.data(), []string{"a", "c"})
}

type fullFor struct{ logStore }

func (fullFor) StoreLogs([]*raft.Log) error { return errFull }
