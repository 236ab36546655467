package gate

import (
	"context"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/enrolcode"
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
