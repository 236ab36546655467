package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// Centre is a city's centre on loopback: a few nodes, each a process with a folder.
type Centre struct {
	Nodes []*Node
}

// How long a node may take to come up, and to end when it is asked to.
const (
	startPatience = 60 * time.Second
	stopPatience  = 20 * time.Second
)

// NewCentre names the nodes n1, n2, … with folders in dir and free ports. Nothing runs yet.
func NewCentre(programs Programs, dir string, nodes int) (*Centre, error) {
	ports, err := FreePorts(2 * nodes)
	if err != nil {
		return nil, err
	}
	c := &Centre{}
	for i := range nodes {
		c.Nodes = append(c.Nodes, newNode(programs, dir, i+1, ports[2*i:]))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("new centre: %w", err)
	}
	return c, nil
}

func newNode(programs Programs, dir string, number int, ports []string) *Node {
	id := fmt.Sprintf("n%d", number)
	return &Node{
		ID: id, Data: filepath.Join(dir, id), API: ports[0], Raft: ports[1],
		Log: filepath.Join(dir, id+".log"), program: programs.Server,
	}
}

// Add names one node more, beside the others, and lets it join. It serves when it returns.
func (c *Centre) Add(ctx context.Context) (*Node, error) {
	ports, err := FreePorts(2)
	if err != nil {
		return nil, err
	}
	first := c.Nodes[0]
	n := newNode(Programs{Server: first.program}, filepath.Dir(first.Data), len(c.Nodes)+1, ports)
	if err := c.join(ctx, n); err != nil {
		return nil, err
	}
	c.Nodes = append(c.Nodes, n)
	return n, n.Start(ctx)
}

// join makes a node's folder, with its certificate from the first node.
func (c *Centre) join(ctx context.Context, n *Node) error {
	first := c.Nodes[0]
	return n.command(ctx, "join", "--data", n.Data, "--id", n.ID, "--listen", n.API, "--raft", n.Raft,
		"--centre", first.URL(), "--cluster-key", filepath.Join(first.Data, "cluster.key"))
}

// Create sets the centre up: the first node makes the city's CA, the others join it one
// after the other. All of them serve when it returns.
func (c *Centre) Create(ctx context.Context) error {
	first := c.Nodes[0]
	args := []string{"init", "--data", first.Data, "--id", first.ID, "--listen", first.API, "--raft", first.Raft}
	if first.Advertise != "" {
		args = append(args, "--advertise", first.Advertise)
	}
	if err := first.command(ctx, args...); err != nil {
		return err
	}
	if err := first.Start(ctx); err != nil {
		return err
	}
	for _, n := range c.Nodes[1:] {
		if err := c.join(ctx, n); err != nil {
			return err
		}
		if err := n.Start(ctx); err != nil {
			return err
		}
	}
	return c.Whole(ctx)
}

// Start starts the nodes that do not run, all at once, and waits until the centre is whole.
func (c *Centre) Start(ctx context.Context) error {
	var g errgroup.Group
	for _, n := range c.Nodes {
		if !n.Up() {
			g.Go(func() error { return n.Start(ctx) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return c.Whole(ctx)
}

// Whole waits until all nodes that run are ready and name the same leader.
func (c *Centre) Whole(ctx context.Context) error {
	_, err := c.Leader(ctx)
	return err
}

// Leader waits until all nodes that run are ready and name the same leader, and gives it.
func (c *Centre) Leader(ctx context.Context) (*Node, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	var leader *Node
	err := Poll(ctx, "a leader that all nodes know", func() error {
		leader = nil
		for _, n := range c.Nodes {
			if !n.Up() {
				continue
			}
			s, err := n.Status(ctx)
			if err != nil {
				return err
			}
			if !s.Ready {
				return fmt.Errorf("%s is not ready", n.ID)
			}
			of := c.node(s.Leader)
			if of == nil || !of.Up() || leader != nil && leader != of {
				return fmt.Errorf("%s names %q as leader", n.ID, s.Leader)
			}
			leader = of
		}
		if leader == nil {
			return errors.New("no node is up")
		}
		return nil
	})
	return leader, err
}

func (c *Centre) node(id string) *Node {
	for _, n := range c.Nodes {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// Any gives a node that runs, or nil.
func (c *Centre) Any() *Node {
	for _, n := range c.Nodes {
		if n.Up() {
			return n
		}
	}
	return nil
}

// Kill ends all nodes at once, as a power cut would.
func (c *Centre) Kill() error {
	return c.each(func(n *Node) error { return n.Kill() })
}

// Stop ends all nodes in order.
func (c *Centre) Stop() error {
	return c.each(func(n *Node) error { return n.Stop() })
}

func (c *Centre) each(do func(*Node) error) error {
	var g errgroup.Group
	for _, n := range c.Nodes {
		g.Go(func() error { return do(n) })
	}
	return g.Wait()
}

// Level waits until all nodes that run have applied the same changes.
func (c *Centre) Level(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	return Poll(ctx, "equal nodes", func() error {
		heads := map[string]string{}
		for _, n := range c.Nodes {
			if !n.Up() {
				continue
			}
			s, err := n.Status(ctx)
			if err != nil {
				return err
			}
			heads[s.Head] = n.ID
		}
		if len(heads) != 1 {
			return fmt.Errorf("the nodes' newest positions are %v", heads)
		}
		return nil
	})
}
