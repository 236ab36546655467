package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/proto"

	"unionsync/agent/union"
	"unionsync/internal/bundlefile"
	"unionsync/internal/seal"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
	"unionsync/syncproto/syncpb"
)

// Exported is a bundle that stands on the stick: written, read back, safe to remove.
type Exported struct {
	union.Asked
	Union string
	Path  string
	Bytes int
}

// ExportBundle writes what the centre is not known to have of a union to a stick, and asks
// for what is new there. to is a folder, or the name of a file that does not exist. Nothing
// is taken out of this PC: the next sync or bundle carries the same again until a receipt has
// come.
func (a *Agent) ExportBundle(code, to string) (e Exported, err error) {
	d, c, err := a.identity()
	if err != nil {
		return e, err
	}
	if c.Bundles == "" {
		return e, syncproto.Fail(syncproto.CodeBundleRecipient, "export bundle", nil)
	}
	u, err := a.Union(code)
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, u.Close()) }()
	return a.exportOne(u, to, d, c)
}

// exportOne makes a bundle and writes it. One that is not written to the end is forgotten.
func (a *Agent) exportOne(u *union.Union, to string, d device, c centre) (e Exported, err error) {
	id, err := a.bundleID()
	if err != nil {
		return e, err
	}
	asked, requests, err := u.AskBundle(id, a.party(d, c))
	if err != nil {
		return e, err
	}
	e = Exported{Asked: asked, Union: u.Code()}
	if e.Path, e.Bytes, err = a.writeBundle(u, asked, requests, to, d, c); err != nil {
		return e, errors.Join(err, u.ForgetBundle(id))
	}
	if err := u.BundleWritten(asked); err != nil {
		return e, err
	}
	a.c.Log.Info("bundle exported", "union", u.Code(), "bundle", id.String(), "requests", asked.Requests, "last", asked.Last.Seq, "bytes", e.Bytes)
	return e, nil
}

func (a *Agent) bundleID() (id bundle.ID, err error) {
	for id == (bundle.ID{}) { // zero stands for none
		if _, err := io.ReadFull(a.c.Rand, id[:]); err != nil {
			return id, fmt.Errorf("draw id of bundle: %w", err)
		}
	}
	return id, nil
}

func (a *Agent) party(d device, c centre) union.Party {
	return union.Party{CA: c.ca, Device: d.id[:], Sign: d.sign, Client: a.client(c), Kinds: a.keeper()}
}

func (a *Agent) writeBundle(u *union.Union, asked union.Asked, requests []*syncpb.Request, to string, d device, c centre) (string, int, error) {
	reply, err := seal.Recipient(d.bundleKey())
	if err != nil {
		return "", 0, err
	}
	g := requests[0].GetGeneration()
	b := &bundle.Bundle{
		Kind: bundle.KindRequest, ID: asked.ID, City: bundlefile.CityOf(c.ca), Union: u.Code(), Device: d.id,
		Generation: syncproto.Generation{Number: uint16(g.GetNumber()), Random: g.GetRandom()},
		MadeAt:     asked.MadeAt, ReplyTo: reply, Certificate: c.Certificate,
	}
	for _, q := range requests {
		m, err := proto.MarshalOptions{Deterministic: true}.Marshal(q)
		if err != nil {
			return "", 0, fmt.Errorf("write bundle: %w", err)
		}
		b.Messages = append(b.Messages, m)
	}
	file, err := bundlefile.Make(b, c.Bundles, d.signBundle)
	if err != nil {
		return "", 0, err
	}
	h, _, err := bundle.DecodeFile(file)
	if err != nil {
		return "", 0, err
	}
	path := bundlefile.Place(to, h.Name())
	_, err = bundlefile.Write(path, file)
	return path, len(file), err
}

// Taken is what came of one file that was to be imported.
type Taken struct {
	File   string
	Head   bundle.Head
	Union  string
	Result union.Result
	Other  bool  // not for this PC, met in a folder: left for whom it is for
	Err    error // why nothing of it was used
}

// ImportBundles works answer bundles in: files, or folders of them, in any order, also such as
// were taken before. One that is refused does not keep the others back.
func (a *Agent) ImportBundles(ctx context.Context, paths []string, progress func(done, total int)) ([]Taken, error) {
	d, c, err := a.identity()
	if err != nil {
		return nil, err
	}
	var files, folders []string
	for _, p := range paths {
		found, err := bundlefile.Find(p)
		if err != nil {
			return nil, err
		}
		if len(found) != 1 || found[0] != p {
			folders = append(folders, found...)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, syncproto.Fail(syncproto.CodeBundleNone, "import bundles", nil, "dir", join(paths))
	}
	var out []Taken
	for i, f := range files {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		t := a.importOne(ctx, f, d, &c)
		if syncproto.CodeOf(t.Err) == syncproto.CodeBundleAddressee && slices.Contains(folders, f) {
			t.Other, t.Err = true, nil
		}
		out = append(out, t)
		progress(i+1, len(files))
	}
	return out, nil
}

// importOne works one file in. What the centre said of itself is kept, as after a sync.
func (a *Agent) importOne(ctx context.Context, path string, d device, c *centre) (t Taken) {
	t.File = filepath.Base(path)
	file, err := bundlefile.Read(path)
	if err != nil {
		t.Err = err
		return t
	}
	if h, _, err := bundle.DecodeFile(file); err == nil {
		t.Head = h
	}
	o := bundlefile.Opener{CA: c.ca, Key: d.bundleKey(), Kind: bundle.KindAnswer, Device: d.id}
	b, _, err := o.Open(file)
	if err != nil {
		t.Err = err
		return t
	}
	t.Union = b.Union
	answers, err := answersOf(b)
	if err != nil {
		t.Err = err
		return t
	}
	if t.Result, t.Err = a.takeAnswers(ctx, b.Union, answers, d, *c); t.Result.Rounds > 0 {
		t.Err = errors.Join(t.Err, a.keepCentre(d, *c, nil, t.Result))
		if newer, ok, err := a.loadCentre(); err == nil && ok {
			*c = newer
		}
	}
	return t
}

func (a *Agent) takeAnswers(ctx context.Context, code string, answers []*syncpb.Response, d device, c centre) (r union.Result, err error) {
	u, err := a.Union(code)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, u.Close()) }()
	return u.TakeBundle(ctx, answers, a.party(d, c))
}

func answersOf(b *bundle.Bundle) ([]*syncpb.Response, error) {
	var out []*syncpb.Response
	for i, m := range b.Messages {
		r := new(syncpb.Response)
		if err := proto.Unmarshal(m, r); err != nil {
			return nil, syncproto.Fail(syncproto.CodeBundleDamaged, "read answers", fmt.Errorf("answer %d: %w", i, err))
		}
		out = append(out, r)
	}
	return out, nil
}

// Bundles gives the bundles that were exported of a union, oldest first.
func (a *Agent) Bundles(code string) (out []union.Asked, err error) {
	u, err := a.Union(code)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, u.Close()) }()
	return u.Bundles()
}
