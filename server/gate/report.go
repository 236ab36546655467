package gate

import (
	"context"
	"net/http"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// Report takes a node's digest of its state, from that node.
func (s *adminService) Report(ctx context.Context, req *connect.Request[unionrpc.ReportRequest]) (*connect.Response[unionrpc.ReportResponse], error) {
	const op = "report digest"
	if c := callerOf(ctx); c.id.Role != tlsid.RoleNode || c.id.ID != req.Msg.GetNode() {
		return answer[unionrpc.ReportResponse](s.g, op, nil, syncproto.Fail(syncproto.CodeInvalid, op, nil, "what", argNode))
	}
	if !s.g.cfg.Log.Leads() {
		return answer[unionrpc.ReportResponse](s.g, op, nil, syncproto.Fail(syncproto.CodeNotLeader, op, nil, "leader", "?"))
	}
	r, err := s.g.takeReport(ctx, req.Msg)
	return answer(s.g, op, r, err)
}

// Report brings this node's own digest to the leader, wherever that is. Index 0 says that the
// node has started: its whole state is compared then.
func (g *Gate) Report(ctx context.Context, node string, index uint64, sum, next []byte) error {
	_, err := onLeader(ctx, g, call[unionrpc.ReportRequest, unionrpc.ReportResponse]{
		op: "report digest", head: http.Header{}, local: g.takeReport,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.ReportRequest]) (*connect.Response[unionrpc.ReportResponse], error) {
			return g.adminAt(url).Report(ctx, q)
		},
	}, &unionrpc.ReportRequest{Node: node, Index: index, Sum: sum, Next: next})
	return err
}

func (g *Gate) takeReport(ctx context.Context, q *unionrpc.ReportRequest) (*unionrpc.ReportResponse, error) {
	if q.GetIndex() == 0 {
		if g.cfg.Started != nil {
			g.cfg.Started(q.GetNode())
		}
		return &unionrpc.ReportResponse{}, nil
	}
	_, err := g.propose(ctx, &entrypb.Digest{
		Time: g.now(), Node: q.GetNode(), Index: q.GetIndex(), Sum: q.GetSum(), Next: q.GetNext(),
	})
	return &unionrpc.ReportResponse{}, err
}
