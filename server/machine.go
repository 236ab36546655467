package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"unionsync/server/census"
	"unionsync/server/cluster"
	"unionsync/server/gate"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// machine is the ledger as the cluster sees it.
type machine struct{ *ledger.Ledger }

var _ cluster.Machine = machine{}

// Snapshot implements cluster.Machine.
func (m machine) Snapshot() (cluster.Snapshot, error) {
	s, err := m.Ledger.Snapshot()
	if err != nil {
		return nil, err
	}
	return s, nil
}

// source is the ledger as the census sees it.
type source struct{ l *ledger.Ledger }

var _ census.Source = source{}

// Scan implements census.Source.
func (s source) Scan(kinds []syncproto.KindNumber, do census.Do) (syncproto.Position, error) {
	return s.l.AllRecords(kinds, do)
}

// Since implements census.Source.
func (s source) Since(after syncproto.Position, kinds []syncproto.KindNumber, do census.Do) (syncproto.Position, error) {
	return s.l.Since(after, kinds, do)
}

// Wait implements census.Source.
func (s source) Wait(ctx context.Context, after syncproto.Position) error {
	return waitUntil(ctx, s.l, func() bool { return s.l.Head() > after })
}

// waitUntil waits for something of the state.
func waitUntil(ctx context.Context, l *ledger.Ledger, reached func() bool) error {
	for {
		moved := l.Moved() // before looking: what comes between is not missed
		if reached() {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// replicated is the cluster as the gate sees it.
type replicated struct {
	node  *cluster.Node
	items *cluster.Proposer
	l     *ledger.Ledger
}

var (
	_ gate.Log     = (*replicated)(nil)
	_ gate.Members = (*replicated)(nil)
	_ gate.Cluster = (*replicated)(nil)
)

// Propose implements gate.Log.
func (r *replicated) Propose(ctx context.Context, entry []byte) (any, error) {
	if at := r.l.Halted(); at != 0 && !ledger.Housekeeping(entry) {
		return nil, readOnly("propose")
	}
	res, _, err := r.node.Propose(ctx, entry)
	return res, err
}

// Commit implements gate.Log.
func (r *replicated) Commit(ctx context.Context, item *entrypb.Item) ([]session.Outcome, error) {
	if r.l.Halted() != 0 {
		return nil, readOnly("commit item")
	}
	b, err := proto.Marshal(item)
	if err != nil {
		return nil, fmt.Errorf("encode item: %w", err)
	}
	res, _, err := r.items.Submit(ctx, b)
	if err != nil {
		return nil, err
	}
	out, ok := res.([]session.Outcome)
	if !ok {
		return nil, fmt.Errorf("commit item: a result of type %T", res)
	}
	return out, nil
}

// readOnly refuses what would change a state about which the nodes do not agree.
func readOnly(op string) error {
	return syncproto.Fail(syncproto.CodeReadOnly, op, nil, "seconds", "600")
}

// Leads implements gate.Log.
func (r *replicated) Leads() bool {
	_, ok := r.node.Leading()
	return ok
}

// LeaderID implements gate.Log.
func (r *replicated) LeaderID() string {
	id, _ := r.node.Leader()
	return id
}

// Queue implements gate.Log.
func (r *replicated) Queue() int { return r.items.Waiting() }

// Confirm implements gate.Log.
func (r *replicated) Confirm(ctx context.Context) error {
	if err := r.node.VerifyLeader(ctx); err != nil {
		return err
	}
	return r.node.Barrier(ctx)
}

// AddVoter implements gate.Members.
func (r *replicated) AddVoter(ctx context.Context, id, address string) error {
	for _, s := range r.node.Servers() {
		if s.ID == id && s.Address == address && s.Voter {
			return nil
		}
	}
	return r.node.AddVoter(ctx, id, address)
}

// pool says how agents' items become one Batch entry.
func pool(now func() int64, log *slog.Logger) cluster.Pool {
	return cluster.Pool{
		Join: func(items [][]byte) ([]byte, error) { return joinItems(now(), items) },
		Split: func(result any, items int) ([]any, error) {
			logBatch(log, result)
			return splitOutcomes(result, items)
		},
		MaxBytes: syncproto.MaxEntryBytes - entryHead,
		Overhead: itemOverhead,
	}
}

const (
	entryHead    = 64 // type, version and time of an entry, with room
	itemOverhead = 8  // tag and length of an item
	itemField    = 2  // number of Batch.items
)

// joinItems puts encoded items behind the head of a Batch: the bytes of a message are those
// of its fields, one after the other.
func joinItems(now int64, items [][]byte) ([]byte, error) {
	b, err := ledger.Entry(&entrypb.Batch{Time: now})
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		b = protowire.AppendTag(b, itemField, protowire.BytesType)
		b = protowire.AppendBytes(b, item)
	}
	return b, nil
}

// logBatch writes the one line of a batch: the changes of many agents in one log entry.
func logBatch(log *slog.Logger, result any) {
	all, _ := result.([][]session.Outcome)
	changes, held, refused := 0, 0, 0
	for _, item := range all {
		for i := range item {
			changes += len(item[i].Verdicts)
			if item[i].Refused != 0 {
				refused++
			}
			for _, v := range item[i].Verdicts {
				if v.Kind == syncproto.VerdictHeld {
					held++
				}
			}
		}
	}
	log.Info("batch", "items", len(all), "changes", changes, "held", held, "refused", refused)
}

func splitOutcomes(result any, items int) ([]any, error) {
	all, ok := result.([][]session.Outcome)
	if !ok || len(all) != items {
		return nil, errors.New("not the outcomes of a batch")
	}
	out := make([]any, items)
	for i := range all {
		out[i] = all[i]
	}
	return out, nil
}
