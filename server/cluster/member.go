package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"unionsync/syncproto"
)

// Server is a member of the cluster.
type Server struct {
	ID      string
	Address string // by which the other nodes reach it
	Voter   bool   // counts for a majority; others only receive
	Leader  bool   // as far as this node knows
}

// Bootstrap makes this node the first and only member of a new cluster. It is done once in
// a cluster's life; a node with a past fails with [syncproto.CodeBootstrapped].
func (n *Node) Bootstrap() error {
	return n.BootstrapWith([]Server{{ID: n.id, Address: n.addr}})
}

// BootstrapWith makes a new cluster of several nodes at once, all of them voters. It may
// be called on each of them, with the same list.
func (n *Node) BootstrapWith(members []Server) error {
	var conf raft.Configuration
	for _, m := range members {
		conf.Servers = append(conf.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(m.ID), Address: raft.ServerAddress(m.Address)})
	}
	err := n.raft.BootstrapCluster(conf).Error()
	if errors.Is(err, raft.ErrCantBootstrap) {
		return syncproto.Fail(syncproto.CodeBootstrapped, "bootstrap cluster", err)
	}
	if err != nil {
		return fmt.Errorf("bootstrap cluster: %w", err)
	}
	return nil
}

// Servers gives the members that this node knows of.
func (n *Node) Servers() []Server {
	leader, _ := n.Leader()
	future := n.raft.GetConfiguration()
	if future.Error() != nil { // never: it is answered from memory
		return nil
	}
	members := future.Configuration().Servers
	out := make([]Server, 0, len(members))
	for _, m := range members {
		out = append(out, Server{
			ID: string(m.ID), Address: string(m.Address),
			Voter: m.Suffrage == raft.Voter, Leader: string(m.ID) == leader,
		})
	}
	return out
}

func (n *Node) otherVoters() int {
	count := 0
	for _, s := range n.Servers() {
		if s.Voter && s.ID != n.id {
			count++
		}
	}
	return count
}

// AddVoter makes a node a full member, or gives a member a new address. Only a leader can.
// The node should be up: as a second voter that is not, it stops the cluster.
func (n *Node) AddVoter(ctx context.Context, id, address string) error {
	return n.change(ctx, id, func() raft.Future {
		return n.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(address), 0, 0)
	})
}

// AddNonvoter lets a node receive the log without counting for a majority: the way to
// bring a new node up to date before it becomes a voter.
func (n *Node) AddNonvoter(ctx context.Context, id, address string) error {
	return n.change(ctx, id, func() raft.Future {
		return n.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(address), 0, 0)
	})
}

// RemoveServer takes a node out of the cluster. Only a leader can; it may remove itself.
func (n *Node) RemoveServer(ctx context.Context, id string) error {
	return n.change(ctx, id, func() raft.Future { return n.raft.RemoveServer(raft.ServerID(id), 0, 0) })
}

func (n *Node) change(ctx context.Context, id string, begin func() raft.Future) error {
	err := n.do(ctx, "change members", begin)
	if err == nil {
		n.cfg.Log.Info("members changed", "node", id, "members", len(n.Servers()))
		return nil
	}
	switch syncproto.CodeOf(err) {
	case syncproto.CodeNotLeader, syncproto.CodeNodeStopped, syncproto.CodeUnknownOutcome:
		return err
	default:
		return syncproto.Fail(syncproto.CodeMembership, "change members", err, "node", id)
	}
}

// TransferLeadership lets another voter lead: the one named, or for "" the one that is
// furthest. Only a leader can. The barrier before it is for a voter that was added a moment
// ago: raft takes it for up to date, and it would stand for election with an empty log.
func (n *Node) TransferLeadership(ctx context.Context, id string) error {
	const op = "transfer lead"
	if err := n.Barrier(ctx); err != nil {
		return err
	}
	if id == "" {
		return n.do(ctx, op, n.raft.LeadershipTransfer)
	}
	for _, s := range n.Servers() {
		if s.ID == id && s.Voter {
			return n.do(ctx, op, func() raft.Future {
				return n.raft.LeadershipTransferToServer(raft.ServerID(id), raft.ServerAddress(s.Address))
			})
		}
	}
	return syncproto.Fail(syncproto.CodeMembership, op, errors.New("no such voter"), "node", id)
}
