package server

import (
	"context"
	"time"

	"unionsync/server/gate"
)

// Describe implements gate.Members.
func (r *replicated) Describe() gate.Description {
	s := r.node.Stats()
	d := gate.Description{
		Term: r.node.Term(), Members: []gate.Member{}, LastIndex: s.LastIndex, Commit: s.CommitIndex,
		Snapshot: s.SnapshotIndex, LogBytes: s.LogBytes, LastContact: -1,
	}
	if s.LastContact >= 0 {
		d.LastContact = int64(s.LastContact / time.Millisecond)
	}
	for _, s := range r.node.Servers() {
		m := gate.Member{ID: s.ID, Raft: s.Address, Voter: s.Voter}
		if n, err := r.l.Node(s.ID); err == nil {
			m.API = n.GetApiAddress()
		}
		d.Members = append(d.Members, m)
	}
	return d
}

// AddNonvoter implements gate.Cluster.
func (r *replicated) AddNonvoter(ctx context.Context, id, address string) error {
	return r.node.AddNonvoter(ctx, id, address)
}

// Remove implements gate.Cluster.
func (r *replicated) Remove(ctx context.Context, id string) error {
	return r.node.RemoveServer(ctx, id)
}

// Transfer implements gate.Cluster.
func (r *replicated) Transfer(ctx context.Context, id string) error {
	return r.node.TransferLeadership(ctx, id)
}
