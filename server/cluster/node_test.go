package cluster

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/syncproto"
)

// TestThreeNodes is the life of a cluster: it grows, commits, loses its leader, goes on,
// and takes the old one back. Every entry is applied once on every replica.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1", "n2", "n3")
	before, after := numbered("a", 20), numbered("b", 20)
	r.proposeAll(before)
	old := r.leader()
	term := old.node.Term()
	old.kill()
	r.proposeAll(after[:10])
	if r.leader().node.Term() <= term {
		t.Error("the new leader has no newer term")
	}
	old.restart(-1)
	r.proposeAll(after[10:])
	wantData(t, r.settle(), slices.Concat(before, after))
}

// TestAllAtOnce: all nodes die and come back; nothing acknowledged is gone, though no
// machine had synced anything.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1", "n2", "n3")
	items := numbered("a", 10)
	r.proposeAll(items)
	for _, m := range r.nodes {
		m.kill()
	}
	for _, m := range r.nodes {
		m.machine = &toy{} // a machine without any disk: all of it comes from the log
		m.start()
	}
	r.proposeAll([]string{"last"})
	wantData(t, r.settle(), append(items, "last"))
}

// TestReplay: after a restart raft applies old entries again; the machine tells them by
// their index.
func TestReplay(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	items := numbered("a", 5)
	r.proposeAll(items)
	m := r.nodes["n1"].restart(-1)
	r.leader()
	if calls, _, _ := m.machine.seen(); calls != 5 {
		t.Errorf("%d entries came again, want 5: the library has changed", calls)
	}
	wantData(t, m.machine.data(), items)
}

func TestProposeGivesResults(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	n := r.leader().node
	res, first, err := n.Propose(context.Background(), []byte("hello"))
	if err != nil || res != "hello is number 1" {
		t.Errorf("%v, %v", res, err)
	}
	res, second, err := n.Propose(context.Background(), bytes.Repeat([]byte("x"), syncproto.MaxEntryBytes))
	if err != nil || second <= first || res == nil {
		t.Errorf("index %d after %d: %v", second, first, err)
	}
}

func TestProposeRefuses(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1", "n2")
	leader := r.leader()
	follower := r.nodes["n1"]
	if follower == leader {
		follower = r.nodes["n2"]
	}
	ctx := context.Background()
	eventually(t, "the follower knows the leader", func() bool { id, _ := follower.node.Leader(); return id == leader.id })

	_, _, err := follower.node.Propose(ctx, []byte("x"))
	wantCode(t, "a follower", err, syncproto.CodeNotLeader)
	if id, addr := LeaderOf(err); id != leader.id || addr != leader.addr || !errors.Is(err, ErrNotLeader) {
		t.Errorf("the error names %s at %s, want %s at %s", id, addr, leader.id, leader.addr)
	}
	wantCode(t, "a follower's barrier", follower.node.Barrier(ctx), syncproto.CodeNotLeader)
	wantCode(t, "a follower's lead", follower.node.VerifyLeader(ctx), syncproto.CodeNotLeader)
	wantCode(t, "a follower changes members", follower.node.RemoveServer(ctx, "n1"), syncproto.CodeNotLeader)
	wantCode(t, "bootstrapped twice", leader.node.Bootstrap(), syncproto.CodeBootstrapped)

	_, _, err = leader.node.Propose(ctx, make([]byte, syncproto.MaxEntryBytes+1))
	wantCode(t, "too large", err, syncproto.CodeEntryTooLarge)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, _, err = leader.node.Propose(gone, []byte("x"))
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnknownOutcome) {
		t.Errorf("ctx ended before: %v", err)
	}
	eventually(t, "whoever leads knows that it does", func() bool {
		leader = r.leader() // on a busy machine it may be another by now
		return errors.Join(leader.node.Barrier(ctx), leader.node.VerifyLeader(ctx)) == nil
	})
	stopped := leader.node
	leader.kill()
	_, _, err = stopped.Propose(ctx, []byte("x"))
	wantCode(t, "a stopped node", err, syncproto.CodeNodeStopped)
	wantCode(t, "a stopped node's barrier", stopped.Barrier(ctx), syncproto.CodeNodeStopped)
	if len(leader.machine.data()) != 0 {
		t.Errorf("something was applied: %v", leader.machine.data())
	}
}

// TestUnknownOutcome: a leader that loses its followers cannot say what becomes of an
// entry. Sent again later it is there, at least once.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1", "n2", "n3")
	r.propose("a")
	leader := r.leader()
	for _, m := range r.nodes {
		if m != leader {
			m.kill()
		}
	}
	_, _, err := leader.node.Propose(context.Background(), []byte("b"))
	wantCode(t, "no majority", err, syncproto.CodeUnknownOutcome)
	if leader.node.IsLeader() {
		t.Error("it still thinks that it leads")
	}
	for _, m := range r.nodes {
		if m != leader {
			m.restart(-1)
		}
	}
	r.propose("b")
	got := r.settle()
	if !slices.Equal(got, []string{"a", "b"}) && !slices.Equal(got, []string{"a", "b", "b"}) {
		t.Errorf("%v", got)
	}
}

// TestManyProposers: entries of many callers all arrive, each once.
func TestManyProposers(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1", "n2", "n3")
	n := r.leader().node
	items := numbered("a", 200)
	var group errgroup.Group
	group.SetLimit(16)
	for _, s := range items {
		group.Go(func() error {
			_, _, err := n.Propose(context.Background(), []byte(s))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	got := r.settle()
	slices.Sort(got)
	wantData(t, got, items)
}

// TestLead: the owner hears of a lead when all that was committed is applied, and of its
// end.
func TestLead(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1", "n2")
	first := r.leader()
	term := <-first.terms
	if got, ok := first.node.Leading(); !ok || got != term {
		t.Errorf("leading %d, %v; want %d", got, ok, term)
	}
	r.propose("a")
	if err := first.node.TransferLeadership(context.Background(), ""); err != nil {
		t.Fatal(err)
	}
	var second *member
	eventually(t, "the other one leads", func() bool { second = r.leader(); return second != first })
	if next := <-second.terms; next <= term {
		t.Errorf("term %d after %d", next, term)
	}
	if _, ok := first.node.Leading(); ok {
		t.Error("two leads")
	}
	wantData(t, second.machine.data(), []string{"a"}) // without waiting: the lead means it
}

// TestLeadWaitsForApplied: a node that leads, but has not applied yet what its predecessor
// committed, must not answer for it.
func TestLeadWaitsForApplied(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	n2 := r.add("n2")
	n2.machine.slow = make(chan struct{})
	n2.start()
	first := r.nodes["n1"]
	if err := first.node.AddVoter(context.Background(), "n2", n2.addr); err != nil {
		t.Fatal(err)
	}
	r.propose("a") // n1 has applied it; n2 has it in its log only
	if err := first.node.TransferLeadership(context.Background(), "n2"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "n2 leads", n2.node.IsLeader)
	for range 20 { // it has had time to go wrong: each verification is a round to n1
		if err := n2.node.VerifyLeader(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, ok := n2.node.Leading(); ok {
			t.Fatal("ready for work without the entry")
		}
	}
	close(n2.machine.slow)
	<-n2.terms
	if _, ok := n2.node.Leading(); !ok {
		t.Error("not ready for work")
	}
	wantData(t, n2.machine.data(), []string{"a"})
}

func TestTransferRefuses(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1", "n2")
	leader := r.leader()
	wantCode(t, "to nobody", leader.node.TransferLeadership(context.Background(), "n9"), syncproto.CodeMembership)
	to := "n1"
	if leader.id == to {
		to = "n2"
	}
	if err := leader.node.TransferLeadership(context.Background(), to); err != nil {
		t.Error(err)
	}
	eventually(t, "it leads", func() bool { return r.leader().id == to })
}

func TestMembers(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1", "n2", "n3")
	r.proposeAll(numbered("a", 3))
	leader := r.leader()
	ctx := context.Background()
	n4 := r.add("n4").start()
	if err := leader.node.AddNonvoter(ctx, "n4", n4.addr); err != nil {
		t.Fatal(err)
	}
	r.settle()
	voters, leaders := 0, 0
	for _, s := range leader.node.Servers() {
		if s.Voter {
			voters++
		}
		if s.Leader {
			leaders++
		}
	}
	if voters != 3 || leaders != 1 || len(leader.node.Servers()) != 4 {
		t.Errorf("%+v", leader.node.Servers())
	}
	for _, m := range r.nodes {
		if m == leader || m == n4 {
			continue
		}
		if err := leader.node.RemoveServer(ctx, m.id); err != nil {
			t.Fatal(err)
		}
		m.kill()
		delete(r.nodes, m.id)
		break
	}
	r.propose("after")
	if got := len(leader.node.Servers()); got != 3 {
		t.Errorf("%d members", got)
	}
}

// TestRunHandsOver: a leader that is told to stop lets another one lead first.
func TestRunHandsOver(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1", "n2", "n3")
	r.propose("a")
	r.settle()
	old := r.leader()
	old.stop()
	if err := <-old.ended; err != nil {
		t.Fatal(err)
	}
	old.node = nil
	begun := time.Now()
	eventually(t, "another leader", func() bool {
		for _, m := range r.nodes {
			if m.node != nil && m.node.IsLeader() {
				return true
			}
		}
		return false
	})
	t.Logf("led again %v after the old leader had ended", time.Since(begun))
}

// TestApplyFault: a replica that cannot apply an entry stops, applies nothing more, takes
// no snapshot, and goes on where it was once its disk is well.
func TestApplyFault(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	m := r.leader()
	r.propose("a")
	m.machine.poison = "b"
	_, _, err := m.node.Propose(context.Background(), []byte("b"))
	wantCode(t, "the proposer", err, syncproto.CodeUnknownOutcome)
	wantCode(t, "a barrier behind it", m.node.Barrier(context.Background()), syncproto.CodeNodeStopped)
	err = <-m.ended
	wantCode(t, "Run", err, syncproto.CodeReplicaFault)
	if !errors.Is(err, errPoison) {
		t.Errorf("the cause is lost: %v", err)
	}
	if _, ok := m.node.Leading(); ok {
		t.Error("it still leads")
	}
	if got, err := m.node.shell.Snapshot(); err == nil {
		t.Errorf("a snapshot of a broken replica: %v", got)
	}
	wantData(t, m.machine.data(), []string{"a"})
	m.restart(-1)
	wantData(t, r.settle(), []string{"a", "b"})
}

// TestNothingReadableOnDisk: neither log nor snapshot shows what was proposed.
func TestNothingReadableOnDisk(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	m := r.leader()
	secret := "330702199001011234 张三丰"
	r.propose(secret)
	if err := m.node.TakeSnapshot(context.Background()); err != nil {
		t.Fatal(err)
	}
	m.kill()
	files := 0
	err := filepath.WalkDir(m.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secret[:10])) {
			t.Errorf("%s shows it", path)
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("%d files, %v", files, err)
	}
}

// TestWrongDataKey: a node with another key says so, and applies nothing.
func TestWrongDataKey(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	r.propose("a")
	m := r.nodes["n1"]
	m.kill()
	m.machine = &toy{}
	cfg := m.config()
	cfg.DataKey = &[32]byte{1}
	if err := m.tryStart(cfg); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "Run", <-m.ended, syncproto.CodeEntryUnreadable)
	wantData(t, m.machine.data(), nil)
}

// TestOpenedTwice: a second process on the same folder must not wait for ever.
func TestOpenedTwice(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	cfg := r.nodes["n1"].config()
	cfg.Listen = "127.0.0.1:0"
	_, err := Open(cfg, &toy{})
	wantCode(t, "twice", err, syncproto.CodeRaftLog)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	m := r.add("n1")
	taken := r.add("n2").start()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	device, err := r.city.SignDevice(m.own.Cert.PublicKey.(ed25519.PublicKey), "00112233445566778899aabbccddeeff", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		why    string
		change func(*Config)
		want   syncproto.Code
	}{
		{"no folder", func(c *Config) { c.Dir = "" }, syncproto.CodeInternal},
		{"a file for a folder", func(c *Config) { c.Dir = file }, syncproto.CodeRaftLog},
		{"an address in use", func(c *Config) { c.Listen = taken.addr }, syncproto.CodeRaftListen},
		{"an address that is none", func(c *Config) { c.Listen = "nowhere" }, syncproto.CodeRaftListen},
		{"a device's certificate", func(c *Config) { c.Own.Cert = device }, syncproto.CodeWrongRole},
		{"no data key", func(c *Config) { c.DataKey = nil }, syncproto.CodeInternal},
	} {
		cfg := m.config()
		row.change(&cfg)
		_, err := Open(cfg, &toy{})
		wantCode(t, row.why, err, row.want)
	}
	m.start() // and none of these has left something locked
}
