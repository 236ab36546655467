package proc

import "context"

// Another gives a node that is to take the place of one that is lost, under its addresses but
// with a name and a folder of its own. Nothing is written yet.
func (c *Centre) Another(lost *Node, id, data string) *Node {
	n := &Node{ID: id, Data: data, API: lost.API, Raft: lost.Raft, Advertise: lost.Advertise, Log: data + ".log", program: lost.program}
	for i, x := range c.Nodes {
		if x == lost {
			c.Nodes[i] = n
		}
	}
	return n
}

// Restore makes the node from an archive target and the cluster key in a file.
func (n *Node) Restore(ctx context.Context, target, key string) (Result, error) {
	return n.Run(ctx, "restore", "--id", n.ID, "--listen", n.API, "--raft", n.Raft, "--from", target, "--cluster-key", key, "--reason", "lost")
}
