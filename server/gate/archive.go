package gate

import (
	"context"
	"encoding/json"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
)

// Archive tells how the archive stands at the leader, which keeps it, and may ask for a
// backup.
func (s *adminService) Archive(ctx context.Context, req *connect.Request[unionrpc.ArchiveRequest]) (*connect.Response[unionrpc.ArchiveResponse], error) {
	g := s.g
	r, err := onLeader(ctx, g, call[unionrpc.ArchiveRequest, unionrpc.ArchiveResponse]{
		op: "archive", head: req.Header(), local: g.archive,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.ArchiveRequest]) (*connect.Response[unionrpc.ArchiveResponse], error) {
			return g.adminAt(url).Archive(ctx, q)
		},
	}, req.Msg)
	return answer(g, "archive", r, err)
}

func (g *Gate) archive(_ context.Context, q *unionrpc.ArchiveRequest) (*unionrpc.ArchiveResponse, error) {
	if g.cfg.Archive == nil {
		return nil, syncproto.Fail(syncproto.CodeArchiveNone, "archive", nil)
	}
	if q.GetBackup() {
		if err := g.cfg.Archive.BackUp(); err != nil {
			return nil, err
		}
	}
	b, err := json.Marshal(g.cfg.Archive.Status())
	return &unionrpc.ArchiveResponse{Json: b}, err
}
