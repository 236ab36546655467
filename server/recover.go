package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/wire"
	"unionsync/server/archive"
	"unionsync/server/cluster"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// Recovering says how a centre whose majority is lost is recovered from one node.
type Recovering struct {
	Operator   string // who does it; default: the node
	Reason     string // stands in the entry of the new generation
	AcceptLoss bool   // what only the lost nodes had may be lost
}

// Recovered says what [Recover] has made.
type Recovered struct {
	Node       string   `json:"node"`
	Lost       []string `json:"lost"`       // nodes that are given up; they must be emptied before they run again
	Generation int      `json:"generation"` // that the centre begins
	Base       string   `json:"base"`       // last position kept
	Index      uint64   `json:"index"`      // of the raft log
}

// Recover makes the node of dir, which must not run, the only member of its centre, and
// begins another generation. It is for a centre that has lost its majority for good: with a
// leader anywhere, or a node that answers and has more, it refuses. The steps, in order:
//
//  1. Another log id is noted: from here on the old members are not spoken to. A crash
//     leaves a node without a majority; the recovery is made again.
//  2. What stands in the log is applied, the archive gets the entry of the new life, and the
//     entries are appended.
//  3. A snapshot with the new member list is written. Commit point: the node can lead.
//
// Agents never meet the recovered state without its new generation: it is part of step 3.
func Recover(ctx context.Context, opt Options, how Recovering) (*Recovered, error) {
	if how.Reason == "" || len(how.Reason) > syncproto.MaxNoteBytes {
		return nil, syncproto.Fail(syncproto.CodeInvalid, "recover", nil, "what", "reason")
	}
	own, err := trust.Open(opt.Dir, opt.World.Rand)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(opt.Dir, raftDir)); errors.Is(err, fs.ErrNotExist) {
		return nil, syncproto.Fail(syncproto.CodeNothingToRecover, "recover", nil)
	}
	l, err := ledger.Open(ledger.Config{
		Dir: filepath.Join(opt.Dir, ledgerDir), Key: own.City.StoreKey(opt.Config.ID), Log: opt.Log,
	})
	if err != nil {
		return nil, err
	}
	r := &recovery{opt: &opt, how: how, own: own, l: l}
	out, err := r.run(ctx)
	return out, errors.Join(err, l.Close())
}

type recovery struct {
	opt   *Options
	how   Recovering
	own   *trust.Node
	l     *ledger.Ledger
	logID []byte
	vault *archive.Writer       // nil: no archive is kept
	kept  []*entrypb.Generation // the lives that it knows
	out   Recovered
}

func (r *recovery) run(ctx context.Context) (*Recovered, error) {
	if err := r.mayRecover(ctx); err != nil {
		return nil, err
	}
	if !r.how.AcceptLoss {
		return nil, syncproto.Fail(syncproto.CodeRecoverLoss, "recover", nil)
	}
	if err := r.askArchive(ctx); err != nil {
		return nil, err
	}
	cfg, err := clusterConfig(r.opt, r.own)
	if err != nil {
		return nil, err
	}
	if r.logID, err = newLogID(r.opt.World.Rand); err != nil {
		return nil, err
	}
	if err := saveLogID(r.opt.Dir, r.logID); err != nil {
		return nil, err
	}
	cfg.LogID = r.logID
	r.out.Node = r.own.ID()
	got, err := cluster.Recover(cfg, machine{r.l}, func(was cluster.Recovered) ([][]byte, error) { return r.finish(ctx, was) })
	if err != nil {
		return nil, err
	}
	r.out.Index = got.Index
	return &r.out, nil
}

// mayRecover refuses while the centre still has a majority, or another node has more.
func (r *recovery) mayRecover(ctx context.Context) error {
	addresses, err := loadNodes(r.opt.Dir)
	if err != nil {
		return err
	}
	client := wire.NewClient(wire.ClientConfig{TLS: tlsid.ClientTLS(r.own.Own)})
	defer client.CloseIdleConnections()
	n := &Node{opt: *r.opt, client: client}
	for _, a := range addresses {
		st, err := n.statusAt(ctx, a)
		if err != nil || st.Node == r.own.ID() {
			continue
		}
		if st.Leader != "" {
			return syncproto.Fail(syncproto.CodeQuorumStands, "recover", nil, "leader", st.Leader)
		}
		if head, err := ParsePosition(st.Head); err == nil && head > r.l.Head() {
			return syncproto.Fail(syncproto.CodeRecoverBehind, "recover", nil, "node", st.Node)
		}
	}
	return nil
}

// askArchive opens the archive, if one is kept, and reads its list of lives, before anything is
// changed: without it a number might be given twice. Who has lost the archive too takes it out
// of server.yaml first.
func (r *recovery) askArchive(ctx context.Context) (err error) {
	if r.opt.Config.Backup == "" {
		return nil
	}
	if r.vault, err = writerFor(r.own, r.opt.Config, r.opt.env()); err != nil {
		return err
	}
	r.kept, err = r.vault.Lives(ctx)
	return err
}

// finish makes the first entries of the new life, when all that the log had is applied: the
// other nodes are gone, and a generation begins whose base is all that is here.
func (r *recovery) finish(ctx context.Context, was cluster.Recovered) ([][]byte, error) {
	if !r.l.Ready() {
		return nil, syncproto.Fail(syncproto.CodeNothingToRecover, "recover", nil)
	}
	now := max(r.opt.World.Now().Unix(), r.l.Time())
	gen, err := r.generation(ctx, now)
	if err != nil {
		return nil, err
	}
	entries := []proto.Message{gen}
	lost, err := r.lost(was.Members)
	if err != nil {
		return nil, err
	}
	for _, id := range lost {
		entries = append(entries, &entrypb.NodeLeft{Time: now, Id: id})
	}
	r.out.Lost = lost
	out := make([][]byte, len(entries))
	for i, e := range entries {
		if out[i], err = ledger.Entry(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// lost names the other nodes, whether raft or the list knew them.
func (r *recovery) lost(members []cluster.Server) ([]string, error) {
	nodes, err := r.l.Nodes()
	if err != nil {
		return nil, err
	}
	out := []string{}
	seen := map[string]bool{r.own.ID(): true}
	for _, n := range nodes {
		seen[n.GetId()] = true
		if n.GetId() != r.own.ID() {
			out = append(out, n.GetId())
		}
	}
	for _, m := range members {
		if !seen[m.ID] {
			out = append(out, m.ID)
		}
	}
	return out, nil
}

func (r *recovery) generation(ctx context.Context, now int64) (*entrypb.NewGeneration, error) {
	own, err := r.l.Lineage()
	if err != nil {
		return nil, err
	}
	all, n := own, &entrypb.NewGeneration{Time: now, LogId: r.logID}
	for _, e := range r.kept {
		var fresh bool
		if all, fresh = all.With(ledger.Generation(e)); fresh {
			n.Learned = append(n.Learned, e)
		}
	}
	newest := all.Newest().Number
	if newest == math.MaxUint16 {
		return nil, fmt.Errorf("recover: %w", errors.New("no number is left for a generation"))
	}
	random := make([]byte, 8)
	if _, err := io.ReadFull(r.opt.World.Rand, random); err != nil {
		return nil, fmt.Errorf("recover: %w", err)
	}
	gen := syncproto.Generation{Number: newest + 1, Random: binary.BigEndian.Uint64(random), Base: own.Certain(r.l.Head(), all),
		Operator: orElse(r.how.Operator, r.own.ID()), Reason: r.how.Reason}
	n.Next = &entrypb.Generation{Number: uint32(gen.Number), Random: gen.Random, Base: uint64(gen.Base), Operator: gen.Operator,
		Reason: gen.Reason, Signature: r.own.City.Sign(syncproto.DomainGeneration, gen.Message())}
	r.out.Generation, r.out.Base = int(gen.Number), gen.Base.String()
	if r.vault == nil {
		return n, nil
	}
	return n, r.vault.KeepLives(ctx, n.Next)
}
