package proc

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Node is one node of a centre.
type Node struct {
	ID, Data  string
	API, Raft string // addresses, host and port
	Advertise string // by which agents reach it; empty: API
	Log       string // file with all that it wrote
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
	p, err := Start(n.ID, n.Log, n.program, "serve", "--data", n.Data, "--json")
	if err != nil {
		return err
	}
	n.up = p
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if _, err := p.Line(ctx, func(line string) bool { return strings.HasPrefix(line, `{"node"`) }); err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	return nil
}

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
	err := n.Ask(ctx, &s, "status")
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
