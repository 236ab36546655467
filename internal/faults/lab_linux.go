package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/netspace"
	"unionsync/internal/proc"
	"unionsync/server"
)

// Sizes of the city. A union has a clerk's PC, and a bare device that is quicker to notice
// that the centre is back, and that looks at the clerk's journal too.
const (
	nodes  = 3
	unions = 3
)

// How long things may take before the run is given up.
const (
	readyPatience = 90 * time.Second // a node, after a fault is healed
	askPatience   = 2 * time.Second  // an answer of an operator's call
)

// lab is the centre under test.
type lab struct {
	dir     string
	net     *hub
	nodes   []*node
	history *history

	mu  sync.Mutex
	err io.Writer // guarded by mu
}

// node is one node with what is around it.
type node struct {
	*proc.Node
	place int // in the hub
	room  *netspace.Room
	disk  *disk // nil: a plain folder
	clock string
	admin *server.Admin
	down  bool // killed or stopped by the nemesis, not by itself
}

// say reports progress.
func (l *lab) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.err, "%7.1fs  %s\n", l.history.now().Seconds(), fmt.Sprintf(format, args...))
}

// newLab makes folders, disks and programs. Nothing runs yet.
func newLab(ctx context.Context, dir string, net *hub, rooms []*netspace.Room, disks bool, stderr io.Writer) (*lab, error) {
	l := &lab{dir: dir, net: net, history: newHistory(), err: stderr}
	root, err := proc.Root()
	if err != nil {
		return nil, err
	}
	program := filepath.Join(dir, "union-server")
	if err := proc.BuildTagged(ctx, root, program, "faultclock"); err != nil {
		return nil, err
	}
	for i, room := range rooms {
		id := fmt.Sprintf("n%d", i+1)
		n := &node{place: i + 1, room: room, clock: filepath.Join(dir, id+".clock")}
		home := filepath.Join(dir, id)
		if disks {
			if n.disk, err = newDisk(home+".img", home); err != nil {
				return nil, err
			}
		}
		n.Node = &proc.Node{
			ID: id, Data: filepath.Join(home, "data"), API: host(i+1) + ":7100", Raft: host(i+1) + ":7101",
			Log: filepath.Join(dir, id+".log"), Env: []string{"UNIONSYNC_FAULT_CLOCK=" + n.clock},
		}
		n.Use(program)
		l.nodes = append(l.nodes, n)
	}
	return l, nil
}

// create makes the city, its nodes one after the other.
func (l *lab) create(ctx context.Context) error {
	first := l.nodes[0]
	for _, n := range l.nodes {
		args := []string{"init", "--id", n.ID, "--listen", n.API, "--raft", n.Raft}
		if n != first {
			args = []string{"join", "--id", n.ID, "--listen", n.API, "--raft", n.Raft, "--centre", first.URL(),
				"--cluster-key", filepath.Join(first.Data, "cluster.key")}
		}
		r, err := n.Run(ctx, args...)
		if err == nil {
			err = r.Want(0)
		}
		if err == nil {
			err = n.launch()
		}
		if err == nil {
			err = n.Await(ctx)
		}
		if err == nil {
			n.admin, err = server.Dial(n.Data, func(string) string { return "" }, n.URL())
		}
		if err != nil {
			return err
		}
	}
	return l.units(ctx)
}

// units imports the tree.
func (l *lab) units(ctx context.Context) error {
	var b strings.Builder
	b.WriteString("code,name,level,parent,county\n330700,市总工会,city,,SBJ\n330702,区总工会,county,330700,330702\n")
	for i := range unions {
		fmt.Fprintf(&b, "%s,工会%d,union,330702,\n", unionCode(i), i+1)
	}
	file := filepath.Join(l.dir, "units.csv")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return l.nodes[0].Ask(ctx, nil, "org", "import", file)
}

func unionCode(i int) string { return fmt.Sprintf("U%d", i+1) }

// launch starts the node's process in its room.
func (n *node) launch() error {
	n.down = false
	return n.room.Do(n.Launch)
}

// kill ends it as a power cut of the machine would, but what was written stays.
func (n *node) kill() error {
	n.down = true
	return n.Kill()
}

// ready asks the node whether it can do its work.
func (n *node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	s, err := n.admin.Status(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", n.ID, err)
	case !s.Ready || s.Leader == "" || s.Halted != 0:
		return fmt.Errorf("%s is not ready: leader %q, halted %d", n.ID, s.Leader, s.Halted)
	}
	return nil
}

// leader gives the node that says that it leads, or nil.
func (l *lab) leader(ctx context.Context) *node {
	answers := make([]*node, len(l.nodes))
	var g errgroup.Group
	for i, n := range l.nodes {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, askPatience)
			defer cancel()
			if s, err := n.admin.Status(ctx); err == nil && s.Role == "leader" {
				answers[i] = n
			}
			return nil
		})
	}
	_ = g.Wait() // nobody fails
	for _, n := range answers {
		if n != nil {
			return n
		}
	}
	return nil
}

// whole starts the nodes that are not up and waits until all are ready. A node that ended
// though nobody ended it is told of, and counts against the run.
func (l *lab) whole(ctx context.Context, mayEnd bool) error {
	for _, n := range l.nodes {
		if err := l.restart(n, mayEnd); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	return proc.Poll(ctx, "all nodes to be ready", func() error {
		for _, n := range l.nodes {
			if err := l.restart(n, false); err != nil {
				return err
			}
			if err := n.ready(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *lab) restart(n *node, mayEnd bool) error {
	if n.Up() {
		return nil
	}
	if !n.down {
		l.say("%s ended by itself, status %d: %s", n.ID, n.ExitStatus(), n.Tail(3))
		if !mayEnd {
			l.history.broke("%s ended by itself, status %d:\n%s", n.ID, n.ExitStatus(), n.Tail(40))
		}
	}
	return n.launch()
}

// close ends all and removes what was written.
func (l *lab) close(keep bool) error {
	var errs []error
	for _, n := range l.nodes {
		if n.disk != nil {
			errs = append(errs, n.disk.thaw())
		}
		errs = append(errs, n.Kill())
	}
	for _, n := range l.nodes {
		if n.disk != nil {
			errs = append(errs, n.disk.unmount())
		}
	}
	if !keep {
		errs = append(errs, os.RemoveAll(l.dir))
	}
	return errors.Join(errs...)
}
