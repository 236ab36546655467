//go:build !windows

package e2e

import (
	"strings"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// day is the last day on which something happens in the made-up city.
const day = "2026-06-30"

// check proves that everything saved on the PCs is at the centre exactly once: each PC has
// delivered all, both ends' digests are equal, the centre's order holds as many changes as
// were saved, and the counts are those of the recount.
func (c *city) check() {
	c.Helper()
	want := c.units
	for _, p := range c.pcs {
		s := c.status(p)
		if s.Saved != p.saved || s.Waiting != 0 || s.Delivered != p.saved || s.Held != 0 || s.Conflicts != 0 {
			c.Errorf("%s: %d changes were saved; status %+v", p.Union, p.saved, s)
		}
		want += p.saved
	}
	c.do(c.centre.Level(c.ctx))
	for _, n := range c.centre.Nodes {
		if !n.Up() {
			continue
		}
		s, err := n.Status(c.ctx)
		c.do(err)
		if s.Changes() != want {
			c.Errorf("%s holds %d changes, %d were saved", n.ID, s.Changes(), want)
		}
	}
	c.checkCounts()
}

// checkCounts compares counts with the recount of what has been entered.
func (c *city) checkCounts() {
	c.Helper()
	for _, by := range [][]string{{"union"}, {"county", "sex"}, {"age"}} {
		if diff := cmp.Diff(c.recount(by), c.count(by)); diff != "" {
			c.Errorf("count by %v (-recount +centre)\n%s", by, diff)
		}
	}
}

func (c *city) recount(by []string) map[string]int {
	var dims []testcity.Dim
	for _, d := range by {
		dims = append(dims, testcity.Dims[d])
	}
	return c.known.Recount(day, nil, dims...)
}

func (c *city) count(by []string) map[string]int {
	c.Helper()
	var a struct {
		Rows []struct {
			Keys    []struct{ Code string }
			Members int
		}
	}
	c.do(c.centre.Any().Ask(c.ctx, &a, "counts", "--day", day, "--by", strings.Join(by, ",")))
	out := map[string]int{}
	for _, r := range a.Rows {
		var codes []string
		for _, k := range r.Keys {
			codes = append(codes, k.Code)
		}
		if r.Members > 0 {
			out[strings.Join(codes, " ")] = r.Members
		}
	}
	return out
}

// syncAll syncs every PC; nothing may go wrong any more.
func (c *city) syncAll() {
	c.Helper()
	for _, p := range c.pcs {
		done, err := p.Sync(c.ctx)
		c.do(err)
		if !done.Complete || !done.Equal {
			c.Errorf("%s: after a sync: %+v", p.Union, done)
		}
	}
}

// list gives a PC's records of a kind, whole.
func (c *city) list(a *proc.Agent, kind string) []any {
	c.Helper()
	var v struct {
		Total   int
		Records []any
	}
	c.do(a.Ask(c.ctx, &v, "list", kind, "--reveal"))
	if v.Total != len(v.Records) {
		c.Errorf("%s: %d of %d %s records listed", a.Union, len(v.Records), v.Total, kind)
	}
	return v.Records
}

// event is what is read of a history.
type event struct {
	Dot      string
	Delivery string
	Verdict  string
	Position string
}

// history gives the changes of a record as a PC tells them.
func (c *city) history(a *proc.Agent, id string) []event {
	c.Helper()
	var v []event
	c.do(a.Ask(c.ctx, &v, "history", "member", id))
	return v
}

// checkTwin enrols a second PC for a union, which fetches everything from the centre, and
// compares the two, record by record, and one record change by change: no change is there
// twice, and each has a position of its own.
func (c *city) checkTwin(p *pc) {
	c.Helper()
	twin := c.newPC(p.Union, c.centre.Any().URL())
	for _, kind := range []string{"member", "membership-event"} {
		if diff := cmp.Diff(c.list(p.Agent, kind), c.list(twin, kind)); diff != "" {
			c.Errorf("%s: %s records on the first PC and on the second (-first +second)\n%s", p.Union, kind, diff)
		}
	}
	id := p.roster.Rows[0].ID // set once after it was imported
	here, there := c.history(p.Agent, id), c.history(twin, id)
	if len(here) != 2 || len(there) != 2 {
		c.Fatalf("%s: a member imported and changed once has the history %+v here and %+v there", p.Union, here, there)
	}
	for i, e := range here {
		if e.Delivery != "delivered" || e.Verdict != "applied" || e.Position == "" || there[i].Dot != e.Dot {
			c.Errorf("%s: change %d of a member is %+v here and %+v there", p.Union, i, e, there[i])
		}
	}
	if here[0].Dot == here[1].Dot || here[0].Position == here[1].Position {
		c.Errorf("%s: one change stands twice: %+v", p.Union, here)
	}
}

// checkProved checks that the centre knows of every PC that it holds the same records: each
// says so in the first sync after the one that found it.
func (c *city) checkProved() {
	c.Helper()
	c.syncAll()
	var v struct {
		Units []struct {
			Code    string
			Level   string
			Proved  bool
			Waiting int
			Devices int
		}
	}
	c.do(c.centre.Any().Ask(c.ctx, &v, "org", "list"))
	unions := 0
	for _, u := range v.Units {
		if u.Level != "union" {
			continue
		}
		unions++
		if !u.Proved || u.Waiting != 0 || u.Devices != 1 {
			c.Errorf("the centre says of a union whose PC has synced: %+v", u)
		}
	}
	if unions != len(c.pcs) {
		c.Errorf("%d unions of %d listed", unions, len(c.pcs))
	}
}
