package cluster

import "io"

// Machine is the replicated state. It is deterministic: equal entries in equal order make
// equal states on every replica. Apply, Snapshot and Restore are called one at a time;
// Sync, Applied and the writing of a snapshot may run beside Apply.
type Machine interface {
	// Apply applies one committed entry and gives its result to the proposer, if that is
	// here. Entries come in order of their index, with gaps where raft keeps entries of its
	// own, and come again after a restart: one at or below Applied is skipped. The error is
	// this replica's own fault, of its disk or program: the node stops for good. What all
	// replicas decide alike, as a refusal, is a result.
	Apply(index uint64, data []byte) (result any, err error)
	// Applied is the index of the last entry that is in the state, 0 for none. After a
	// restart it may be an older one, as far as the disk has lost what Sync had not covered.
	Applied() uint64
	// Sync makes everything applied so far durable. An error stops the node.
	Sync() error
	// Snapshot pins the present state, quickly; writing it out goes on beside Apply.
	Snapshot() (Snapshot, error)
	// Restore replaces the whole state by what a Snapshot has written, durably, and in a way
	// that a crash leaves the old state or the new one: it reads r to its end, and only then
	// switches. No Snapshot is pinned meanwhile. When r fails, the old state stays.
	Restore(r io.Reader) error
}

// Snapshot is a pinned state. Stream is called at most once, Release exactly once, also
// without Stream.
type Snapshot interface {
	// Stream writes the pinned state in a form of the machine's own, with a version.
	Stream(w io.Writer) error
	Release()
}
