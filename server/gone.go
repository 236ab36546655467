package server

import (
	"context"
	"slices"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/server/cluster"
	"unionsync/server/gate"
	"unionsync/syncproto"
)

// lookPause is how often a node without a leader asks whether it still belongs to the
// centre, and askPatience how long it waits for each of the others.
const (
	lookPause   = 2 * time.Second
	askPatience = 3 * time.Second
)

// runBelonging ends with [syncproto.CodeNodeGone] once this node, which was a member, is one
// no more. A node that is taken out is not told so by raft, and would wait for a leader for
// ever.
func (n *Node) runBelonging(ctx context.Context) error {
	tick := time.NewTicker(lookPause)
	defer tick.Stop()
	was, silent := false, 0
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		in := slices.ContainsFunc(n.cluster.Servers(), func(s cluster.Server) bool { return s.ID == n.opt.Config.ID })
		if !was {
			was = n.isMember()
			continue
		}
		if id, _ := n.cluster.Leader(); id != "" {
			silent = 0
			continue
		}
		if silent++; in && silent < 2 || !n.givenUp(ctx) {
			continue
		}
		return syncproto.Fail(syncproto.CodeNodeGone, "look for the cluster", nil, "node", n.opt.Config.ID)
	}
}

// givenUp reports whether another node has a leader and does not count this one in.
func (n *Node) givenUp(ctx context.Context) bool {
	addresses, err := loadNodes(n.opt.Dir)
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if a == n.url {
			continue
		}
		st, err := n.statusAt(ctx, a)
		if err != nil || st.Leader == "" || st.City != n.trust.City.Fingerprint().String() {
			continue
		}
		return !slices.ContainsFunc(st.Members, func(m gate.Member) bool {
			return m.ID == n.opt.Config.ID && m.Raft == n.cluster.Address() // another machine may have the name by now
		})
	}
	return false
}

// statusAt asks another node how it stands.
func (n *Node) statusAt(ctx context.Context, address string) (*gate.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	r, err := unionrpcconnect.NewAdminClient(n.client, address, wire.ClientOptions(maxAdminBytes)).
		Status(ctx, connect.NewRequest(new(unionrpc.StatusRequest)))
	if err != nil {
		return nil, wire.Decode("status", err)
	}
	st := new(gate.Status)
	return st, decodeJSON("status", r.Msg.GetJson(), st)
}
