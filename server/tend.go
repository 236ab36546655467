package server

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// tend is what the leader does for the cluster while it leads: it begins levels that all
// nodes know, and sees to it that their states are compared. ctx ends with the lead.
func (n *Node) tend(ctx context.Context) {
	checks := newChecks(n)
	tick := time.NewTicker(tendPause)
	defer tick.Stop()
	for {
		if err := n.beginLevel(ctx); err != nil && ctx.Err() == nil {
			n.opt.Log.Warn("level not begun", "error", err)
		}
		if err := checks.step(ctx); err != nil && ctx.Err() == nil {
			n.opt.Log.Warn("states not compared", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// tendPause is how often the leader looks after the cluster.
const tendPause = 200 * time.Millisecond

// beginLevel proposes the newest level that the programs of all nodes know, those without a
// vote included: they get every entry too.
func (n *Node) beginLevel(ctx context.Context) error {
	level := ledger.KnownLevel()
	if level <= n.ledger.Level() {
		return nil
	}
	for _, s := range n.cluster.Servers() {
		noted, err := n.ledger.Node(s.ID)
		if err != nil {
			return err
		}
		level = min(level, ledger.NodeLevel(noted))
	}
	if level <= n.ledger.Level() {
		return nil
	}
	if err := n.proposeEntry(ctx, &entrypb.Level{Time: n.now(), Level: level}); err != nil {
		return err
	}
	n.opt.Log.Info("level begun", "level", level)
	return nil
}

// proposeEntry commits one entry; a refusal that all replicas came to is an error.
func (n *Node) proposeEntry(ctx context.Context, m proto.Message) error {
	b, err := ledger.Entry(m)
	if err != nil {
		return err
	}
	res, _, err := n.cluster.Propose(ctx, b)
	if refused, ok := res.(error); ok && err == nil {
		return refused
	}
	return err
}

// checkLevel is the level at which states can be compared.
const checkLevel = 2

// checks proposes one check after the other, owned by the leader's tend. A round goes
// through the whole state, part by part: one part each Options.Checks, or, after a node has
// started or the lead has changed, one behind the other.
type checks struct {
	n      *Node
	every  time.Duration
	begun  time.Time // when the newest check was proposed
	hurry  bool      // the round is made without pauses
	starts uint64    // starts of nodes that the round takes account of
}

func newChecks(n *Node) *checks {
	every := n.opt.Checks
	if every == 0 {
		every = time.Minute
	}
	return &checks{n: n, every: every, hurry: true, starts: n.starts.Load()}
}

// partKeys is how many keys a part has: some 10 ms of reading.
const partKeys = 32 << 10

// answerPatience is how long a check waits for nodes that do not answer, in a hurry.
const answerPatience = 2 * time.Second

func (c *checks) step(ctx context.Context) error {
	if c.every < 0 || c.n.ledger.Level() < checkLevel {
		return nil
	}
	index, st, err := c.n.ledger.Check()
	if err != nil {
		return err
	}
	first := c.begun.IsZero()
	restarted := c.starts != c.n.starts.Load()
	if !first && !restarted && !c.due(st) {
		return nil
	}
	from, err := c.next(index, st)
	if err != nil {
		return err
	}
	if first || restarted {
		c.starts, c.hurry, from = c.n.starts.Load(), true, nil
	} else if len(from) == 0 && c.hurry {
		c.hurry = false
		c.n.opt.Log.Info("states compared", "index", index)
		return nil
	}
	c.begun = time.Now()
	check := &entrypb.Check{Time: c.n.now(), From: from, Keys: partKeys}
	for _, s := range c.n.cluster.Servers() {
		if s.Voter {
			check.Voters = append(check.Voters, s.ID)
		}
	}
	return c.n.proposeEntry(ctx, check)
}

// due reports whether the next part's turn has come.
func (c *checks) due(st *entrypb.CheckState) bool {
	waited := time.Since(c.begun)
	if !c.hurry || c.n.ledger.Halted() != 0 {
		return waited >= c.every
	}
	return len(st.GetReports()) >= len(st.GetVoters()) || waited >= min(c.every, answerPatience)
}

// next gives where the next part begins: behind the newest, or there again if there was no
// majority about it. While the centre is halted, where it was halted.
func (c *checks) next(_ uint64, st *entrypb.CheckState) ([]byte, error) {
	if at := c.n.ledger.Halted(); at != 0 {
		halted, err := c.n.ledger.CheckAt(at)
		return halted.GetFrom(), err
	}
	if len(st.GetSum()) == 0 {
		return st.GetFrom(), nil
	}
	return st.GetNext(), nil
}

// runChecks tells the leader this node's answers, and stops the node once the majority has
// found its state to be another.
func (n *Node) runChecks(ctx context.Context) error {
	told := false // that this node has started
	var last uint64
	for {
		moved := n.ledger.Moved()
		if err := n.sound(); err != nil {
			return err
		}
		c := n.ledger.Checked()
		if !told && n.isMember() {
			told = n.report(ctx, ledger.Checked{}) == nil
		}
		if c.Index > last {
			err := n.report(ctx, c)
			if err == nil {
				last = c.Index
			} else if ctx.Err() == nil {
				n.opt.Log.Debug("digest not reported", "index", c.Index, "error", err)
			}
		}
		if told && c.Index == last {
			select {
			case <-moved:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		select {
		case <-time.After(joinPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sound fails with [syncproto.CodeStateDiffers] if the majority has found this node's state
// to be another than theirs.
func (n *Node) sound() error {
	is, err := n.ledger.Node(n.opt.Config.ID)
	if err != nil || is.GetDiffers() == 0 {
		return err
	}
	return syncproto.Fail(syncproto.CodeStateDiffers, "compare states", nil, "index", fmt.Sprint(is.GetDiffers()))
}

// report tells the leader an answer; index 0 says that this node has started.
func (n *Node) report(ctx context.Context, c ledger.Checked) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	return n.gate.Report(ctx, n.opt.Config.ID, c.Index, c.Sum, c.Next)
}
