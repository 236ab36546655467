// Package cluster makes several copies of a state machine equal: the hashicorp/raft node,
// its log, transport and snapshots, and the thin shell between raft and the machine. It
// knows nothing of what the entries mean; whoever uses it never sees raft.
//
// It promises: what [Node.Propose] has returned without error is on the disks of a
// majority and applied here; a machine is given every committed entry, in order, at least
// once, and can tell by the index which it has; entries and snapshots on disk are
// encrypted; a replica that fails to apply an entry stops before it can differ. It never
// imports the ledger, HTTP or anything of the agent. DESIGN.md tells the path of an entry
// and what a crash at each step means.
package cluster
