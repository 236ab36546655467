//go:build !windows

package e2e

import (
	"fmt"
	"slices"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// Exit statuses of a sync that was cut: the centre is not there, or asks to come later.
var cutStatuses = []int{0, 4, 8}

// killSyncs kills each PC at another moment of a sync: with half of the request sent, with
// all of it sent, and with the answer on its way, when the centre has the changes and the PC
// does not know.
func (c *city) killSyncs() {
	idle := c.pcs[0]
	up, down := idle.relay.up.Load(), idle.relay.down.Load()
	_, err := idle.Sync(c.ctx) // nothing to do: what a connection costs
	c.do(err)
	up, down = idle.relay.up.Load()-up, idle.relay.down.Load()-down

	c.events(0)
	c.enterAll(1)
	for i, at := range []struct {
		what string
		down bool
		mark int64
	}{
		{"nothing sent but the handshake", false, up / 2},
		{"a part of the request sent", false, up + 1000},
		{"more of the request sent", false, up + 3000},
		{"the answer begins", true, down - 100},
		{"half of the answer is there", true, down + 200},
	} {
		p := c.pcs[i]
		killed := make(chan error, 1)
		run, err := p.Begin("sync")
		c.do(err)
		p.relay.set(at.down, at.mark, func() { killed <- run.Kill() })
		<-run.Ended()
		if !p.relay.sprung() {
			c.Fatalf("%s: the sync ended before: %s (status %d)\n%s", p.Union, at.what, run.Status(), run.Tail(20))
		}
		c.do(<-killed)
		if s := c.status(p); s.Saved != p.saved || s.Held != 0 {
			c.Errorf("%s: killed when %s: %d changes were saved; status %+v", p.Union, at.what, p.saved, s)
		}
	}
	c.syncAll()
	c.check()
}

// events enters what happened to the members of a part.
func (c *city) events(n int) {
	c.Helper()
	for _, p := range c.pcs {
		from, to := part(p.roster, n)
		for _, e := range c.model.Events {
			row := slices.IndexFunc(p.roster.Rows[from:to], func(r testcity.Row) bool { return r.ID == e.ID })
			if e.Union != p.Union || row < 0 {
				continue
			}
			args := []string{"add", "membership-event", "member=" + e.ID, "type=" + e.Type, "date=" + e.Date}
			switch {
			case e.Destination != "":
				args = append(args, "destination="+e.Destination)
			case e.Type == "4":
				args = append(args, "destination_outside=杭州市某某有限公司工会")
			}
			saved, err := p.Save(c.ctx, args...)
			c.do(err)
			if p.saved++; saved.Seq != p.saved {
				c.Errorf("%s: change %d has number %d", p.Union, p.saved, saved.Seq)
			}
			c.known.Events = append(c.known.Events, e)
		}
	}
}

// killLeader kills the leader while five PCs sync through a follower.
func (c *city) killLeader() {
	leader, err := c.centre.Leader(c.ctx)
	c.do(err)
	c.pointAt(c.follower(leader))
	c.events(1)
	c.enterAll(2)
	killed := make(chan error, 1)
	c.pcs[2].relay.set(false, 3000, func() { killed <- leader.Kill() })
	c.concurrently(c.syncUntilDone)
	c.sprung(c.pcs[2])
	c.do(<-killed)
	c.check()
	c.do(c.centre.Start(c.ctx))
	c.check()
}

// sprung ends the test if a PC's sync did not come to the mark of its trap.
func (c *city) sprung(p *pc) {
	c.Helper()
	if !p.relay.sprung() {
		c.Fatalf("%s: the sync was too short to be met in its middle", p.Union)
	}
}

// pointAt sends all PCs to one node.
func (c *city) pointAt(n *proc.Node) {
	for _, p := range c.pcs {
		p.relay.point(n.API)
	}
}

// syncUntilDone syncs a PC until all is delivered, however often it is cut. A cut sync says
// so in a sentence with a code.
func (c *city) syncUntilDone(p *pc) error {
	return proc.Poll(c.ctx, p.Union+" to sync", func() error {
		r, err := p.Run(c.ctx, "sync")
		if err != nil {
			return err
		}
		if err := r.Want(cutStatuses...); err != nil {
			c.Error(err)
			return nil
		}
		if r.Status == 0 {
			return nil
		}
		if f := r.Failure(); f.Code == 0 || f.Sentence == "" {
			c.Errorf("%s: a cut sync says nothing: %+v", p.Union, f)
		}
		return fmt.Errorf("status %d: %s", r.Status, r.Failure().Sentence)
	})
}

// killAll kills the three nodes at once while five PCs sync.
func (c *city) killAll() {
	c.events(2)
	for i, p := range c.pcs {
		_, err := p.Save(c.ctx, "set", "member", p.roster.Rows[3].ID, fmt.Sprintf("mobile=1370000000%d", i))
		c.do(err)
		p.saved++
	}
	killed := make(chan error, 1)
	c.pcs[1].relay.set(true, 1000, func() { killed <- c.centre.Kill() })
	c.concurrently(func(p *pc) error {
		r, err := p.Run(c.ctx, "sync")
		if err != nil {
			return err
		}
		return r.Want(cutStatuses...)
	})
	c.sprung(c.pcs[1])
	c.do(<-killed)
	for _, p := range c.pcs {
		if s := c.status(p); s.Saved != p.saved {
			c.Errorf("%s: without a centre: %+v, %d changes were saved", p.Union, s, p.saved)
		}
	}
	c.do(c.centre.Start(c.ctx))
	c.syncAll()
	c.check()
}

// eachLeads kills whoever leads until every node has led, and counts at each of them: three
// equal copies give three equal counts.
func (c *city) eachLeads() {
	led := map[string]bool{}
	for range 8 {
		leader, err := c.centre.Leader(c.ctx)
		c.do(err)
		led[leader.ID] = true
		c.checkCounts()
		if len(led) == len(c.centre.Nodes) {
			return
		}
		c.do(leader.Kill())
		c.do(c.centre.Whole(c.ctx))
		c.do(c.centre.Start(c.ctx))
	}
	c.Logf("only %v have led", led)
}
