package gate

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/seal"
	"unionsync/server/ledger"
	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/syncpb"
)

// Published says what became of files that were to be published, as JSON. With a problem
// nothing was published.
type Published struct {
	DryRun   bool          `json:"dry_run"`
	Kinds    []KindChange  `json:"kinds"`
	Problems []KindProblem `json:"problems"`
}

// KindChange is one file that is or would be published.
type KindChange struct {
	Kind    string `json:"kind"`
	Version uint32 `json:"version"`
	Was     uint32 `json:"was"` // the version in force before; 0: a new kind
	Changed bool   `json:"changed"`
}

// KindProblem is one thing that keeps files from being published.
type KindProblem struct {
	Kind string            `json:"kind"` // or the file's name, where it cannot be read
	Code syncproto.Code    `json:"code"`
	Args map[string]string `json:"args"`
}

// PublishKinds brings new versions of kind files into force, all that are given or none.
func (s *adminService) PublishKinds(ctx context.Context, req *connect.Request[unionrpc.PublishKindsRequest]) (*connect.Response[unionrpc.PublishKindsResponse], error) {
	g := s.g
	r, err := onLeader(ctx, g, call[unionrpc.PublishKindsRequest, unionrpc.PublishKindsResponse]{
		op: "publish kinds", head: req.Header(), local: g.publishKinds,
		remote: func(ctx context.Context, url string, q *connect.Request[unionrpc.PublishKindsRequest]) (*connect.Response[unionrpc.PublishKindsResponse], error) {
			return g.adminAt(url).PublishKinds(ctx, q)
		},
	}, req.Msg)
	return answer(g, "publish kinds", r, err)
}

func (g *Gate) publishKinds(ctx context.Context, q *unionrpc.PublishKindsRequest) (*unionrpc.PublishKindsResponse, error) {
	const op = "publish kinds"
	size := 0
	for _, data := range q.GetFiles() {
		size += len(data)
	}
	if size == 0 || size > syncproto.MaxEntryBytes/2 {
		return nil, syncproto.Fail(syncproto.CodeInvalid, op, fmt.Errorf("%d bytes", size), "what", "files")
	}
	v := g.cfg.Ledger.Versions()
	if v == nil {
		return nil, syncproto.Fail(syncproto.CodeNotReady, op, nil, argSeconds, leaderSeconds)
	}
	out := Published{DryRun: q.GetDryRun(), Kinds: []KindChange{}, Problems: []KindProblem{}}
	var files []kind.File
	for _, name := range slices.Sorted(maps.Keys(q.GetFiles())) {
		f, err := kind.ReadFile(path.Base(name), q.GetFiles()[name])
		if err != nil {
			out.problem(name, err)
			continue
		}
		files = append(files, f)
	}
	_, fresh, breaches := v.Publish(files)
	for _, b := range breaches {
		out.problem(b.Kind, b.Err())
	}
	for _, f := range files {
		was, _ := v.Newest().Kind(f.Kind)
		c := KindChange{Kind: f.Kind, Version: f.Version, Changed: slices.ContainsFunc(fresh, func(x kind.File) bool { return x.Kind == f.Kind })}
		if was != nil {
			c.Was = was.Version
		}
		out.Kinds = append(out.Kinds, c)
	}
	if !q.GetDryRun() && len(out.Problems) == 0 && len(fresh) > 0 {
		if err := g.publish(ctx, clip(q.GetOperator(), syncproto.MaxActorBytes), g.sign(fresh)); err != nil {
			return nil, err
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return &unionrpc.PublishKindsResponse{Json: b}, nil
}

func (p *Published) problem(kind string, err error) {
	x := KindProblem{Kind: kind, Code: syncproto.CodeOf(err), Args: map[string]string{}}
	if e := new(syncproto.Error); asCoded(err, &e) {
		x.Args = e.Args
	}
	p.Problems = append(p.Problems, x)
}

// sign signs files with the CA's key: agents take no others.
func (g *Gate) sign(files []kind.File) []*entrypb.KindFile {
	out := make([]*entrypb.KindFile, 0, len(files))
	for _, f := range files {
		out = append(out, &entrypb.KindFile{
			Name: f.Name, Yaml: f.Data, Version: f.Version,
			Signature: g.cfg.Node.City.Sign(syncproto.DomainKindFile, syncproto.KindFileMessage(f.Name, f.Version, f.Data)),
		})
	}
	return out
}

// publish commits signed files. That they may follow what is in force is checked again when
// the entry is applied.
func (g *Gate) publish(ctx context.Context, operator string, files []*entrypb.KindFile) error {
	res, err := g.propose(ctx, &entrypb.Publish{Time: g.now(), Operator: operator, Kinds: files})
	if err != nil {
		return err
	}
	p, ok := res.(ledger.PublishResult)
	if !ok {
		return syncproto.Fail(syncproto.CodeUnknownOutcome, "publish kinds", nil)
	}
	g.cfg.Logger.Info("kinds published", "kinds", p.Published, "operator", operator)
	return nil
}

// maxKindBytes is how many bytes of kind files one answer carries, but at least one file; the
// rest goes with the next.
const maxKindBytes = 64 << 10

// fillKinds tells an agent which kinds are in force when its hash differs from theirs, and
// gives the files newer than those that it then says to have. An agent whose program brought
// newer ones is told once and asks no more: it names the hash that it was told.
func (g *Gate) fillKinds(q *syncpb.Request, r *syncpb.Response) error {
	set := g.cfg.Ledger.Kinds()
	if set.Fingerprint() == q.GetClient().GetKinds() {
		return nil
	}
	r.KindsInForce = set.Pairs()
	if len(q.GetClient().GetHaveKinds()) == 0 {
		return nil
	}
	have, contents, size := kind.PairMap(q.GetClient().GetHaveKinds()), contentsOf(q.GetClient()), 0
	for _, k := range set.All() {
		if k.Version < have[k.Number] {
			continue
		}
		f, err := g.cfg.Ledger.KindFile(k.Name, k.Version)
		if err != nil {
			return err
		}
		if k.Version == have[k.Number] {
			if other, told := contents[k.Number]; !told || other == kind.ContentOf(f.GetYaml()) {
				continue
			}
			g.cfg.Logger.Warn("a PC had another kind file of this version: it gets the one in force", "kind", k.Name, "version", k.Version, "union", q.GetUnion())
		}
		if size += len(f.GetYaml()); size > maxKindBytes && len(r.Kinds) > 0 {
			return nil
		}
		r.Kinds = append(r.Kinds, &syncpb.KindFile{Name: f.GetName(), Version: f.GetVersion(), Yaml: f.GetYaml(), Signature: f.GetSignature()})
	}
	return nil
}

// contentsOf gives what an agent says of the bytes of its kind files, by number.
func contentsOf(c *syncpb.Client) map[syncproto.KindNumber]uint32 {
	pairs, contents := c.GetHaveKinds(), c.GetHaveContents()
	out := map[syncproto.KindNumber]uint32{}
	for i := 0; i+1 < len(pairs) && i/2 < len(contents); i += 2 {
		out[syncproto.KindNumber(pairs[i])] = contents[i/2]
	}
	return out
}

// takeKinds brings kind files into force again that the city signed and that an agent hands
// back after a restore. One that does not verify, or may not follow what is in force, is
// noted and changes nothing; the exchange goes on in any case.
func (g *Gate) takeKinds(ctx context.Context, q *syncpb.Request) {
	v := g.cfg.Ledger.Versions()
	for _, back := range q.GetReturned() {
		f := back.GetKind()
		if f == nil {
			continue
		}
		if err := verifyKind(g.cfg.Node.Own.CA.PublicKey, f); err != nil {
			g.cfg.Logger.Warn("returned kind file not taken", "kind", f.GetName(), "error", err)
			continue
		}
		file, err := kind.ReadFile(f.GetName(), f.GetYaml())
		if err == nil && file.Version != f.GetVersion() {
			err = syncproto.Fail(syncproto.CodeKindSignature, "take kind file", nil)
		}
		if err != nil {
			g.cfg.Logger.Warn("returned kind file not taken", "kind", f.GetName(), "error", err)
			continue
		}
		_, fresh, breaches := v.Publish([]kind.File{file})
		if len(breaches) > 0 && breaches[0].Code != syncproto.CodeKindOlder {
			g.cfg.Logger.Warn("returned kind file may not follow the one in force: publish a version above both",
				"kind", file.Kind, "version", file.Version, "code", breaches[0].Code)
		}
		if len(fresh) == 0 || len(breaches) > 0 {
			continue // it is here already, or something newer is
		}
		err = g.publish(ctx, "returned", []*entrypb.KindFile{{Name: f.GetName(), Version: f.GetVersion(), Yaml: f.GetYaml(), Signature: f.GetSignature()}})
		if err != nil {
			g.cfg.Logger.Warn("returned kind file not taken", "kind", f.GetName(), "error", err)
		}
		v = g.cfg.Ledger.Versions()
	}
}

func verifyKind(ca any, f *syncpb.KindFile) error {
	pub, ok := ca.(ed25519.PublicKey)
	if !ok {
		return syncproto.Fail(syncproto.CodeKindSignature, "verify kind file", fmt.Errorf("a CA key of type %T", ca))
	}
	if err := seal.Verify(pub, syncproto.DomainKindFile, syncproto.KindFileMessage(f.GetName(), f.GetVersion(), f.GetYaml()), f.GetSignature()); err != nil {
		return syncproto.Fail(syncproto.CodeKindSignature, "verify kind file", err)
	}
	return nil
}
