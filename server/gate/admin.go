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
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/enrolcode"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// adminService is the service of operators and of the other nodes.
type adminService struct {
	unionrpcconnect.UnimplementedAdminHandler // calls that this version does not serve

	g *Gate
}

// Join lets a node in. With a proof of the cluster key it gets a certificate, from any node;
// with that certificate, once it serves, it is listed and gets its vote from the leader.
func (s *adminService) Join(ctx context.Context, req *connect.Request[unionrpc.JoinRequest]) (*connect.Response[unionrpc.JoinResponse], error) {
	g := s.g
	if len(req.Msg.GetProof()) > 0 {
		r, err := g.certify(req.Msg)
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
	}, nil
}

// list notes the addresses of a node that serves, and gives it a vote.
func (g *Gate) list(ctx context.Context, q *unionrpc.JoinRequest) (*unionrpc.JoinResponse, error) {
	if err := g.checkListing(q); err != nil {
		return nil, err
	}
	if err := g.cfg.Members.AddVoter(ctx, q.GetNode(), q.GetRaftAddress()); err != nil {
		return nil, err
	}
	if err := g.Register(ctx, q.GetNode(), q.GetRaftAddress(), q.GetApiAddress(), q.GetCertificate()); err != nil {
		return nil, err
	}
	addresses, err := g.addresses()
	return &unionrpc.JoinResponse{Addresses: addresses}, err
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

// Register notes a node's addresses and certificate, at the leader, if they are not those
// that are noted.
func (g *Gate) Register(ctx context.Context, id, raft, api string, cert []byte) error {
	n, err := g.cfg.Ledger.Node(id)
	if err != nil {
		return err
	}
	if n.GetRaftAddress() == raft && n.GetApiAddress() == api && bytes.Equal(n.GetCertificate(), cert) {
		return nil
	}
	_, err = g.propose(ctx, &entrypb.Node{Time: g.now(), Id: id, RaftAddress: raft, ApiAddress: api, Certificate: cert})
	if err != nil {
		return fmt.Errorf("register node: %w", err)
	}
	g.cfg.Logger.Info("node listed", "member", id, "api", api, "raft", raft)
	return nil
}

// Bounds of a code's life.
const (
	defaultValid = 7 * 24 * time.Hour
	maxValid     = 90 * 24 * time.Hour
)

// CreateCode makes a one-time code for a union of the tree.
func (s *adminService) CreateCode(ctx context.Context, req *connect.Request[unionrpc.CreateCodeRequest]) (*connect.Response[unionrpc.CreateCodeResponse], error) {
	g := s.g
	r, err := onLeader(ctx, g, call[unionrpc.CreateCodeRequest, unionrpc.CreateCodeResponse]{
		op: "create code", head: req.Header(), local: g.createCode,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.CreateCodeRequest]) (*connect.Response[unionrpc.CreateCodeResponse], error) {
			return g.adminAt(url).CreateCode(ctx, q)
		},
	}, req.Msg)
	return answer(g, "create code", r, err)
}

func (g *Gate) createCode(ctx context.Context, q *unionrpc.CreateCodeRequest) (*unionrpc.CreateCodeResponse, error) {
	const op = "create code"
	valid := time.Duration(q.GetValidSeconds()) * time.Second
	if valid == 0 {
		valid = defaultValid
	}
	if valid < time.Minute || valid > maxValid {
		return nil, syncproto.Fail(syncproto.CodeInvalid, op, nil, "what", "valid")
	}
	name, err := g.unionName(q.GetUnion())
	if err != nil {
		return nil, err
	}
	code, err := enrolcode.NewCode(g.cfg.Rand, g.cfg.Node.City.Fingerprint())
	if err != nil {
		return nil, err
	}
	now := g.now()
	hash, expires := code.Hash(g.cfg.Node.City.EnrolKey()), now+int64(valid/time.Second)
	if _, err := g.propose(ctx, &entrypb.Code{Time: now, Hash: hash[:], Union: q.GetUnion(), Expires: expires}); err != nil {
		return nil, err
	}
	g.cfg.Logger.Info("code created", "union", q.GetUnion(), "expires", expires)
	return &unionrpc.CreateCodeResponse{Code: code.String(), Expires: expires, UnionName: name}, nil
}
