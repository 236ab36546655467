package cluster

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// peers knows which members do not answer this node while it leads. The zero value is ready.
type peers struct {
	mu     sync.Mutex
	silent map[string]time.Time // guarded by mu; since when, by id
}

// see takes raft's news. It is called by raft's own goroutines and never waits.
func (p *peers) see(o *raft.Observation) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch x := o.Data.(type) {
	case raft.FailedHeartbeatObservation:
		if p.silent == nil {
			p.silent = map[string]time.Time{}
		}
		if id := string(x.PeerID); p.silent[id].IsZero() {
			p.silent[id] = time.Now()
		}
	case raft.ResumedHeartbeatObservation:
		delete(p.silent, string(x.PeerID))
	case raft.LeaderObservation: // whoever leads now finds out anew
		clear(p.silent)
	}
	return false // nothing is handed on
}

// watch lets raft tell p its news.
func (p *peers) watch(r *raft.Raft) { r.RegisterObserver(raft.NewObserver(nil, false, p.see)) }

// restart is for how many heartbeats a member may be away without being called silent: that
// long takes a restart, and raft after it to ask again.
const restart = 5

// SilentMembers gives the members that have not answered this node for a while, while it
// leads; none where it does not lead.
func (n *Node) SilentMembers() []string {
	if !n.IsLeader() {
		return nil
	}
	known := map[string]bool{}
	for _, s := range n.Servers() {
		known[s.ID] = true
	}
	n.peers.mu.Lock()
	defer n.peers.mu.Unlock()
	maps.DeleteFunc(n.peers.silent, func(id string, _ time.Time) bool { return !known[id] })
	var out []string
	for id, since := range n.peers.silent {
		if time.Since(since) > restart*n.cfg.Timing.Heartbeat {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
