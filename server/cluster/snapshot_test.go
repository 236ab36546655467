package cluster

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"unionsync/syncproto"
)

func takeSnapshot(t *testing.T, m *member) {
	t.Helper()
	if err := m.node.TakeSnapshot(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestSnapshotOrder: the machine is durable before a snapshot reports success, and what
// was pinned is let go.
func TestSnapshotOrder(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	m := r.leader()
	r.proposeAll(numbered("a", 3))
	takeSnapshot(t, m)
	eventually(t, "released", func() bool { _, _, events := m.machine.seen(); return contains(events, "release") })
	if _, _, events := m.machine.seen(); !slices.Equal(events, []string{"pin", "stream", "sync", "release"}) {
		t.Errorf("%v", events)
	}
	if m.node.Stats().SnapshotIndex == 0 {
		t.Error("raft knows of no snapshot")
	}
	takeSnapshot(t, m) // nothing new: no error
}

// TestSnapshotBehindMemberChange: a change of members is no entry of the machine's, and a
// snapshot must not wait for one.
func TestSnapshotBehindMemberChange(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	m := r.leader()
	r.propose("a")
	if err := m.node.AddNonvoter(context.Background(), "n2", r.add("n2").start().addr); err != nil {
		t.Fatal(err)
	}
	takeSnapshot(t, m)
}

// TestSyncFails: a state that cannot be made durable ends the node, and there is no
// snapshot by which raft could drop the entries.
func TestSyncFails(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	m := r.leader()
	r.proposeAll(numbered("a", 3))
	m.machine.mu.Lock()
	m.machine.syncErr = errors.New("disk on fire")
	m.machine.mu.Unlock()
	if err := m.node.TakeSnapshot(context.Background()); err == nil {
		t.Error("the snapshot succeeded")
	}
	wantCode(t, "Run", <-m.ended, syncproto.CodeReplicaFault)
	if list, err := m.node.snaps.List(); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	m.restart(-1)
	wantData(t, r.settle(), numbered("a", 3))
}

// TestLostTail: the machine's disk has lost entries that the newest snapshot holds. raft
// counts these as applied and never replays them; the node notices and restores. (Without
// catchUp in start.go this fails.)
func TestLostTail(t *testing.T) {
	t.Parallel()
	items := numbered("a", 15)
	for _, row := range []struct {
		why          string
		keep         int
		wantRestores int
	}{
		{"nothing lost", 15, 0},
		{"only what the log still replays", 12, 0},
		{"all but what the snapshot has", 10, 0},
		{"one entry of the snapshot", 9, 1},
		{"everything", 0, 1},
	} {
		r := newRing(t)
		r.cluster("n1")
		m := r.leader()
		r.proposeAll(items[:10])
		takeSnapshot(t, m)
		r.proposeAll(items[10:])
		m.restart(row.keep)
		r.propose("last")
		if _, restores, _ := m.machine.seen(); restores != row.wantRestores {
			t.Errorf("%s: %d restores", row.why, restores)
		}
		wantData(t, m.machine.data(), append(slices.Clone(items), "last"))
		m.kill()
	}
}

// TestInstall: a node that comes late gets a snapshot, because the log no longer goes back
// to the beginning; it restarts on it, and a further one installs over an old state.
func TestInstall(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.space.TrailingBytes = 1 // keep nothing behind a snapshot
	r.cluster("n1")
	m := r.leader()
	early, late := numbered("a", 30), numbered("b", 30)
	r.proposeAll(early)
	takeSnapshot(t, m)
	n2 := r.add("n2").start()
	if err := m.node.AddVoter(context.Background(), "n2", n2.addr); err != nil {
		t.Fatal(err)
	}
	r.propose("x")
	wantData(t, r.settle(), append(slices.Clone(early), "x"))
	if calls, restores, _ := n2.machine.seen(); restores != 1 || calls != 1 {
		t.Errorf("%d restores, %d entries: it was not a snapshot", restores, calls)
	}
	n2.restart(0) // the machine lost all; the snapshot is here
	wantData(t, r.settle(), append(slices.Clone(early), "x"))

	n3 := r.add("n3").start()
	if err := r.leader().node.AddVoter(context.Background(), "n3", n3.addr); err != nil {
		t.Fatal(err)
	}
	r.propose("y")
	r.settle()
	n3.kill() // away while the log moves on
	r.proposeAll(late)
	takeSnapshot(t, r.leader())
	n3.restart(-1)
	r.propose("z")
	wantData(t, r.settle(), slices.Concat(early, []string{"x", "y"}, late, []string{"z"}))
	if _, restores, _ := n3.machine.seen(); restores != 1 {
		t.Errorf("n3 restored %d times", restores)
	}
}

// TestSnapshotDamaged: a node that needs its snapshot and cannot read it does not start,
// for a damaged file as for a wrong key; one that does not need it starts.
func TestSnapshotDamaged(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	m := r.leader()
	r.proposeAll(numbered("a", 5))
	takeSnapshot(t, m)
	m.kill()
	whole := m.machine
	m.machine = whole.reborn(0)
	cfg := m.config()
	cfg.DataKey = &[32]byte{1}
	wantCode(t, "wrong key", m.tryStart(cfg), syncproto.CodeSnapshotUnusable)

	files, err := filepath.Glob(filepath.Join(m.dir, "snapshots", "*", "state.bin"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "damaged", m.tryStart(m.config()), syncproto.CodeSnapshotUnusable)
	m.machine = whole.reborn(-1)
	m.start()
	r.propose("b")
	wantData(t, m.machine.data(), append(numbered("a", 5), "b"))
}

// TestCompactBySize: snapshots are taken by bytes of log, and the log is cut behind them.
func TestCompactBySize(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	m := r.add("n1")
	cfg := m.config()
	cfg.Timing.Check = 1e6 // 1 ms
	cfg.Space.SnapshotBytes, cfg.Space.TrailingBytes = 2000, 500
	if err := m.tryStart(cfg); err != nil {
		t.Fatal(err)
	}
	if err := m.node.Bootstrap(); err != nil {
		t.Fatal(err)
	}
	items := numbered("a", 60)
	r.proposeAll(items)
	eventually(t, "a short log behind a snapshot", func() bool {
		s := m.node.Stats()
		return s.SnapshotIndex > 0 && s.LogBytes < 3500
	})
	if s := m.node.Stats(); s.Applied == 0 || s.Logs == 0 || s.LastIndex < 60 || s.State != "Leader" || s.ID != "n1" {
		t.Errorf("%+v", s)
	}
	r.nodes["n1"].restart(-1)
	r.propose("last")
	wantData(t, m.machine.data(), append(items, "last"))
}

// TestRestoreDropsPin: when another node's snapshot arrives while one of ours is pinned,
// ours is let go first; writing it then fails, and nothing waits for anything.
func TestRestoreDropsPin(t *testing.T) {
	t.Parallel()
	m := &toy{}
	s, want := newTestShell(t, m)
	applyAll(t, s, "a", "b")
	pin, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(readCloser{bytes.NewReader(want)}); err != nil {
		t.Fatal(err)
	}
	if err := pin.Persist(&sink{}); !errors.Is(err, errReleased) {
		t.Errorf("%v", err)
	}
	pin.Release()
	if m.pins != 0 || m.restores != 1 {
		t.Errorf("%d pins, %d restores", m.pins, m.restores)
	}
	wantData(t, m.data(), []string{"from", "elsewhere"})
}

// TestRestoreWaitsForWriting: a snapshot that is being written is finished first.
func TestRestoreWaitsForWriting(t *testing.T) {
	t.Parallel()
	m := &toy{block: make(chan struct{})}
	s, other := newTestShell(t, m)
	applyAll(t, s, "a", "b")
	pin, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var out sink
	written := make(chan error, 1)
	go func() { written <- pin.Persist(&out) }()
	eventually(t, "writing", func() bool { _, _, events := m.seen(); return contains(events, "stream") })
	restored := make(chan error, 1)
	go func() { restored <- s.Restore(readCloser{bytes.NewReader(other)}) }() // the toy refuses it while pinned
	close(m.block)
	if err := errors.Join(<-written, <-restored); err != nil {
		t.Fatal(err)
	}
	wantData(t, m.data(), []string{"from", "elsewhere"})
	if applied, err := s.restore(&out); err != nil || applied != 2 {
		t.Errorf("the snapshot written is at %d: %v", applied, err)
	}
	wantData(t, m.data(), []string{"a", "b"})
}

// TestRestoreRefusesDamage: whatever is wrong with a snapshot, the state stays.
func TestRestoreRefusesDamage(t *testing.T) {
	t.Parallel()
	m := &toy{}
	s, good := newTestShell(t, m)
	applyAll(t, s, "a")
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if err := s.Restore(readCloser{bytes.NewReader(bad)}); err == nil {
			t.Fatalf("byte %d changed: restored", i)
		}
	}
	for n := range good {
		if err := s.Restore(readCloser{bytes.NewReader(good[:n])}); err == nil {
			t.Fatalf("cut to %d bytes: restored", n)
		}
	}
	wantData(t, m.data(), []string{"a"})
	if s.broken != nil {
		t.Error(s.broken)
	}
}

// TestBrokenShellDoesNothing: behind an entry that could not be applied, nothing is.
func TestBrokenShellDoesNothing(t *testing.T) {
	t.Parallel()
	m := &toy{poison: "b"}
	s, other := newTestShell(t, m)
	var faults []error
	s.fail = func(err error) { faults = append(faults, err) }
	applyAll(t, s, "a")
	for i, item := range []string{"b", "c"} {
		data, err := s.codec.encode([]byte(item))
		if err != nil {
			t.Fatal(err)
		}
		f, bad := s.Apply(&raft.Log{Index: uint64(i + 2), Data: data}).(fault)
		if !bad || !errors.Is(f.err, errPoison) {
			t.Errorf("%s: %v", item, f)
		}
	}
	if pin, err := s.Snapshot(); !errors.Is(err, errPoison) {
		t.Errorf("a snapshot: %v, %v", pin, err)
	}
	if err := s.Restore(readCloser{bytes.NewReader(other)}); !errors.Is(err, errPoison) {
		t.Errorf("a restore: %v", err)
	}
	wantData(t, m.data(), []string{"a"})
	if len(faults) != 1 {
		t.Errorf("told %v", faults)
	}
}

// sink is a snapshot's place in memory.
type sink struct{ bytes.Buffer }

func (*sink) ID() string    { return "sink" }
func (*sink) Cancel() error { return nil }
func (*sink) Close() error  { return nil }

var _ raft.SnapshotSink = (*sink)(nil)

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// newTestShell gives a shell around m, and a snapshot that another machine has written.
func newTestShell(t *testing.T, m Machine) (*shell, []byte) {
	t.Helper()
	make1 := func(m Machine) *shell {
		c := testCodec(t)
		return &shell{machine: m, codec: c, dataKey: testKey(1), fail: func(err error) { t.Errorf("failed: %v", err) }}
	}
	other := make1(&toy{})
	applyAll(t, other, "from", "elsewhere")
	pin, err := other.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var out sink
	if err := pin.Persist(&out); err != nil {
		t.Fatal(err)
	}
	return make1(m), out.Bytes()
}

func applyAll(t *testing.T, s *shell, items ...string) {
	t.Helper()
	for i, item := range items {
		data, err := s.codec.encode([]byte(item))
		if err != nil {
			t.Fatal(err)
		}
		if f, bad := s.Apply(&raft.Log{Index: uint64(i + 1), Data: data}).(fault); bad {
			t.Fatal(f.err)
		}
	}
}
