package server

import (
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/server/gate"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// TestThreeNodes: every node answers, with receipts of its own that verify; the leader goes
// and comes back; in the end all states are equal to the last byte, and the device has
// exactly what it saved.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, gate.Capacity{Patience: patience})
	c.importUnions("u1", "u2")
	pcs := []*pc{c.enrolPC(c.nodes[1], "u1"), c.enrolPC(c.nodes[2], "u2")}
	signers := map[string]bool{}
	for i, n := range c.nodes {
		for _, p := range pcs {
			p.Save(note(byte(10+i), n.opt.Config.ID))
			signers[p.receiptFrom(n)] = true
		}
	}
	if len(signers) != 3 {
		t.Fatalf("receipts of %d nodes", len(signers))
	}
	gone := c.leader()
	if err := gone.stop(); err != nil {
		t.Fatal(err)
	}
	rest := slices.DeleteFunc(slices.Clone(c.nodes), func(n *running) bool { return n == gone })
	for i, n := range rest {
		for _, p := range pcs {
			p.Save(note(byte(20+i), "without the leader"))
			p.sync(n)
		}
	}
	back := c.start(gone.dir)
	c.nodes[slices.Index(c.nodes, gone)] = back
	for _, p := range pcs {
		p.Save(note(30, "all again"))
		if u := p.sync(back); !u.Equal || p.State.Receipt != p.State.Head {
			t.Fatal("not delivered through the node that came back")
		}
	}
	c.equalStates()
	for i, p := range pcs {
		if len(p.Layer()) != 6 {
			t.Errorf("device %d has %d records, saved 6", i, len(p.Layer()))
		}
	}
}

// TestFiveNodes: with five nodes two may be lost at once, the leader among them: the centre
// takes work, the two come back and have everything. A third one lost is too much.
func TestFiveNodes(t *testing.T) {
	c := newCity(t, 5, gate.Capacity{Patience: patience})
	c.keepAddresses()
	c.importUnions("u1")
	p := c.enrolPC(c.nodes[4], "u1")
	p.Save(note(1, "all five"))
	p.sync(c.nodes[3])
	lead := c.leader()
	lost := []*running{lead}
	for _, n := range c.nodes {
		if n != lead && len(lost) < 3 {
			lost = append(lost, n)
		}
	}
	for _, n := range lost[:2] {
		if err := n.stop(); err != nil {
			t.Fatal(err)
		}
		c.drop(n)
	}
	for _, n := range c.nodes {
		p.Save(note(2, n.opt.Config.ID))
		if u := p.sync(n); !u.Equal || p.State.Receipt != p.State.Head {
			t.Fatal("not delivered with three of five")
		}
	}
	st, err := c.admin(c.leader()).Status(t.Context())
	if err != nil || len(st.Members) != 5 || !st.Ready {
		t.Fatalf("%+v %v", st, err)
	}
	if lost[2] == c.leader() { // the one that is to go without a trace of orderliness
		lost[2] = c.nodes[slices.IndexFunc(c.nodes, func(n *running) bool { return n != lost[2] })]
	}
	_, err = c.leave(c.leader(), lost[2].opt.Config.ID, false)
	wantCode(t, err, syncproto.CodeQuorumRisk) // two of four would not be a majority
	for _, n := range lost[:2] {
		c.nodes = append(c.nodes, c.start(n.dir))
	}
	for _, n := range c.nodes[3:] {
		p.Save(note(3, n.opt.Config.ID))
		p.sync(n)
	}
	c.equalStates()
	if len(p.Layer()) != 3 {
		t.Errorf("the device has %d records, saved 3", len(p.Layer()))
	}
}

// receiptFrom syncs at a node and gives who signed the receipt; Take has verified it.
func (p *pc) receiptFrom(n *running) string {
	p.t.Helper()
	q, sent, err := p.Ask()
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := p.exchange(n.ready.API)(q)
	if err != nil {
		p.t.Fatal(err)
	}
	if r.GetReceipt() == nil {
		p.t.Fatal("no receipt")
	}
	if _, err := p.Take(sent, r); err != nil {
		p.t.Fatal(err)
	}
	return string(r.GetReceipt().GetSigner())
}

// equalStates compares the states of all nodes once they are equally far; the nodes'
// own entries, as those that compare states, may move them on meanwhile.
func (c *testCity) equalStates() {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		leader := c.leader()
		c.state(leader) // commits what is pooled
		for _, n := range c.nodes {
			c.caughtUp(n, leader)
		}
		want, moved := c.state(leader), false
		for _, n := range c.nodes {
			got := c.state(n)
			if moved = moved || got.applied != want.applied; !moved && got != want {
				c.t.Errorf("%s: %+v, the leader %+v", n.opt.Config.ID, got, want)
			}
		}
		if !moved {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatal("the nodes are never equally far")
		}
	}
}

// TestWithoutMajority: a node that is alone says so with a code, changes nothing, still
// tells what it knows, and everything goes on when the others are back.
func TestWithoutMajority(t *testing.T) {
	t.Parallel()
	c := newCity(t, 2, gate.Capacity{Patience: patience})
	c.keepAddresses()
	c.importUnions("u1")
	p := c.enrolPC(c.nodes[1], "u1")
	p.Save(note(1, "x"))
	p.sync(c.nodes[1])
	c.equalStates()
	leader := c.leader()
	other := c.nodes[0]
	if leader == other {
		other = c.nodes[1]
	}
	if err := leader.stop(); err != nil {
		t.Fatal(err)
	}
	if err := other.stop(); err != nil {
		t.Fatal(err)
	}
	c.capacity.Patience = 300 * time.Millisecond // there will be no leader
	alone := c.start(other.dir)
	c.nodes[slices.Index(c.nodes, other)] = alone
	p.Save(note(2, "y"))
	q, _, err := p.Ask()
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.exchange(alone.ready.API)(q)
	wantCode(t, err, syncproto.CodeNoLeader)
	list, err := c.admin(alone).ListOrg(t.Context(), &unionrpc.ListOrgRequest{Text: "工会u1"})
	if err != nil || len(list.GetUnits()) != 1 || list.GetUnits()[0].GetComplete() == 0 {
		t.Fatalf("%v %v", list, err)
	}
	c.capacity.Patience = patience
	c.nodes[slices.Index(c.nodes, leader)] = c.start(leader.dir)
	c.leader()
	p.sync(c.nodes[slices.IndexFunc(c.nodes, func(n *running) bool { return n != alone })])
	c.equalStates()
}

// TestAdminThroughAnyNode: operators need not know who leads, and a node that is down is
// stepped over.
func TestAdminThroughAnyNode(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, gate.Capacity{Patience: patience})
	for i, n := range c.nodes {
		a, err := Dial(n.dir, noEnv, "")
		if err != nil {
			t.Fatal(err)
		}
		r, err := a.ImportOrg(t.Context(), &unionrpc.ImportOrgRequest{Rows: []*unionrpc.OrgRow{{Line: 1, Values: map[string]string{
			"code": "u0", "name": "市总", "level": "city", "county": "SBJ"}}}})
		a.Close()
		if err != nil || r.GetAdded()+r.GetUnchanged() != 1 || (i > 0) != (r.GetUnchanged() == 1) {
			t.Fatalf("node %d: %v %v", i, r, err)
		}
	}
	gone := c.nodes[2]
	a, err := Dial(gone.dir, noEnv, "")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := gone.stop(); err != nil {
		t.Fatal(err)
	}
	st, err := a.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.Node == "n3" || len(st.Members) != 3 || !st.Ready {
		t.Fatalf("%+v", st)
	}
	only, err := Dial(gone.dir, noEnv, gone.ready.API)
	if err != nil {
		t.Fatal(err)
	}
	defer only.Close()
	_, err = only.Status(t.Context())
	wantCode(t, err, syncproto.CodeUnreachable)
}

// TestForwardedOnce: what a node has passed on is not passed on again, and what it says of
// the device counts.
func TestForwardedOnce(t *testing.T) {
	t.Parallel()
	c := newCity(t, 2, gate.Capacity{Patience: patience})
	c.importUnions("u1")
	p := c.enrolPC(c.nodes[0], "u1")
	leader := c.leader()
	follower := c.nodes[0]
	if follower == leader {
		follower = c.nodes[1]
	}
	h := wire.NewClient(wire.ClientConfig{TLS: tlsid.ClientTLS(leader.trust.Own)})
	defer h.CloseIdleConnections()
	p.Save(note(1, "x"))
	q, _, err := p.Ask()
	if err != nil {
		t.Fatal(err)
	}
	call := func(n *running, device, key string) (*syncpb.Response, error) {
		req := connect.NewRequest(q)
		req.Header().Set("Unionsync-Hop", "1")
		req.Header().Set("Unionsync-Device", device)
		req.Header().Set("Unionsync-Key", key)
		r, err := unionrpcconnect.NewUnionClient(h, n.ready.API, wire.ClientOptions(1<<20)).Exchange(t.Context(), req)
		if err != nil {
			return nil, wire.Decode("exchange", err)
		}
		return r.Msg, nil
	}
	id, err := p.own.Identity()
	if err != nil {
		t.Fatal(err)
	}
	_, err = call(follower, id.ID, id.KeyID.String())
	wantCode(t, err, syncproto.CodeNotLeader)
	_, err = call(leader, strings.Repeat("0", 32), id.KeyID.String())
	wantCode(t, err, syncproto.CodeDeviceUnknown)
	_, err = call(leader, id.ID, strings.Repeat("0", 16))
	wantCode(t, err, syncproto.CodeDeviceUnknown)
	r, err := call(leader, id.ID, id.KeyID.String())
	if err != nil {
		t.Fatal(err)
	}
	if r.GetReceipt() == nil || len(r.GetReceipt().GetSignature()) != 0 {
		t.Fatal("the receipt is the answering node's to sign")
	}
}

// TestMovedAddress: a node that comes back under other addresses is found again, and the
// others know them.
func TestMovedAddress(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, gate.Capacity{Patience: patience})
	c.importUnions("u1")
	p := c.enrolPC(c.nodes[0], "u1")
	moved := c.nodes[2]
	if err := moved.stop(); err != nil {
		t.Fatal(err)
	}
	c.env = func(name string) string {
		if name == EnvPrefix+"LISTEN" || name == EnvPrefix+"RAFT" {
			return freeAddress(t)
		}
		return ""
	}
	back := c.start(moved.dir)
	c.env = nil
	if back.ready.API == moved.ready.API || back.ready.Raft == moved.ready.Raft {
		t.Fatalf("it did not move: %+v", back.ready)
	}
	c.nodes[2] = back
	p.Save(note(1, "x"))
	p.sync(back)
	c.equalStates()
	q, _, err := p.Ask()
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.exchange(c.nodes[0].ready.API)(q)
	if err != nil || !slices.Contains(r.GetAddresses(), back.ready.API) || slices.Contains(r.GetAddresses(), moved.ready.API) {
		t.Fatalf("%v %v", r.GetAddresses(), err)
	}
	q.Client = &syncpb.Client{Addresses: wire.AddressesHash(r.GetAddresses())}
	if r, err = p.exchange(c.nodes[0].ready.API)(q); err != nil || len(r.GetAddresses()) != 0 {
		t.Fatalf("told again: %v %v", r.GetAddresses(), err)
	}
}
