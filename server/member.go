package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/server/census"
	"unionsync/server/gate"
	"unionsync/server/health"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// Pauses of what is tried again.
const (
	joinPause    = 300 * time.Millisecond
	votePatience = 4 * time.Second // of one node that is asked for a vote
	censusPause  = time.Second
)

// runMembership makes this node a member that the others can reach, tells once that it is
// ready, and then keeps the list of the centre's addresses.
func (n *Node) runMembership(ctx context.Context) error {
	if err := n.bootstrap(); err != nil {
		return err
	}
	for !n.isMember() {
		wait, cancel := context.WithTimeout(ctx, joinPause)
		err := waitUntil(wait, n.ledger, n.isMember)
		cancel()
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := n.askForVote(ctx); err != nil && ctx.Err() == nil {
			n.opt.Log.Debug("not a member yet", "error", err)
		}
	}
	n.joined.Store(true)
	if err := n.founded(); err != nil {
		return err
	}
	if err := n.keepNodes(); err != nil {
		return err
	}
	n.opt.Log.Info("ready", "api", n.url, "raft", n.cluster.Address(), "head", n.ledger.Head().String())
	if n.opt.Ready != nil {
		n.opt.Ready(Ready{Node: n.opt.Config.ID, API: n.url, Raft: n.cluster.Address(), Health: n.healthAddress()})
	}
	n.notify(health.Started)
	return n.followNodes(ctx)
}

// isMember reports whether the state is here and names this node as it is.
func (n *Node) isMember() bool {
	if !n.ledger.Ready() {
		return false
	}
	known, err := n.ledger.Node(n.opt.Config.ID)
	if err != nil || !gate.SameNode(known, n.self()) {
		return false
	}
	for _, s := range n.cluster.Servers() {
		if s.ID == n.opt.Config.ID {
			return s.Voter && s.Address == n.cluster.Address()
		}
	}
	return false
}

// self is how this node should be listed.
func (n *Node) self() *entrypb.Node {
	return &entrypb.Node{
		Id: n.opt.Config.ID, RaftAddress: n.cluster.Address(), ApiAddress: n.url, Certificate: n.trust.Live().Cert.Raw, Version: n.opt.Version,
		Level: ledger.KnownLevel(),
	}
}

// askForVote asks the nodes known, one after the other, to list this one. A node that leads
// lists itself.
func (n *Node) askForVote(ctx context.Context) error {
	addresses, err := loadNodes(n.opt.Dir)
	if err != nil {
		return err
	}
	q := &unionrpc.JoinRequest{
		Node: n.opt.Config.ID, RaftAddress: n.cluster.Address(), ApiAddress: n.url, Certificate: n.trust.Live().Cert.Raw,
		Applied: n.ledger.Applied(), Version: n.opt.Version, Level: ledger.KnownLevel(),
	}
	errs := []error{errors.New("no other node is known")}
	for _, a := range addresses {
		if a == n.url {
			continue
		}
		err := n.askAt(ctx, a, q)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", a, err))
	}
	return errors.Join(errs...)
}

// askAt asks one node, for a bounded time: it may pass the question on to a leader that is
// gone, or is this node itself under an address that it no longer has.
func (n *Node) askAt(ctx context.Context, address string, q *unionrpc.JoinRequest) error {
	ctx, cancel := context.WithTimeout(ctx, votePatience)
	defer cancel()
	_, err := unionrpcconnect.NewAdminClient(n.client, address, wire.ClientOptions(syncproto.MaxRequestBytes)).
		Join(ctx, connect.NewRequest(q))
	if err != nil {
		return wire.Decode("ask for vote", err)
	}
	return nil
}

// keepNodes notes the addresses of all nodes, the own one first.
func (n *Node) keepNodes() error {
	nodes, err := n.ledger.Nodes()
	if err != nil {
		return err
	}
	out := []string{n.url}
	for _, x := range nodes {
		out = append(out, x.GetApiAddress())
	}
	return saveNodes(n.opt.Dir, out)
}

// followNodes keeps the list when the state moves, at most once a second.
func (n *Node) followNodes(ctx context.Context) error {
	for {
		moved := n.ledger.Moved()
		if err := n.keepNodes(); err != nil {
			return err
		}
		for _, wait := range []<-chan struct{}{moved, after(ctx, time.Second)} {
			select {
			case <-wait:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

func after(ctx context.Context, d time.Duration) <-chan struct{} {
	c, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(c, cancel)
	return c.Done()
}

// runCensus makes the census once the kinds are known, and keeps it following the log.
func (n *Node) runCensus(ctx context.Context) error {
	if err := waitUntil(ctx, n.ledger, n.ledger.Ready); err != nil {
		return err
	}
	c, err := census.New(census.Config{
		Source: source{n.ledger}, Kinds: n.ledger.Kinds(), Key: slices.Clone(n.trust.City.PersonKey()[:]), Log: n.opt.Log,
	})
	if err != nil {
		return err
	}
	n.census.Store(c)
	for {
		err := c.Run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n.opt.Log.Error("census begins again", "error", err)
		select {
		case <-time.After(censusPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
