package proc

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Node is one node of a centre.
type Node struct {
	ID, Data  string
	API, Raft string   // addresses, host and port
	Advertise string   // by which agents reach it; empty: API
	Log       string   // file with all that it wrote
	Env       []string // more for the environment of its process, as NAME=value
	program   string
	up        *Process
}

// NodeStatus is what the harness reads of `union-server status --json`.
type NodeStatus struct {
	Node    string `json:"node"`
	Ready   bool   `json:"ready"`
	Role    string `json:"role"`
	Leader  string `json:"leader"`
	Applied uint64 `json:"applied"`
	Head    string `json:"head"`
	Devices int    `json:"devices"`
	Time    int64  `json:"time"` // the node's clock, Unix seconds
}

// Use makes the node's next start, and its commands, those of another program.
func (n *Node) Use(server string) { n.program = server }

// URL is where agents reach the node.
func (n *Node) URL() string { return "https://" + n.API }

// Up says whether the node's process runs.
func (n *Node) Up() bool {
	if n.up == nil {
		return false
	}
	select {
	case <-n.up.Ended():
		return false
	default:
		return true
	}
}

// PID is the process's id while the node runs.
func (n *Node) PID() int { return n.up.PID() }

// Start starts the node and waits for its line that says that it is ready.
func (n *Node) Start(ctx context.Context) error {
	if err := n.Launch(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	return n.Await(ctx)
}

// Launch starts the node and does not wait for anything.
func (n *Node) Launch() error {
	p, err := startIn(n.Env, n.ID, n.Log, n.program, "serve", "--data", n.Data, "--json")
	if err != nil {
		return err
	}
	n.up = p
	return nil
}

// Await waits until a node that was launched says that it is ready.
func (n *Node) Await(ctx context.Context) error {
	if _, err := n.up.Line(ctx, func(line string) bool { return strings.HasPrefix(line, `{"node"`) }); err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	return nil
}

// Signal sends the node's process a signal.
func (n *Node) Signal(s os.Signal) error { return n.up.Signal(s) }

// ExitStatus is that of the process, once the node is not [Node.Up] any more; -1: a signal.
func (n *Node) ExitStatus() int { return n.up.Status() }

// Kill ends the node as a power cut would. A node that does not run stays so.
func (n *Node) Kill() error {
	if n.up == nil {
		return nil
	}
	return n.up.Kill()
}

// Stop ends the node in order. A node that does not run stays so.
func (n *Node) Stop() error {
	if n.up == nil {
		return nil
	}
	return n.up.Stop(stopPatience)
}

// StopWithin is [Node.Stop] with another patience than the tests' own.
func (n *Node) StopWithin(patience time.Duration) error {
	if n.up == nil {
		return nil
	}
	return n.up.Stop(patience)
}

// Tail gives the last n lines of what the node wrote.
func (n *Node) Tail(lines int) string {
	if n.up == nil {
		return "(never started)"
	}
	return n.up.Tail(lines)
}

// Run runs a command of union-server for this node, with --json and English words.
func (n *Node) Run(ctx context.Context, args ...string) (Result, error) {
	return Run(ctx, n.program, append(append([]string{}, args...), "--data", n.Data, "--json", "--lang", "en")...)
}

// Words runs a command of union-server as an operator does: in Chinese words, without --json.
func (n *Node) Words(ctx context.Context, args ...string) (Result, error) {
	return Run(ctx, n.program, append(append([]string{}, args...), "--data", n.Data, "--lang", "zh")...)
}

// Ask runs a command that must succeed, and reads its JSON into v, which may be nil.
func (n *Node) Ask(ctx context.Context, v any, args ...string) error {
	r, err := n.Run(ctx, args...)
	if err != nil {
		return err
	}
	return r.asked(v)
}

// Status asks how the node stands.
func (n *Node) Status(ctx context.Context) (NodeStatus, error) {
	var s NodeStatus
	r, err := n.Run(ctx, "status")
	if err == nil {
		err = r.Want(0, 5, 8) // well, to be looked at, not ready: all of them tell how it stands
	}
	if err == nil {
		err = r.Read(&s)
	}
	return s, err
}

// Changes is how many changes the node has in the centre's order: the count below the
// generation in its newest position.
func (s NodeStatus) Changes() int {
	_, count, _ := strings.Cut(s.Head, "/")
	n, err := strconv.Atoi(count)
	if err != nil {
		return -1
	}
	return n
}

// Code makes a one-time code for a union's PC.
func (n *Node) Code(ctx context.Context, union string, args ...string) (string, error) {
	var v struct {
		Code string `json:"code"`
	}
	if err := n.Ask(ctx, &v, append([]string{"enrol", union}, args...)...); err != nil {
		return "", err
	}
	if v.Code == "" {
		return "", fmt.Errorf("%s: enrol %s: no code in the answer", n.ID, union)
	}
	return v.Code, nil
}

func (n *Node) command(ctx context.Context, args ...string) error {
	r, err := Run(ctx, n.program, append(args, "--json")...)
	if err != nil {
		return err
	}
	return r.Want(0)
}
