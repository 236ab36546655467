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
	CodeQuorumRisk       Code = 614 // without this node too few would be left that work: node, left, need
	CodeNodeSilent       Code = 615 // a node that is to leave in good order does not answer: node
	CodeNodeAnswers      Code = 616 // a node that is to be given up as dead answers: node
	CodeNodeGone         Code = 617 // this node has been taken out of the cluster: node
	CodeQuorumStands     Code = 618 // the centre has a leader and needs no recovery: leader
	CodeRecoverBehind    Code = 619 // another node that answers has more: node
	CodeRecoverLoss      Code = 620 // a recovery that can lose something was not confirmed with --accept-loss
	CodeLevelUnknown     Code = 621 // the state is of a level that this program does not know: level, knows
	CodeLevelEarly       Code = 622 // an entry of a level that has not begun: level
	CodeStateDiffers     Code = 623 // this node's state is not that of the majority: index
	CodeReadOnly         Code = 624 // the nodes' states differ and none has a majority: nothing is taken in: seconds
	CodeNothingToRecover Code = 625 // the folder holds no state of a centre
	CodeNodeDiskFull     Code = 626 // too little room is left for this node to start or to go on: mib, need
)
