package gate

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// Join lets a node in. With a proof of the cluster key it gets a certificate, from any node;
// with that certificate, once it serves, it is listed and gets its vote from the leader.
func (s *adminService) Join(ctx context.Context, req *connect.Request[unionrpc.JoinRequest]) (*connect.Response[unionrpc.JoinResponse], error) {
	g := s.g
	if len(req.Msg.GetProof()) > 0 {
		r, err := g.certify(req.Msg)
		if syncproto.CodeOf(err) == syncproto.CodeNodeExists && !forwarded(req.Header()) && !g.cfg.Log.Leads() {
			return s.certifyAtLeader(ctx, req.Msg)
		}
		return answer(g, "join", r, err)
	}
	c := callerOf(ctx)
	if !c.known || c.id.Role != tlsid.RoleNode {
		return answer[unionrpc.JoinResponse](g, "join", nil, syncproto.Fail(syncproto.CodeNoCertificate, "join", nil))
	}
	if !forwarded(req.Header()) && c.id.ID != req.Msg.GetNode() {
		return answer[unionrpc.JoinResponse](g, "join", nil, wrongRole("join", c.id.Role))
	}
	r, err := onLeader(ctx, g, call[unionrpc.JoinRequest, unionrpc.JoinResponse]{
		op: "join", head: req.Header(), local: g.list,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.JoinRequest]) (*connect.Response[unionrpc.JoinResponse], error) {
			return g.adminAt(url).Join(ctx, q)
		},
	}, req.Msg)
	return answer(g, "join", r, err)
}

// certifyAtLeader asks the leader: it knows first of a node that left and whose name is free
// again.
func (s *adminService) certifyAtLeader(ctx context.Context, q *unionrpc.JoinRequest) (*connect.Response[unionrpc.JoinResponse], error) {
	g := s.g
	url, err := g.leaderAddress()
	if err != nil {
		return answer[unionrpc.JoinResponse](g, "join", nil, err)
	}
	passed := connect.NewRequest(q)
	passed.Header().Set(headerHop, "1")
	return g.adminAt(url).Join(ctx, passed)
}

// certify signs the key of a node that knows the cluster key.
func (g *Gate) certify(q *unionrpc.JoinRequest) (*unionrpc.JoinResponse, error) {
	const op = "certify node"
	if err := g.cfg.Node.Key.CheckJoin(q.GetPublicKey(), q.GetProof()); err != nil {
		return nil, err
	}
	if err := tlsid.CheckID(tlsid.RoleNode, q.GetNode()); err != nil || len(q.GetPublicKey()) != ed25519.PublicKeySize {
		return nil, syncproto.Fail(syncproto.CodeInvalid, op, err, "what", "node")
	}
	if n, err := g.cfg.Ledger.Node(q.GetNode()); err != nil || n != nil {
		if err == nil {
			err = syncproto.Fail(syncproto.CodeNodeExists, op, nil, "node", q.GetNode())
		}
		return nil, err
	}
	if err := g.checkLevel(q); err != nil {
		return nil, err
	}
	cert, err := g.cfg.Node.City.SignNode(q.GetPublicKey(), q.GetNode(), q.GetHosts(), g.cfg.Now())
	if err != nil {
		return nil, err
	}
	addresses, err := g.addresses()
	if err != nil {
		return nil, err
	}
	g.cfg.Logger.Info("node certified", "member", q.GetNode())
	return &unionrpc.JoinResponse{
		Certificate: cert.Raw, Ca: g.cfg.Node.Own.CA.Raw, SealedKeys: g.cfg.Node.City.Sealed(), Addresses: addresses,
		LogId: g.cfg.LogID,
	}, nil
}

// list takes in a node that serves: first it only gets the log, and once it has nearly all
// of it, which it tells when it asks again, a vote and its place in the list. So a majority
// never waits for a node that is still empty.
func (g *Gate) list(ctx context.Context, q *unionrpc.JoinRequest) (*unionrpc.JoinResponse, error) {
	if err := g.checkListing(q); err != nil {
		return nil, err
	}
	if err := g.checkLevel(q); err != nil {
		return nil, err
	}
	d := g.cfg.Members.Describe()
	m := d.member(q.GetNode())
	if g.cfg.Cluster != nil && (m == nil || !m.Voter && m.Raft != q.GetRaftAddress()) {
		return &unionrpc.JoinResponse{}, g.cfg.Cluster.AddNonvoter(ctx, q.GetNode(), q.GetRaftAddress())
	}
	if m != nil && !m.Voter && q.GetApplied()+nearlyAll < g.cfg.Ledger.Applied() {
		return &unionrpc.JoinResponse{}, nil
	}
	if err := g.cfg.Members.AddVoter(ctx, q.GetNode(), q.GetRaftAddress()); err != nil {
		return nil, err
	}
	if err := g.Register(ctx, nodeOf(q)); err != nil {
		return nil, err
	}
	addresses, err := g.addresses()
	return &unionrpc.JoinResponse{Addresses: addresses}, err
}

// checkLevel refuses a node whose program is too old for the state.
func (g *Gate) checkLevel(q *unionrpc.JoinRequest) error {
	level, knows := g.cfg.Ledger.Level(), max(q.GetLevel(), 1)
	if knows >= level {
		return nil
	}
	return syncproto.Fail(syncproto.CodeLevelUnknown, "join", nil, "level", fmt.Sprint(level), "knows", fmt.Sprint(knows))
}

// nearlyAll is by how many entries a node may be behind that gets its vote: what a busy
// centre commits in a few seconds.
const nearlyAll = 256

func nodeOf(q *unionrpc.JoinRequest) *entrypb.Node {
	return &entrypb.Node{
		Id: q.GetNode(), RaftAddress: q.GetRaftAddress(), ApiAddress: q.GetApiAddress(), Certificate: q.GetCertificate(),
		Version: clip(q.GetVersion(), maxVersion), Level: q.GetLevel(),
	}
}

// ListSelf notes the leader's own addresses, for raft too.
func (g *Gate) ListSelf(ctx context.Context, raft, api string) error {
	if err := g.cfg.Members.AddVoter(ctx, g.cfg.Node.ID(), raft); err != nil {
		return err
	}
	return g.Register(ctx, &entrypb.Node{
		Id: g.cfg.Node.ID(), RaftAddress: raft, ApiAddress: api, Certificate: g.cfg.Node.Live().Cert.Raw, Version: clip(g.cfg.Version, maxVersion),
		Level: ledger.KnownLevel(),
	})
}

// checkListing checks what a node says of itself, before the others dial it.
func (g *Gate) checkListing(q *unionrpc.JoinRequest) error {
	const op = "list node"
	cert, err := x509.ParseCertificate(q.GetCertificate())
	if err != nil {
		return syncproto.Fail(syncproto.CodeCertificate, op, err)
	}
	id, err := tlsid.Verify(cert, g.cfg.Node.Own.CA, tlsid.RoleNode)
	if err != nil {
		return err
	}
	if id.ID != q.GetNode() {
		return syncproto.Fail(syncproto.CodeInvalid, op, nil, "what", "node")
	}
	u, err := url.Parse(q.GetApiAddress())
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return syncproto.Fail(syncproto.CodeInvalid, op, err, "what", "api_address")
	}
	if q.GetRaftAddress() == "" {
		return syncproto.Fail(syncproto.CodeInvalid, op, nil, "what", "raft_address")
	}
	if a, err := netip.ParseAddrPort(q.GetRaftAddress()); err == nil && a.Addr().IsUnspecified() {
		return syncproto.Fail(syncproto.CodeInvalid, op, errors.New("no other node reaches it"), "what", "raft_address")
	}
	return nil
}

// Register notes a node's addresses, certificate and program, at the leader, if they are not
// those that are noted.
func (g *Gate) Register(ctx context.Context, n *entrypb.Node) error {
	was, err := g.cfg.Ledger.Node(n.GetId())
	if err != nil {
		return err
	}
	if SameNode(was, n) {
		return nil
	}
	n.Time = g.now()
	if _, err = g.propose(ctx, n); err != nil {
		return fmt.Errorf("register node: %w", err)
	}
	g.cfg.Logger.Info("node listed", "member", n.GetId(), "api", n.GetApiAddress(), "raft", n.GetRaftAddress())
	return nil
}

// SameNode reports whether a node is noted as it says that it is.
func SameNode(noted, is *entrypb.Node) bool {
	return noted != nil && noted.GetRaftAddress() == is.GetRaftAddress() && noted.GetApiAddress() == is.GetApiAddress() &&
		bytes.Equal(noted.GetCertificate(), is.GetCertificate()) && noted.GetVersion() == is.GetVersion() &&
		ledger.NodeLevel(noted) == ledger.NodeLevel(is)
}
