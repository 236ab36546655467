package cluster

// Voting reports whether this node is a voter as far as it knows, and how many there are.
func (n *Node) Voting() (self bool, voters int) {
	for _, m := range n.Servers() {
		if m.Voter {
			voters++
			self = self || m.ID == n.id
		}
	}
	return self, voters
}

// Faulty reports that the node stops because its disk or its machine failed: nothing that it
// says counts.
func (n *Node) Faulty() bool { return n.faulty.Load() || n.stopping() }

// Waiting is how many items wait for a flight.
func (p *Proposer) Waiting() int { return len(p.queue) }
