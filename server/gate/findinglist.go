package gate

import (
	"context"
	"encoding/json"
	"fmt"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// FindingState is a finding as lists show it. Its JSON form is stable.
type FindingState struct {
	Union    string `json:"union"`
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Record   string `json:"record"`
	Rule     string `json:"rule"`
	Severity string `json:"severity"` // A or C
	State    string `json:"state"`    // open or closed
	Zh       string `json:"zh"`
	En       string `json:"en"`
	Source   string `json:"source"`
}

// ListFindings lists what rules found on records after a merge.
func (s *adminService) ListFindings(ctx context.Context, req *connect.Request[unionrpc.ListFindingsRequest]) (*connect.Response[unionrpc.ListFindingsResponse], error) {
	return ask(ctx, s.g, "list findings", req, s.g.listFindings,
		func(ctx context.Context, url string, q *connect.Request[unionrpc.ListFindingsRequest]) (*connect.Response[unionrpc.ListFindingsResponse], error) {
			return s.g.adminAt(url).ListFindings(ctx, q)
		})
}

// maxFindings bounds a list.
const maxFindings = 20_000

func (g *Gate) listFindings(ctx context.Context, q *unionrpc.ListFindingsRequest) (*unionrpc.ListFindingsResponse, error) {
	if err := g.Findings(ctx); err != nil {
		g.cfg.Logger.Warn("findings not committed", "error", err)
	}
	out, kinds := []FindingState{}, g.cfg.Ledger.Kinds()
	if kinds == nil {
		return nil, syncproto.Fail(syncproto.CodeNotReady, "list findings", nil, argSeconds, leaderSeconds)
	}
	if k, ok := kinds.Kind(kindFinding); ok {
		_, err := g.cfg.Ledger.AllRecords([]syncproto.KindNumber{k.Number}, func(union string, key syncproto.RecordKey, r *merge.Record) error {
			if q.GetUnion() != "" && union != q.GetUnion() || len(out) >= maxFindings {
				return nil
			}
			text := func(name string) string {
				f, ok := k.Field(name)
				if !ok {
					return ""
				}
				return r.Text(f.Number)
			}
			f := FindingState{Union: union, ID: key.ID.String(), Kind: text("kind"), Record: text("record"), Rule: text("rule"),
				Severity: text("severity"), State: text("state"), Zh: text("zh"), En: text("en"), Source: text("source")}
			if f.State == findingOpen || q.GetClosed() {
				out = append(out, f)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("list findings: %w", err)
	}
	return &unionrpc.ListFindingsResponse{Json: b}, nil
}
