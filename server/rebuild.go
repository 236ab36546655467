package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/wire"
	"unionsync/server/cluster"
	"unionsync/server/gate"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// Rebuild empties the state of the node of dir, which must not run, so that its next start
// gets it anew from the others: for a node whose state differs from the majority's, or whose
// disk is damaged. The order keeps the cluster safe: first the others take it out, which they
// refuse if too few of them work; only then is its log forgotten, with the votes it gave. Cut
// off at any step, it can be made again.
func Rebuild(ctx context.Context, opt Options) (*gate.Left, error) {
	if err := cluster.CheckUnused(filepath.Join(opt.Dir, raftDir)); err != nil {
		return nil, err
	}
	left, err := leaveAsDead(ctx, opt)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{raftDir, ledgerDir, ledgerDir + ".new", ledgerDir + ".ok"} {
		if err := os.RemoveAll(filepath.Join(opt.Dir, d)); err != nil {
			return nil, fmt.Errorf("rebuild: %w", err)
		}
	}
	return left, nil
}

// leaveAsDead asks the other nodes to take this one out.
func leaveAsDead(ctx context.Context, opt Options) (*gate.Left, error) {
	own, err := trust.Open(opt.Dir, rand.Reader)
	if err != nil {
		return nil, err
	}
	all, err := loadNodes(opt.Dir)
	if err != nil {
		return nil, err
	}
	a := &Admin{client: wire.NewClient(wire.ClientConfig{TLS: tlsid.ClientTLS(own.Own)}), addresses: all}
	defer a.Close()
	id := opt.Config.ID
	left, err := a.Leave(ctx, &unionrpc.LeaveRequest{Node: id, Dead: true})
	if syncproto.CodeOf(err) == syncproto.CodeNodeUnknown {
		return &gate.Left{Node: id, Members: []string{}}, nil // an earlier try got as far as this
	}
	return left, err
}
