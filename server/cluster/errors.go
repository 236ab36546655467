package cluster

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"unionsync/syncproto"
)

// Errors to match with errors.Is. The ones returned carry a cause, and [ErrNotLeader] the
// leader as far as it is known: see [LeaderOf].
var (
	// ErrNotLeader: nothing was proposed; ask the leader.
	ErrNotLeader = &syncproto.Error{Code: syncproto.CodeNotLeader, Op: "cluster"}
	// ErrUnknownOutcome: the entry may or may not be committed, now or soon. Whoever
	// proposed it sends it again; what it does must bear that.
	ErrUnknownOutcome = &syncproto.Error{Code: syncproto.CodeUnknownOutcome, Op: "cluster"}
	// ErrStopped: this node is stopping or has stopped; nothing was proposed.
	ErrStopped = &syncproto.Error{Code: syncproto.CodeNodeStopped, Op: "cluster"}
)

// LeaderOf gives the leader that an [ErrNotLeader] names; empty strings if none is known.
func LeaderOf(err error) (id, address string) {
	var e *syncproto.Error
	if errors.As(err, &e) && e.Code == syncproto.CodeNotLeader {
		return e.Args["id"], e.Args["address"]
	}
	return "", ""
}

func (n *Node) notLeader(op string, cause error) error {
	id, address := n.Leader()
	name := id
	if name == "" {
		name = "?"
	}
	return syncproto.Fail(syncproto.CodeNotLeader, op, cause, "leader", name, "id", id, "address", address)
}

// explain turns an error of raft into one of ours. It separates what surely did not happen
// from what may have: a lost lead while committing says nothing about the entry.
func (n *Node) explain(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return n.notLeader(op, err)
	case errors.Is(err, raft.ErrRaftShutdown):
		return syncproto.Fail(syncproto.CodeNodeStopped, op, err)
	default: // lost lead, the caller's time is up, the log's own disk error
		return syncproto.Fail(syncproto.CodeUnknownOutcome, op, err)
	}
}

func faultOf(code syncproto.Code, op string, index uint64, err error) error {
	return syncproto.Fail(code, op, err, "index", fmt.Sprint(index))
}
