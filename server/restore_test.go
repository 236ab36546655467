package server

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/archive"
	"unionsync/server/gate"
	"unionsync/server/ledger"
	"unionsync/syncproto"
)

// archived is a centre with an archive target in a folder.
type archived struct {
	*testCity
	target string
	key    string // copy of the cluster key, from the safe
}

// newArchived starts a centre that keeps an archive. Backups are made on demand: the next is
// due in half a day.
func newArchived(t *testing.T, nodes int) *archived {
	t.Helper()
	a := &archived{target: t.TempDir(), key: filepath.Join(t.TempDir(), "cluster.key")}
	at := time.Now().Add(12 * time.Hour).Format("15:04")
	env := map[string]string{"UNIONSYNC_BACKUP": a.target, "UNIONSYNC_BACKUP_STREAM": "1s", "UNIONSYNC_BACKUP_AT": at, "UNIONSYNC_BACKUP_DRILL": "never"}
	a.testCity = newCityWith(t, nodes, gate.Capacity{}, func(name string) string { return env[name] })
	b, err := os.ReadFile(filepath.Join(a.nodes[0].dir, "cluster.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.key, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// backUp makes a backup through the running centre.
func (a *archived) backUp() *archive.Status {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	s, err := a.admin(a.leader()).BackUp(ctx, func(int64) {})
	for syncproto.CodeOf(err) == syncproto.CodeBackupRunning { // the first one that a centre makes by itself
		<-time.After(20 * time.Millisecond)
		s, err = a.admin(a.leader()).BackUp(ctx, func(int64) {})
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return s
}

// streamed waits until all that the leader has is on the target.
func (a *archived) streamed() {
	a.t.Helper()
	n := a.leader()
	a.until("all is streamed", func() bool {
		s := n.Archive()
		return s.Streamed == n.ledger.Head() && s.Streamed != 0
	})
}

func (a *archived) until(what string, ok func() bool) {
	a.t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-deadline:
			a.t.Fatalf("waited in vain: %s; %+v", what, a.leader().Archive())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// unplug takes the target's disk away, until it is plugged in again.
func (a *archived) unplug() {
	a.t.Helper()
	if err := os.Rename(a.target, a.target+".unplugged"); err != nil {
		a.t.Fatal(err)
	}
}

func (a *archived) plug() {
	a.t.Helper()
	if err := os.Rename(a.target+".unplugged", a.target); err != nil {
		a.t.Fatal(err)
	}
}

// destroy ends all nodes and takes their folders away.
func (a *archived) destroy() {
	a.t.Helper()
	for _, n := range a.nodes {
		if err := n.stop(); err != nil {
			a.t.Fatal(err)
		}
		if err := os.RemoveAll(n.dir); err != nil {
			a.t.Fatal(err)
		}
	}
	a.nodes = nil
}

func (a *archived) restoring() Restoring {
	return Restoring{From: a.target, ClusterKey: a.key, Reason: "test", Operator: "op"}
}

func (a *archived) config(id string) Config {
	return Config{ID: id, Listen: freeAddress(a.t), Raft: freeAddress(a.t), Heartbeat: a.heartbeat}
}

// restore restores a first node and starts it.
func (a *archived) restore(id string, how Restoring) *Restored {
	a.t.Helper()
	dir := filepath.Join(a.t.TempDir(), id)
	r, err := Restore(a.t.Context(), dir, a.config(id), how, testWorld(), noEnv)
	if err != nil {
		a.t.Fatal(err)
	}
	a.nodes = append(a.nodes, a.start(dir))
	return r
}

// syncs syncs as often as a restored centre needs to have all of everybody.
func syncs(t *testing.T, n *running, pcs ...*pc) {
	t.Helper()
	for range 3 {
		for _, p := range pcs {
			if _, err := p.Sync(p.exchange(n.ready.API)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRestore: a city of agents, a backup, more deliveries, the end of all nodes. Whatever
// was delivered is there again in the end, also what only an agent still has; the log of the
// restored centre begins at 1, far below the index of the backup; restarts and further nodes
// change nothing.
func TestRestore(t *testing.T) {
	a := newArchived(t, 1)
	a.importUnions("u1", "u2")
	n := a.nodes[0]
	pcs := []*pc{a.enrolPC(n, "u1"), a.enrolPC(n, "u1"), a.enrolPC(n, "u2")}
	for round := range 4 {
		for i, p := range pcs {
			p.Save(note(byte(1+10*round+i), "before"))
			p.sync(n)
		}
	}
	made := a.backUp()
	if made.Backup == nil || made.Watermark != made.Backup.Position && n.ledger.Watermark() == 0 {
		t.Errorf("%+v", made)
	}
	for i, p := range pcs {
		p.Save(note(byte(100+i), "behind the backup"))
		p.sync(n)
	}
	a.streamed()
	streamed := n.ledger.Head()
	index := n.ledger.Applied()
	a.unplug()
	for i, p := range pcs {
		p.Save(note(byte(110+i), "never streamed"))
		p.sync(n)
	}
	want := encoded(pcs[0].Agent)
	a.destroy()
	a.plug()

	how := a.restoring()
	r := a.restore("n9", how)
	n = a.nodes[0]
	if r.Position != streamed || r.Generation != 2 || r.Base != streamed || r.Log.Entries == 0 || len(r.Lost) != 0 {
		t.Errorf("restored %+v, want up to %s", r, streamed)
	}
	if at := n.ledger.Applied(); at >= index {
		t.Errorf("the new log stands at %d, the old one at %d: the test proves nothing", at, index)
	}
	syncs(t, n, pcs...)
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	a.nodes = []*running{a.start(n.dir)}
	n = a.nodes[0]
	pcs[2].Save(note(120, "in the new life"))
	syncs(t, n, pcs...)
	if len(pcs[2].Layer()) != 7 {
		t.Errorf("u2 has %d records, want 7", len(pcs[2].Layer()))
	}
	for _, p := range pcs[:2] {
		if len(p.Layer()) != 12 {
			t.Errorf("u1 has %d records, want 12", len(p.Layer()))
		}
		for k, h := range want {
			if encoded(p.Agent)[k] != h {
				t.Errorf("record %x differs", k.ID[:1])
			}
		}
	}
	if d := cmp.Diff(encoded(pcs[0].Agent), encoded(pcs[1].Agent)); d != "" {
		t.Error(d)
	}
	a.joins("n10")
	a.equalStates()
}

// TestRestoreAboveItsLog: the backup's index is far above what the new raft log comes to; then
// write, restart, count. What is written at indexes that the old log had used is applied, once,
// and counted, before and after the restart; a log that began again at the backup's own index
// would pass for applied. Seen to fail with the state left at the index of the backup.
func TestRestoreAboveItsLog(t *testing.T) {
	a := newArchived(t, 1)
	a.importUnions("u1")
	n := a.nodes[0]
	p := a.enrolPC(n, "u1")
	citizens := []string{"11010519491231002X", "440524188001010014"}
	p.joins(n, 1, citizens[0], "2020-01-01")
	for i := range 60 { // an entry each
		p.Save(note(byte(10+i), "v"))
		p.sync(n)
	}
	made := a.backUp()
	index := n.ledger.Applied()
	a.destroy()
	how := a.restoring()
	how.Backup, how.NoLog = made.Backup.Name, true
	a.restore("n9", how)
	n = a.nodes[0]
	counted := func(when string, want int) {
		t.Helper()
		r, err := a.admin(n).Counts(t.Context(), &unionrpc.CountsRequest{AtLeast: uint64(n.ledger.Head())})
		if err != nil || r.Total.Members != want {
			t.Errorf("%s: %d members, want %d, %v", when, r.Total.Members, want, err)
		}
	}
	counted("restored", 1)
	p.joins(n, 2, citizens[1], "2021-01-01")
	for i := range 5 {
		p.Save(note(byte(100+i), "after"))
		syncs(t, n, p)
	}
	if at := n.ledger.Applied(); at >= index {
		t.Fatalf("the new log stands at %d, the backup at %d: the test proves nothing", at, index)
	}
	counted("written", 2)
	before := a.state(n)
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	a.nodes = []*running{a.start(n.dir)}
	n = a.nodes[0]
	counted("started again", 2)
	if after := a.state(n); after.head != before.head || after.applied < before.applied || after.applied >= index {
		t.Errorf("after the restart at %s and %d, before at %s and %d", after.head, after.applied, before.head, before.applied)
	}
	syncs(t, n, p)
	if len(p.Layer()) != 69 {
		t.Errorf("%d records, want 69", len(p.Layer()))
	}
}

// joins lets a further node in.
func (a *archived) joins(id string) {
	a.t.Helper()
	dir := filepath.Join(a.t.TempDir(), id)
	if _, err := Join(a.t.Context(), dir, a.config(id), Joining{Centre: a.nodes[0].ready.API, ClusterKey: a.key}, testWorld()); err != nil {
		a.t.Fatal(err)
	}
	a.nodes = append(a.nodes, a.start(dir))
	a.caughtUp(a.nodes[len(a.nodes)-1], a.nodes[0])
}

// TestRestoreRefuses: a folder that holds something, a name that a node has had, a backup
// below the watermark, a damaged one by its name, another city's key. Nothing is left behind.
func TestRestoreRefuses(t *testing.T) {
	a := newArchived(t, 1)
	a.importUnions("u1")
	n := a.nodes[0]
	p := a.enrolPC(n, "u1")
	p.Save(note(1, "first"))
	p.sync(n)
	early := a.backUp()
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(a.target, "backups", early.Backup.Name))); err != nil {
		t.Fatal(err)
	}
	p.Save(note(2, "second"))
	p.sync(n)
	for range 2 {
		a.backUp()
	}
	a.streamed()
	prune(t, a, 2)
	a.until("the watermark is above the first backup", func() bool { return n.ledger.Watermark() > early.Backup.Position })
	if err := os.CopyFS(filepath.Join(a.target, "backups", early.Backup.Name), os.DirFS(copied)); err != nil {
		t.Fatal(err)
	}
	a.destroy()

	other := newArchived(t, 1)
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	below := a.restoring()
	below.Backup, below.NoLog = early.Backup.Name, true
	foreign := a.restoring()
	foreign.ClusterKey = other.key
	for _, row := range []struct {
		why  string
		dir  string
		id   string
		how  Restoring
		want syncproto.Code
	}{
		{"the folder holds something", full, "n9", a.restoring(), syncproto.CodeRestoreFolder},
		{"a node of this name has signed", t.TempDir(), "n1", a.restoring(), syncproto.CodeNodeExists},
		{"below the watermark", t.TempDir(), "n9", below, syncproto.CodeRestoreLoss},
		{"another city's key", t.TempDir(), "n9", foreign, syncproto.CodeBackupKey},
	} {
		_, err := Restore(t.Context(), row.dir, a.config(row.id), row.how, testWorld(), noEnv)
		if err == nil || syncproto.CodeOf(err) != row.want {
			t.Errorf("%s: %v, want E%d", row.why, err, row.want)
		}
		if row.dir != full {
			if left, err := os.ReadDir(row.dir); err != nil || len(left) > 0 {
				t.Errorf("%s: left behind %v, %v", row.why, left, err)
			}
		}
	}
	below.AcceptLoss = true
	if r := a.restore("n9", below); len(r.Lost) == 0 || r.Position != early.Backup.Position {
		t.Errorf("with the loss accepted: %+v", r)
	}
	syncs(t, a.nodes[0], p)
	if len(p.Layer()) != 2 {
		t.Errorf("%d records of 2 after the refill", len(p.Layer()))
	}
}

// prune has all but the newest backups taken away, as the keeper does in time.
func prune(t *testing.T, a *archived, keep int) {
	t.Helper()
	n := a.leader()
	w, err := writerFor(n.trust, n.opt.Config, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := w.Prune(t.Context(), keep, "", time.Now())
	if err != nil || len(gone) == 0 {
		t.Fatalf("%v, %v", gone, err)
	}
	a.backUp() // moves the watermark
}

// TestRestoreFromSurvivor: what was committed behind all that the archive has is in the
// folder of a node that was stopped.
func TestRestoreFromSurvivor(t *testing.T) {
	a := newArchived(t, 1)
	a.importUnions("u1")
	n := a.nodes[0]
	p := a.enrolPC(n, "u1")
	p.Save(note(1, "first"))
	p.sync(n)
	a.backUp()
	a.streamed()
	a.unplug()
	p.Save(note(2, "never streamed"))
	p.sync(n)
	head := n.ledger.Head()
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	a.nodes = nil
	a.plug()
	how := a.restoring()
	how.Survivor = n.dir
	if r := a.restore("n9", how); r.Survivor == 0 || r.Position != head {
		t.Errorf("%+v, want up to %s", r, head)
	}
}

// TestTwoRestores: a second restore knows of the first one's life, also when its own backup
// does not: no number is given twice.
func TestTwoRestores(t *testing.T) {
	a := newArchived(t, 1)
	a.importUnions("u1")
	n := a.nodes[0]
	p := a.enrolPC(n, "u1")
	p.Save(note(1, "first"))
	p.sync(n)
	first := a.backUp()
	a.destroy()
	how := a.restoring()
	how.Backup = first.Backup.Name
	a.restore("n8", how)
	p.Save(note(2, "in life 2"))
	syncs(t, a.nodes[0], p)
	a.destroy()
	r := a.restore("n9", how)
	if r.Generation != 3 {
		t.Errorf("generation %d, want 3", r.Generation)
	}
	syncs(t, a.nodes[0], p)
	if len(p.Layer()) != 2 {
		t.Errorf("%d records of 2", len(p.Layer()))
	}
	lives, err := a.nodes[0].ledger.Lineage()
	if err != nil || len(lives) != 3 {
		t.Errorf("lives %v, %v", lives, err)
	}
}

// TestWatermarkReachesAgents: what every backup has, agents need not keep of others.
func TestWatermarkReachesAgents(t *testing.T) {
	a := newArchived(t, 1)
	a.importUnions("u1")
	n := a.nodes[0]
	one, two := a.enrolPC(n, "u1"), a.enrolPC(n, "u1")
	a.backUp() // what was there before anybody saved: it holds the watermark down
	one.Save(note(1, "first"))
	one.sync(n)
	two.sync(n)
	if len(two.AllKept()) != 1 {
		t.Fatalf("%d changes of others kept", len(two.AllKept()))
	}
	a.backUp()
	two.sync(n)
	if len(two.AllKept()) != 1 {
		t.Error("dropped while a backup without it is offered")
	}
	a.backUp()
	prune(t, a, 2)
	a.until("the watermark is at the change", func() bool { return n.ledger.Watermark() >= two.State.Cursor })
	two.sync(n)
	if len(two.AllKept()) != 0 {
		t.Errorf("%d changes of others kept that every backup has", len(two.AllKept()))
	}
}

// TestMovedLead: another node that leads goes on streaming where the first one ended.
func TestMovedLead(t *testing.T) {
	a := newArchived(t, 3)
	a.importUnions("u1")
	p := a.enrolPC(a.nodes[0], "u1")
	a.backUp()
	p.Save(note(1, "first"))
	p.sync(a.nodes[0])
	a.streamed()
	gone := a.leader()
	if err := gone.stop(); err != nil {
		t.Fatal(err)
	}
	var rest []*running
	for _, n := range a.nodes {
		if n != gone {
			rest = append(rest, n)
		}
	}
	a.nodes = rest
	p.Save(note(2, "second"))
	p.sync(a.leader())
	a.streamed()
	v, err := OpenVault(t.Context(), VaultAt{From: a.target, ClusterKey: a.key}, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	all, err := v.List(t.Context())
	if err != nil || len(all) == 0 {
		t.Fatalf("%d backups, %v", len(all), err)
	}
	b, err := v.Rebuild(t.Context(), all[0].Manifest, ledger.Config{Memory: true}, archive.Rebuilding{WithLog: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Ledger.Close() }()
	if b.At.Head != a.leader().ledger.Head() {
		t.Errorf("the archive ends at %s, the centre at %s", b.At.Head, a.leader().ledger.Head())
	}
}
