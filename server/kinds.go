package server

import (
	"context"
	"os"
	"path/filepath"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/server/gate"
	"unionsync/syncproto"
)

// PublishKinds brings new versions of kind files into force, or only looks.
func (a *Admin) PublishKinds(ctx context.Context, q *unionrpc.PublishKindsRequest) (*gate.Published, error) {
	r, err := each(ctx, a, "publish kinds", q, unionrpcconnect.AdminClient.PublishKinds)
	if err != nil {
		return nil, err
	}
	out := new(gate.Published)
	return out, decodeJSON("publish kinds", r.GetJson(), out)
}

// ListKinds lists the kinds in force; for one kind it gives the file of a version too.
func (a *Admin) ListKinds(ctx context.Context, q *unionrpc.ListKindsRequest) ([]gate.KindState, []byte, error) {
	r, err := each(ctx, a, "list kinds", q, unionrpcconnect.AdminClient.ListKinds)
	if err != nil {
		return nil, nil, err
	}
	var out []gate.KindState
	return out, r.GetYaml(), decodeJSON("list kinds", r.GetJson(), &out)
}

// ListFindings lists what rules found on records after a merge.
func (a *Admin) ListFindings(ctx context.Context, q *unionrpc.ListFindingsRequest) ([]gate.FindingState, error) {
	r, err := each(ctx, a, "list findings", q, unionrpcconnect.AdminClient.ListFindings)
	if err != nil {
		return nil, err
	}
	var out []gate.FindingState
	return out, decodeJSON("list findings", r.GetJson(), &out)
}

// ReadKindFiles reads the kind files named: of a folder all *.yaml at its top.
func ReadKindFiles(paths []string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, p := range paths {
		names := []string{p}
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			if names, err = filepath.Glob(filepath.Join(p, "*.yaml")); err != nil {
				return nil, syncproto.Fail(syncproto.CodeNoKindFiles, "read kind files", err, "file", p)
			}
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil || len(data) == 0 {
				return nil, syncproto.Fail(syncproto.CodeNoKindFiles, "read kind files", err, "file", name)
			}
			out[filepath.Base(name)] = data
		}
		if len(names) == 0 {
			return nil, syncproto.Fail(syncproto.CodeNoKindFiles, "read kind files", nil, "file", p)
		}
	}
	return out, nil
}
