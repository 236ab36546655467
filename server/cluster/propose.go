package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"unionsync/syncproto"
)

// Propose puts data into the log as one entry and returns, once a majority has it on disk
// and it is applied here, the machine's result and the entry's index. The errors are
// [ErrNotLeader] and [ErrStopped], when surely nothing was proposed, [ErrUnknownOutcome],
// also when ctx ends first, and [syncproto.CodeEntryTooLarge].
func (n *Node) Propose(ctx context.Context, data []byte) (any, uint64, error) {
	const op = "propose"
	if len(data) > n.cfg.Space.EntryBytes {
		return nil, 0, syncproto.Fail(syncproto.CodeEntryTooLarge, op, nil,
			"bytes", fmt.Sprint(len(data)), "max", fmt.Sprint(n.cfg.Space.EntryBytes))
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", op, err)
	}
	if n.stopping() || n.faulty.Load() {
		return nil, 0, syncproto.Fail(syncproto.CodeNodeStopped, op, nil)
	}
	if n.raft.State() != raft.Leader { // raft would say so too, after the work of encoding
		return nil, 0, n.notLeader(op, nil)
	}
	entry, err := n.shell.codec.encode(data)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", op, err)
	}
	future, err := wait(ctx, n, func() raft.ApplyFuture { return n.raft.Apply(entry, 0) })
	if err != nil {
		if e := n.explain(op, err); syncproto.CodeOf(e) == syncproto.CodeNotLeader {
			return nil, 0, e
		}
		return nil, 0, syncproto.Fail(syncproto.CodeUnknownOutcome, op, err)
	}
	res := future.Response()
	if f, broken := res.(fault); broken { // committed, but not applied here
		return nil, 0, syncproto.Fail(syncproto.CodeUnknownOutcome, op, f.err)
	}
	return res, future.Index(), nil
}

// Barrier returns when everything committed before it is applied here. Only a leader can;
// the errors are [ErrNotLeader], [ErrStopped] and that of ctx.
func (n *Node) Barrier(ctx context.Context) error {
	return n.ask(ctx, "wait for barrier", func() raft.Future { return n.raft.Barrier(0) })
}

// VerifyLeader returns when a majority has confirmed that this node leads, now. What is
// applied here then is as new as anything acknowledged before the call. The errors are
// those of [Node.Barrier].
func (n *Node) VerifyLeader(ctx context.Context) error {
	return n.ask(ctx, "verify lead", n.raft.VerifyLeader)
}

// ask is do for what changes nothing: there is no unknown outcome.
func (n *Node) ask(ctx context.Context, op string, begin func() raft.Future) error {
	err := n.do(ctx, op, begin)
	switch {
	case !errors.Is(err, ErrUnknownOutcome):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	default:
		return n.notLeader(op, err)
	}
}

func (n *Node) do(ctx context.Context, op string, begin func() raft.Future) error {
	if n.stopping() {
		return syncproto.Fail(syncproto.CodeNodeStopped, op, nil)
	}
	_, err := wait(ctx, n, begin)
	if n.faulty.Load() { // raft's word is worth nothing without the machine
		return syncproto.Fail(syncproto.CodeNodeStopped, op, err)
	}
	return n.explain(op, err)
}

// wait begins something in raft and waits for its end, for ctx, or for the node's end. The
// goroutine is raft's to end: it may outlive a stopped node, because raft forgets entries
// that are on their way to the machine then. It holds nothing but the future.
func wait[F raft.Future](ctx context.Context, n *Node, begin func() F) (F, error) {
	type outcome struct {
		future F
		err    error
	}
	done := make(chan outcome, 1)
	n.waits.Go(func() {
		f := begin()
		done <- outcome{f, f.Error()}
	})
	var none F
	select {
	case o := <-done:
		return o.future, o.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-n.closed:
		return none, raft.ErrRaftShutdown
	}
}
