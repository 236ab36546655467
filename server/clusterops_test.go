package server

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/gate"
	"unionsync/syncproto"
)

// joinNew makes a further node in a new folder and starts it.
func (c *testCity) joinNew(id string, through *running) *running {
	c.t.Helper()
	dir := filepath.Join(c.t.TempDir(), id)
	cfg := Config{ID: id, City: "test", Listen: freeAddress(c.t), Raft: freeAddress(c.t), Heartbeat: c.heartbeat}
	_, err := Join(c.t.Context(), dir, cfg, Joining{
		Centre: through.ready.API, ClusterKey: filepath.Join(c.nodes[0].dir, "cluster.key")}, testWorld())
	if err != nil {
		c.t.Fatal(err)
	}
	n := c.start(dir)
	c.nodes = append(c.nodes, n)
	return n
}

// drop forgets a node that is no member any more.
func (c *testCity) drop(n *running) {
	c.nodes = slices.DeleteFunc(c.nodes, func(x *running) bool { return x == n })
}

func (c *testCity) leave(at *running, node string, dead bool) (*gate.Left, error) {
	c.t.Helper()
	return c.admin(at).Leave(c.t.Context(), &unionrpc.LeaveRequest{Node: node, Dead: dead})
}

// TestLeave: a node leaves in good order, the one that leads too, and says so; its name can
// be used again at once. What would leave too few working nodes is refused.
func TestLeave(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, gate.Capacity{Patience: patience})
	c.importUnions("u1")
	p := c.enrolPC(c.nodes[0], "u1")
	_, err := c.leave(c.nodes[0], "n9", false)
	wantCode(t, err, syncproto.CodeNodeUnknown)
	gone := c.leader()
	left, err := c.leave(gone, gone.opt.Config.ID, false)
	if err != nil || left.Working != 2 || left.Spare != 0 || len(left.Members) != 2 {
		t.Fatalf("%+v %v", left, err)
	}
	wantCode(t, gone.waitEnd(t), syncproto.CodeNodeGone)
	c.drop(gone)
	if n := len(c.leader().cluster.Servers()); n != 2 {
		t.Fatalf("%d members", n)
	}
	p.Save(note(1, "without the one that left"))
	p.sync(c.leader())
	again := c.joinNewFrom(gone, c.nodes[0])
	p.Save(note(2, "through the one of the same name"))
	p.sync(again)
	c.equalStates()
	certs, err := again.ledger.NodeCertificates(gone.opt.Config.ID)
	if err != nil || len(certs) != 2 {
		t.Fatalf("%d certificates, want that of the new node and that of the old: %v", len(certs), err)
	}
}

// joinNewFrom makes a node of the name of one that is gone.
func (c *testCity) joinNewFrom(gone, through *running) *running {
	c.t.Helper()
	dir := filepath.Join(c.t.TempDir(), "again")
	cfg := Config{ID: gone.opt.Config.ID, City: "test", Listen: freeAddress(c.t), Raft: freeAddress(c.t), Heartbeat: c.heartbeat}
	_, err := Join(c.t.Context(), dir, cfg, Joining{
		Centre: through.ready.API, ClusterKey: filepath.Join(gone.dir, "cluster.key")}, testWorld())
	if err != nil {
		c.t.Fatal(err)
	}
	n := c.start(dir)
	c.nodes = append(c.nodes, n)
	return n
}

// TestLeaveDead: a node that died is replaced under its own name; when its machine comes
// back all the same it learns that it is not counted any more.
func TestLeaveDead(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, gate.Capacity{Patience: patience})
	c.keepAddresses()
	dead := c.nodes[2]
	_, err := c.leave(c.nodes[0], "n3", true)
	wantCode(t, err, syncproto.CodeNodeAnswers)
	if err := dead.stop(); err != nil {
		t.Fatal(err)
	}
	c.drop(dead)
	_, err = c.leave(c.nodes[0], "n3", false)
	wantCode(t, err, syncproto.CodeNodeSilent)
	_, err = c.leave(c.nodes[0], "n2", false) // only n1 would work of two
	wantCode(t, err, syncproto.CodeQuorumRisk)
	st, err := c.admin(c.nodes[0]).Cluster(t.Context())
	if err != nil || st.Whole() || st.Spare != 0 || st.Voters != 3 {
		t.Fatalf("%+v %v", st, err)
	}
	if _, err = c.leave(c.nodes[1], "n3", true); err != nil {
		t.Fatal(err)
	}
	c.joinNewFrom(dead, c.nodes[1])
	back := c.start(dead.dir)
	wantCode(t, back.waitEnd(t), syncproto.CodeNodeGone)
	c.equalStates()
	st, err = c.admin(c.nodes[0]).Cluster(t.Context())
	if err != nil || !st.Whole() || st.Spare != 1 || st.Voters != 3 || st.Leader == "" {
		t.Fatalf("%+v %v", st, err)
	}
}

// waitEnd waits until a node ends by itself, and gives the reason.
func (r *running) waitEnd(t *testing.T) error {
	t.Helper()
	select {
	case <-r.over:
		return r.stop()
	case <-time.After(patience):
		t.Fatalf("%s does not end", r.opt.Config.ID)
		return nil
	}
}

// TestTransfer: the lead goes where it is sent, and only to a node that works.
func TestTransfer(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, gate.Capacity{Patience: patience})
	was := c.leader()
	to := c.nodes[slices.IndexFunc(c.nodes, func(n *running) bool { return n != was })]
	moved, err := c.admin(to).Transfer(t.Context(), to.opt.Config.ID)
	if err != nil || moved.To != to.opt.Config.ID {
		t.Fatalf("%+v %v", moved, err)
	}
	if now := c.leader(); now != to {
		t.Fatalf("%s leads", now.opt.Config.ID)
	}
	_, err = c.admin(to).Transfer(t.Context(), "n9")
	wantCode(t, err, syncproto.CodeNodeUnknown)
	if err := was.stop(); err != nil {
		t.Fatal(err)
	}
	c.drop(was)
	_, err = c.admin(to).Transfer(t.Context(), was.opt.Config.ID)
	wantCode(t, err, syncproto.CodeNodeSilent)
	if moved, err = c.admin(to).Transfer(t.Context(), ""); err != nil || moved.To == moved.From || moved.To == "" {
		t.Fatalf("%+v %v", moved, err)
	}
}

// TestRecoverCentre: two of three are gone for good; the third goes on in a new generation,
// the agent has its changes there again, and new nodes join. The lost ones, back again, are
// a centre of their own that nobody meets through the recovered one.
func TestRecoverCentre(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, gate.Capacity{Patience: patience})
	c.keepAddresses()
	c.importUnions("u1")
	p := c.enrolPC(c.nodes[0], "u1")
	p.Save(note(1, "x"))
	p.sync(c.nodes[0])
	c.equalStates()
	n := c.nodes[0]
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	opt := n.opt
	how := Recovering{Reason: "two disks died"}
	_, err := Recover(t.Context(), opt, how)
	wantCode(t, err, syncproto.CodeQuorumStands)
	p.Save(note(2, "only the two have it"))
	p.sync(c.nodes[1])
	for _, x := range c.nodes[1:] {
		if err := x.stop(); err != nil {
			t.Fatal(err)
		}
	}
	_, err = Recover(t.Context(), opt, how)
	wantCode(t, err, syncproto.CodeRecoverLoss)
	how.AcceptLoss = true
	r, err := Recover(t.Context(), opt, how)
	if err != nil || r.Generation != 2 || !slices.Equal(r.Lost, []string{"n2", "n3"}) {
		t.Fatalf("%+v %v", r, err)
	}
	lost := c.nodes[1:]
	c.nodes = []*running{c.start(n.dir)}
	if u := p.sync(c.nodes[0]); !u.Equal || p.State.Receipt != p.State.Head {
		t.Fatal("not delivered again")
	}
	if len(p.Layer()) != 2 {
		t.Fatalf("%d records, saved 2", len(p.Layer()))
	}
	old := c.start(lost[0].dir)
	wantCode(t, old.waitEnd(t), syncproto.CodeNodeGone)
	c.joinNew("n2", c.nodes[0])
	c.equalStates()
}
