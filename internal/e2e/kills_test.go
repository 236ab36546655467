//go:build !windows

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// TestKills takes five PCs and three nodes through one long day: a follower serves all PCs;
// PCs are killed while they import, save and sync; the leader is killed in the middle of a
// sync, then all nodes at once; at last each node leads in turn. After each part everything
// that was saved must be at the centre exactly once.
func TestKills(t *testing.T) {
	t.Parallel()
	c := newCity(t, 3, testcity.Options{Counties: 5, Unions: 5, Members: 300, Twice: 30, Transfers: 10, Ended: 10})
	leader, err := c.centre.Leader(c.ctx)
	c.do(err)
	c.enrol(c.follower(leader))

	for _, part := range []struct {
		name string
		run  func()
	}{
		{"import", c.killImport},
		{"a follower serves", c.followerServes},
		{"save", c.killSaves},
		{"sync", c.killSyncs},
		{"leader", c.killLeader},
		{"all nodes", c.killAll},
		{"each leads in turn", c.eachLeads},
	} {
		began := time.Now()
		part.run()
		c.Logf("%s: %.1f s", part.name, time.Since(began).Seconds())
		if c.Failed() {
			c.FailNow()
		}
	}
	c.checkProved()
	for _, p := range c.pcs {
		c.checkTwin(p)
		c.do(p.Ask(c.ctx, nil, "doctor"))
	}
}

// follower gives a node that does not lead.
func (c *city) follower(leader *proc.Node) *proc.Node {
	for _, n := range c.centre.Nodes {
		if n != leader && n.Up() {
			return n
		}
	}
	c.Fatal("no follower")
	return nil
}

// killImport kills an import again and again, each time a little later: after one write to
// the journal, after two, and so on, until one comes to its end.
func (c *city) killImport() {
	big := 0 // the largest roster, which is saved in several pieces
	for i, p := range c.pcs {
		if len(p.roster.Rows) > len(c.pcs[big].roster.Rows) {
			big = i
		}
	}
	p := c.pcs[big]
	path, rows := c.sheet(big, 0)
	kills, between := 0, 0
	for writes := 1; ; writes++ {
		run, err := p.Begin("import", path, "--apply")
		c.do(err)
		if !c.untilWrites(p, run, writes) {
			break
		}
		c.do(run.Kill())
		kills++
		s := c.status(p)
		if s.Saved%2 != 0 || s.Saved < p.saved || s.Records["member"] != s.Records["membership-event"] {
			c.Errorf("after kill %d: half a row was saved, or a change is lost: %+v (%d before)", kills, s, p.saved)
		}
		if 0 < s.Saved && s.Saved < 2*rows {
			between++
		}
		p.saved = s.Saved
	}
	if s := c.status(p); s.Saved != 2*rows || s.Records["member"] != rows {
		c.Errorf("after %d kills and one whole import of %d rows: %+v", kills, rows, s)
	}
	if between == 0 {
		c.Errorf("none of %d kills left an import half done", kills)
	}
	c.Logf("import of %d rows killed %d times, %d times half done", rows, kills, between)
	p.saved = 2 * rows
	c.entered(big, 0)
	for i := range c.pcs {
		if i != big {
			c.enter(i, 0)
		}
	}
}

// untilWrites waits until the journal has been written to some times since; false if the
// process ended before.
func (c *city) untilWrites(p *pc, run *proc.Process, times int) bool {
	c.Helper()
	journal := filepath.Join(p.Data, "unions", p.Union, "journal.db")
	last := modified(journal)
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for seen := 0; seen < times; {
		select {
		case <-run.Ended():
			if run.Status() != 0 {
				c.Fatalf("%s: status %d\n%s", run.Name(), run.Status(), run.Tail(20))
			}
			return false
		case <-c.ctx.Done():
			c.Fatal(c.ctx.Err())
		case <-tick.C:
			if now := modified(journal); now != last {
				last = now
				seen++
			}
		}
	}
	return true
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func (c *city) followerServes() {
	c.syncAll()
	c.check()
	for _, p := range c.pcs {
		if p.relay.up.Load() == 0 {
			c.Errorf("%s did not go through its relay", p.Union)
		}
	}
}

// killSaves kills PCs between a save and its sync: as soon as the program says that it is
// saved, and already at the first write to the journal, when nothing is said yet.
func (c *city) killSaves() {
	for i, p := range c.pcs {
		for n := range 2 {
			args := []string{"set", "member", p.roster.Rows[n].ID, fmt.Sprintf("mobile=1380000%02d%02d", i, n)}
			run, err := p.Begin(args...)
			c.do(err)
			told := false
			if n == 0 {
				_, err := run.Line(c.ctx, func(string) bool { return true })
				c.do(err)
				told = true
			} else {
				c.untilWrites(p, run, 1)
			}
			c.do(run.Kill())
			s := c.status(p)
			if s.Saved != p.saved+1 && (told || s.Saved != p.saved) || s.Waiting != s.Saved-s.Delivered {
				c.Errorf("%s: %d changes before, told of one more: %v; status %+v", p.Union, p.saved, told, s)
			}
			p.saved = s.Saved
		}
	}
	c.syncAll()
	c.check()
}

// concurrently runs something for all PCs at once.
func (c *city) concurrently(do func(p *pc) error) {
	c.Helper()
	var g errgroup.Group
	for _, p := range c.pcs {
		g.Go(func() error { return do(p) })
	}
	c.do(g.Wait())
}
