package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/server/gate"
)

// ClusterStatus tells how the nodes of a centre stand. Its JSON form is stable: fields are
// added, never renamed.
type ClusterStatus struct {
	Leader string       `json:"leader"` // "" when there is none, or nobody answers
	Voters int          `json:"voters"`
	Need   int          `json:"need"`  // voters that must work
	Spare  int          `json:"spare"` // how many more may fail; negative: nothing can be taken in
	Nodes  []NodeStatus `json:"nodes"`
}

// NodeStatus is one node, as it speaks for itself; of one that does not answer only name,
// address and vote are known.
type NodeStatus struct {
	Node        string `json:"node"`
	API         string `json:"api"`
	Raft        string `json:"raft"`
	Voter       bool   `json:"voter"`
	Answers     bool   `json:"answers"`
	Role        string `json:"role"` // leader, follower or silent
	Version     string `json:"version"`
	Applied     uint64 `json:"applied"`
	Commit      uint64 `json:"commit"`
	Lag         uint64 `json:"lag"`             // entries that the leader has applied and it has not
	LastContact int64  `json:"last_contact_ms"` // since it heard the leader; 0 for the leader, -1: never or not known
	Snapshot    uint64 `json:"snapshot"`
	LogBytes    int64  `json:"log_bytes"`
	Head        string `json:"head"`
}

// Whole reports whether there is a leader and every node works.
func (s *ClusterStatus) Whole() bool {
	return s.Leader != "" && !slices.ContainsFunc(s.Nodes, func(n NodeStatus) bool { return !n.Answers })
}

// Cluster asks one node who belongs to the centre, and then each how it stands.
func (a *Admin) Cluster(ctx context.Context) (*ClusterStatus, error) {
	first, err := a.Status(ctx)
	if err != nil {
		return nil, err
	}
	out := &ClusterStatus{Nodes: make([]NodeStatus, len(first.Members))}
	var all sync.WaitGroup
	stands := make([]*gate.Status, len(first.Members))
	for i, m := range first.Members {
		all.Go(func() { stands[i] = a.statusOf(ctx, m) })
	}
	all.Wait()
	working, applied := 0, uint64(0)
	for i, m := range first.Members {
		out.Nodes[i] = nodeStatus(m, stands[i])
		if st := stands[i]; st != nil && st.Role == "leader" {
			out.Leader, applied = m.ID, max(applied, st.Applied)
		}
		if m.Voter {
			out.Voters++
		}
		if m.Voter && stands[i] != nil {
			working++
		}
	}
	for i := range out.Nodes {
		if n := &out.Nodes[i]; n.Answers && n.Applied < applied {
			n.Lag = applied - n.Applied
		}
	}
	out.Need = out.Voters/2 + 1
	out.Spare = working - out.Need
	return out, nil
}

// statusOf asks one member, for a bounded time; nil if it does not answer.
func (a *Admin) statusOf(ctx context.Context, m gate.Member) *gate.Status {
	if m.API == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	only := &Admin{client: a.client, addresses: []string{m.API}, fixed: true}
	st, err := only.Status(ctx)
	if err != nil || st.Node != m.ID {
		return nil
	}
	return st
}

func nodeStatus(m gate.Member, st *gate.Status) NodeStatus {
	n := NodeStatus{Node: m.ID, API: m.API, Raft: m.Raft, Voter: m.Voter, Role: "silent", LastContact: -1}
	if st == nil {
		return n
	}
	n.Answers, n.Role, n.Version, n.Applied, n.Head = true, st.Role, st.Version, st.Applied, st.Head
	n.Commit, n.Snapshot, n.LogBytes, n.LastContact = st.Raft.Commit, st.Raft.Snapshot, st.Raft.LogBytes, st.Raft.LastContact
	return n
}

// Leave takes a node out of the cluster.
func (a *Admin) Leave(ctx context.Context, q *unionrpc.LeaveRequest) (*gate.Left, error) {
	r, err := each(ctx, a, "leave", q, unionrpcconnect.AdminClient.Leave)
	if err != nil {
		return nil, err
	}
	out := new(gate.Left)
	return out, decodeJSON("leave", r.GetJson(), out)
}

// Transfer lets another node lead: the one named, or for "" the one that is furthest.
func (a *Admin) Transfer(ctx context.Context, node string) (*gate.Moved, error) {
	r, err := each(ctx, a, "transfer lead", &unionrpc.TransferRequest{Node: node}, unionrpcconnect.AdminClient.Transfer)
	if err != nil {
		return nil, err
	}
	out := new(gate.Moved)
	return out, decodeJSON("transfer lead", r.GetJson(), out)
}
