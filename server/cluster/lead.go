package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"
)

// IsLeader says whether this node thinks that it leads. [Node.VerifyLeader] makes sure.
func (n *Node) IsLeader() bool { return n.raft.State() == raft.Leader && !n.faulty.Load() }

// Leading gives the term in which this node leads and has applied everything committed
// before; false if it does not lead, or is not that far yet.
func (n *Node) Leading() (term uint64, ok bool) {
	term = n.leading.Load()
	return term, term != 0 && n.IsLeader() && n.raft.CurrentTerm() == term
}

// Leader gives id and raft address of the leader that this node knows of, or empty strings.
func (n *Node) Leader() (id, address string) {
	a, i := n.raft.LeaderWithID()
	return string(i), string(a)
}

// Term is the newest term that this node has seen.
func (n *Node) Term() uint64 { return n.raft.CurrentTerm() }

// ID is the node's own id, from its certificate.
func (n *Node) ID() string { return n.id }

// Address is the one by which the other nodes reach this one.
func (n *Node) Address() string { return n.addr }

// watchLead follows raft's news. It always takes them at once, since raft waits for that;
// the lead itself is a task beside it.
func (n *Node) watchLead(ctx context.Context) error {
	var tasks errgroup.Group
	end := func() {}
	defer func() {
		end()
		_ = tasks.Wait() // leads return nil
	}()
	for {
		select {
		case lead := <-n.leads:
			end()
			n.leading.Store(0)
			if !lead {
				n.cfg.Log.Info("lead lost", "term", n.raft.CurrentTerm())
				continue
			}
			lctx, cancel := context.WithCancel(ctx)
			end = cancel
			tasks.Go(func() error {
				n.lead(lctx)
				return nil
			})
		case <-ctx.Done():
			return nil
		}
	}
}

// lead waits until the last lead has ended here and until all that was committed before is
// applied, and then lets the owner work.
func (n *Node) lead(ctx context.Context) {
	n.leadMu.Lock()
	defer n.leadMu.Unlock()
	for ctx.Err() == nil {
		term := n.raft.CurrentTerm()
		err := n.Barrier(ctx)
		if err != nil {
			n.cfg.Log.Debug("barrier at the begin of a lead", "term", term, "error", err)
			if !n.IsLeader() {
				return // the news of the loss is on its way
			}
			select { // a transfer of the lead that may still fail
			case <-ctx.Done():
			case <-time.After(n.cfg.Timing.Commit):
			}
			continue
		}
		n.leading.Store(term)
		if ctx.Err() != nil {
			n.leading.CompareAndSwap(term, 0) // lost while we wrote it
			return
		}
		n.cfg.Log.Info("leading", "term", term, "applied", n.shell.machine.Applied())
		if n.cfg.Lead != nil {
			n.cfg.Lead(ctx, term)
		}
		return
	}
}
