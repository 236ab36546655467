package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// KindState is a kind as lists show it. Its JSON form is stable.
type KindState struct {
	Kind       string   `json:"kind"`
	Number     uint16   `json:"number"`
	Version    uint32   `json:"version"`
	Versions   []uint32 `json:"versions"` // all that are kept, ascending
	Zh         string   `json:"zh"`
	En         string   `json:"en"`
	AppendOnly bool     `json:"append_only"`
	Fields     int      `json:"fields"`
	Rules      int      `json:"rules"`
}

// ListKinds lists the kinds in force, or gives one version of a kind's file.
func (s *adminService) ListKinds(ctx context.Context, req *connect.Request[unionrpc.ListKindsRequest]) (*connect.Response[unionrpc.ListKindsResponse], error) {
	return ask(ctx, s.g, "list kinds", req, s.g.listKinds,
		func(ctx context.Context, url string, q *connect.Request[unionrpc.ListKindsRequest]) (*connect.Response[unionrpc.ListKindsResponse], error) {
			return s.g.adminAt(url).ListKinds(ctx, q)
		})
}

func (g *Gate) listKinds(_ context.Context, q *unionrpc.ListKindsRequest) (*unionrpc.ListKindsResponse, error) {
	const op = "list kinds"
	v := g.cfg.Ledger.Versions()
	if v == nil {
		return nil, syncproto.Fail(syncproto.CodeNotReady, op, nil, argSeconds, leaderSeconds)
	}
	r, states := new(unionrpc.ListKindsResponse), []KindState{}
	if q.GetKind() != "" {
		k, err := v.Newest().Find(q.GetKind())
		if err != nil {
			return nil, err
		}
		if n := q.GetVersion(); n != 0 {
			older, ok := v.At(k.Number, n)
			if !ok {
				return nil, syncproto.Fail(syncproto.CodeNoKindVersion, op, nil, "kind", k.Name, "version", fmt.Sprint(n))
			}
			k = older
		}
		f, err := g.cfg.Ledger.KindFile(k.Name, k.Version)
		if err != nil {
			return nil, err
		}
		r.Yaml, states = f.GetYaml(), append(states, kindState(v, k))
	} else {
		for _, k := range v.Newest().All() {
			states = append(states, kindState(v, k))
		}
	}
	var err error
	if r.Json, err = json.Marshal(states); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return r, nil
}

func kindState(v *kind.Versions, k *kind.Kind) KindState {
	s := KindState{Kind: k.Name, Number: uint16(k.Number), Version: k.Version, Zh: k.Label.Zh, En: k.Label.En,
		AppendOnly: k.AppendOnly, Fields: len(k.Fields), Rules: len(k.Rules)}
	for _, x := range v.Of(k.Number) {
		s.Versions = append(s.Versions, x.Version)
	}
	return s
}

func asCoded(err error, to **syncproto.Error) bool { return errors.As(err, to) }
