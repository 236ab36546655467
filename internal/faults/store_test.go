//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server"
	"unionsync/syncproto"
)

// centre is a centre of one node in this process, run for a moment.
type centre struct {
	t   *testing.T
	dir string
}

// while runs the node and does something meanwhile.
func (c centre) while(do func(ctx context.Context, url string)) {
	c.t.Helper()
	cfg, err := server.LoadConfig(c.dir, func(string) string { return "" }, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	ready := make(chan server.Ready, 1)
	n, err := server.Open(server.Options{
		Dir: c.dir, Config: cfg, World: server.World{Rand: rand.Reader, Now: time.Now}, Log: slog.New(slog.DiscardHandler), Checks: -1,
		Ready: func(r server.Ready) { ready <- r },
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(c.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	select {
	case r := <-ready:
		do(ctx, r.API)
	case err := <-ended:
		c.t.Fatal(err)
	}
	stop()
	if err := <-ended; err != nil {
		c.t.Fatal(err)
	}
}

// code makes a unit and a code for it.
func (c centre) code(ctx context.Context, url string) string {
	c.t.Helper()
	a, err := server.Dial(c.dir, func(string) string { return "" }, url)
	if err != nil {
		c.t.Fatal(err)
	}
	defer a.Close()
	rows := []*unionrpc.OrgRow{
		{Line: 2, Values: map[string]string{"code": "330700", "name": "市总工会", "level": "city", "county": "SBJ"}},
		{Line: 3, Values: map[string]string{"code": "330702", "name": "区总工会", "level": "county", "parent": "330700", "county": "330702"}},
		{Line: 4, Values: map[string]string{"code": "U1", "name": "工会1", "level": "union", "parent": "330702"}},
	}
	r, err := a.ImportOrg(ctx, &unionrpc.ImportOrgRequest{Rows: rows})
	if err != nil || len(r.GetProblems()) > 0 {
		c.t.Fatal(err, r.GetProblems())
	}
	made, err := a.CreateCode(ctx, &unionrpc.CreateCodeRequest{Union: "U1"})
	if err != nil {
		c.t.Fatal(err)
	}
	return made.GetCode()
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nothing was sent over it
	return l.Addr().String()
}

// TestForgetfulCentre: a real centre gives receipts and honours them; with its store of a
// moment ago in place of the newest it breaks the last one, and that is found, and that its
// state is not that of the other node. So it is with the answers that it then gives.
func TestForgetfulCentre(t *testing.T) {
	c := centre{t, filepath.Join(t.TempDir(), "n1")}
	cfg := server.Config{ID: "n1", City: "test", Listen: free(t), Raft: free(t), Heartbeat: "50ms", MetricsAddress: "off"}
	if _, err := server.Init(c.dir, cfg, server.World{Rand: rand.Reader, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	h := newHistory()
	var p *probe
	save := func(ctx context.Context) {
		p.Save(syncproto.Change{Kind: probeKind, KindVersion: 1, ID: syncproto.RecordID{1}, Actor: "probe", Edits: []syncproto.Edit{{Field: 20, Value: []byte{'x'}}}})
		if err := p.settle(ctx); err != nil {
			t.Fatal(err)
		}
	}
	c.while(func(ctx context.Context, url string) {
		var err error
		if p, err = newProbe(ctx, h, []string{url}, c.code(ctx, url), 1); err != nil {
			t.Fatal(err)
		}
		save(ctx)
	})
	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(c.dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(old, "cluster.key"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.while(func(ctx context.Context, _ string) { save(ctx) })

	v, again, err := h.judge([]string{"n1"}, []string{c.dir})
	if err != nil || again || v.broken > 0 || len(v.words) > 0 || len(h.violations(time.Minute)) > 0 {
		t.Fatalf("%+v %v %v", v, again, err)
	}
	if _, again, err = h.judge([]string{"n1", "old"}, []string{c.dir, old}); err != nil || !again {
		t.Fatalf("they are not equally far: %v %v", again, err)
	}
	if v, _, err = h.judge([]string{"old"}, []string{old}); err != nil || v.broken != 1 || len(v.words) != 2 {
		t.Fatalf("%+v %v", v, err)
	}
	if err := os.RemoveAll(c.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(old, c.dir); err != nil {
		t.Fatal(err)
	}
	c.while(func(ctx context.Context, _ string) { p.look(ctx) })
	if got := h.violations(time.Minute); len(got) != 1 {
		t.Fatalf("the centre forgot, and what it answers is taken for true: %q", got)
	}
}
