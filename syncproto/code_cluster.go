package syncproto

// Codes of the replicated centre (6xx).
const (
	CodeNotLeader        Code = 600 // this node does not lead: ask the leader
	CodeUnknownOutcome   Code = 601 // leadership or time was lost while committing: it may or may not be done
	CodeNodeStopped      Code = 602 // this node is stopping
	CodeEntryTooLarge    Code = 603 // a log entry is over the limit
	CodeEntryUnreadable  Code = 604 // a log entry cannot be opened: wrong key, damage, or a later version
	CodeSnapshotUnusable Code = 605 // a snapshot cannot be opened: wrong key, damage, or a later version
	CodeReplicaFault     Code = 606 // this replica could not apply a committed entry and stopped
	CodeRaftLog          Code = 607 // the raft log cannot be opened, or another process has it open
	CodeRaftDisk         Code = 608 // the raft log cannot be written: the disk is full or failing
	CodeRaftGap          Code = 609 // raft log, snapshots and state on disk do not fit together
	CodeRaftListen       Code = 610 // the address for the other nodes cannot be listened on
	CodeBootstrapped     Code = 611 // this node belongs to a cluster already
	CodeMembership       Code = 612 // a change of the cluster's members was not made
	CodeNodeRefused      Code = 613 // a node that connected is not admitted
)
