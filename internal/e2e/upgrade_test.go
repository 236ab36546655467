//go:build !windows

package e2e

import (
	"errors"
	"path/filepath"
	"testing"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// clusterStatus is what the test reads of `union-server cluster status --json`.
type clusterStatus struct {
	Leader string `json:"leader"`
	Nodes  []struct {
		Node  string `json:"node"`
		Level int    `json:"level"`
		Knows int    `json:"knows"`
	} `json:"nodes"`
}

var errLevel = errors.New("a node has the old level still")

func (c *city) cluster(at *proc.Node) (st clusterStatus) {
	c.Helper()
	c.do(at.Ask(c.ctx, &st, "cluster", "status"))
	return st
}

// TestRollingUpgrade: three nodes of an older program become, one after the other, nodes of
// this one, while a PC exchanges without a pause. No exchange fails. The level begins with the
// last node, not before; from then on the older program refuses to start, and says why.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	root, err := proc.Root()
	if err != nil {
		t.Fatal(err)
	}
	older := filepath.Join(t.TempDir(), "union-server-older")
	if err := proc.BuildServer(t.Context(), root, older, "-X unionsync/server/ledger.levelLimit=1"); err != nil {
		t.Fatal(err)
	}
	c := newCityOf(t, proc.Programs{Agent: programs.Agent, Server: older}, 3, testcity.Options{Counties: 1, Unions: 1, Members: 12})
	nodes := c.centre.Nodes
	c.pcs = []*pc{{Agent: c.newPC(c.model.Rosters[0].Union, nodes[0].URL()), roster: &c.model.Rosters[0]}}
	for i, n := range nodes {
		if st := c.cluster(nodes[0]); st.Nodes[i].Knows != 1 || st.Nodes[i].Level != 1 {
			t.Fatalf("before %s: %+v", n.ID, st)
		}
		c.enter(0, i)
		c.exchangeDuring(func() error {
			if err := n.Stop(); err != nil {
				return err
			}
			n.Use(programs.Server)
			if err := n.Start(c.ctx); err != nil {
				return err
			}
			return c.centre.Whole(c.ctx)
		})
	}
	c.do(proc.Poll(c.ctx, "the new level at all nodes", func() error {
		for _, n := range c.cluster(nodes[0]).Nodes {
			if n.Level != 2 {
				return errLevel
			}
		}
		return nil
	}))
	c.check()
	back := nodes[2]
	c.do(back.Stop())
	back.Use(older)
	r, err := back.Run(c.ctx, "serve")
	if c.do(err); r.Failure().Code != 621 {
		t.Fatalf("the older program: %+v", r)
	}
	back.Use(programs.Server)
	c.do(back.Start(c.ctx))
	c.do(c.centre.Level(c.ctx))
}

// exchangeDuring lets the PC exchange, again and again, while something is done to the
// centre; each exchange must end well.
func (c *city) exchangeDuring(do func() error) {
	c.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	for n := 1; ; n++ {
		r, err := c.pcs[0].Run(c.ctx, "sync")
		c.do(err)
		if err := r.Want(0); err != nil {
			c.Fatalf("exchange %d meanwhile: %v", n, err)
		}
		select {
		case err := <-done:
			c.do(err)
			return
		default:
		}
	}
}
