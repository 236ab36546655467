package gate

import (
	"context"
	"encoding/json"
	"fmt"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/ledger"
	"unionsync/syncproto"
)

// Generation is one life of the centre as operators see it.
type Generation struct {
	Number   uint16 `json:"number"`
	Random   string `json:"random"` // 16 hexadecimal digits
	Base     string `json:"base"`   // last position kept from before
	Operator string `json:"operator"`
	Reason   string `json:"reason"`
	Own      bool   `json:"own"` // the life in which the centre is now
}

// BeginGeneration begins another life of the centre. Its base is all that it has now, unless
// the request says that less is certain.
func (s *adminService) BeginGeneration(ctx context.Context, req *connect.Request[unionrpc.BeginGenerationRequest]) (*connect.Response[unionrpc.BeginGenerationResponse], error) {
	g := s.g
	r, err := onLeader(ctx, g, call[unionrpc.BeginGenerationRequest, unionrpc.BeginGenerationResponse]{
		op: "begin generation", head: req.Header(), local: g.beginGeneration,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.BeginGenerationRequest]) (*connect.Response[unionrpc.BeginGenerationResponse], error) {
			return g.adminAt(url).BeginGeneration(ctx, q)
		},
	}, req.Msg)
	return answer(g, "begin generation", r, err)
}

func (g *Gate) beginGeneration(ctx context.Context, q *unionrpc.BeginGenerationRequest) (*unionrpc.BeginGenerationResponse, error) {
	const op = "begin generation"
	if q.GetReason() == "" || len(q.GetReason()) > syncproto.MaxNoteBytes {
		return nil, syncproto.Fail(syncproto.CodeInvalid, op, nil, "what", "reason")
	}
	operator := q.GetOperator()
	if operator == "" {
		operator = g.cfg.Node.ID()
	}
	if len(operator) > syncproto.MaxActorBytes {
		return nil, syncproto.Fail(syncproto.CodeInvalid, op, nil, "what", "operator")
	}
	base, err := g.chosenBase(q)
	if err != nil {
		return nil, err
	}
	err = g.begin(ctx, syncproto.Generation{Base: base, Operator: operator, Reason: q.GetReason()}, nil)
	if err != nil {
		return nil, err
	}
	all, err := g.generations()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(all[len(all)-1])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return &unionrpc.BeginGenerationResponse{Json: b}, nil
}

// chosenBase is the base that an operator chose, or the head. A centre that was rolled back
// without anybody saying so has given positions a second time: they are above a base that is
// below what it was rolled back to, 0 at the worst. One that this state never had, or that an
// earlier restore took back, is refused.
func (g *Gate) chosenBase(q *unionrpc.BeginGenerationRequest) (syncproto.Position, error) {
	head := g.cfg.Ledger.Head()
	if q.Base == nil {
		return head, nil
	}
	lives, err := g.cfg.Ledger.Lineage()
	base := syncproto.Position(q.GetBase())
	if err == nil && base != 0 && (base > head || !lives.Holds(base)) {
		err = syncproto.Fail(syncproto.CodeGenerationBase, "begin generation", nil, "base", base.String(), "head", head.String())
	}
	return base, err
}

// ListGenerations lists the lives of the centre that this node knows.
func (s *adminService) ListGenerations(context.Context, *connect.Request[unionrpc.ListGenerationsRequest]) (*connect.Response[unionrpc.ListGenerationsResponse], error) {
	const op = "list generations"
	all, err := s.g.generations()
	if err != nil {
		return answer[unionrpc.ListGenerationsResponse](s.g, op, nil, err)
	}
	b, err := json.Marshal(all)
	return answer(s.g, op, &unionrpc.ListGenerationsResponse{Json: b}, err)
}

// generations gives the lives known, the newest last.
func (g *Gate) generations() ([]Generation, error) {
	lives, err := g.cfg.Ledger.Lineage()
	if err != nil {
		return nil, err
	}
	own, err := g.cfg.Ledger.Generation()
	if err != nil {
		return nil, err
	}
	mine := ledger.Generation(own)
	out := make([]Generation, len(lives))
	for i, l := range lives {
		out[i] = Generation{
			Number: l.Number, Random: fmt.Sprintf("%016x", l.Random), Base: l.Base.String(),
			Operator: l.Operator, Reason: l.Reason, Own: l.Number == mine.Number && l.Random == mine.Random,
		}
	}
	return out, nil
}
