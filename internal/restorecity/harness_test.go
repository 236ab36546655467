package restorecity

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/server"
	"unionsync/server/archive"
	"unionsync/syncproto"
)

const patience = 2 * time.Minute

var noEnv = func(string) string { return "" }

func world() server.World { return server.World{Rand: rand.Reader, Now: time.Now} }

// centre is the one node that is at work, and the archive that outlives it.
type centre struct {
	t           *testing.T
	api, raft   string // kept by every node: PCs come back to the same address
	target, key string // of the archive, and a copy of the cluster key from the safe
	nodes       int    // that there have been
	dir         string
	admin       *server.Admin
	stop        func() error
}

func newCentre(t *testing.T) *centre {
	t.Helper()
	c := &centre{t: t, api: freeAddress(t), raft: freeAddress(t), target: t.TempDir(), key: filepath.Join(t.TempDir(), "cluster.key")}
	cfg := c.config()
	if _, err := server.Init(c.dir, cfg, world()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(c.dir, "cluster.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.key, b, 0o600); err != nil {
		t.Fatal(err)
	}
	c.start()
	return c
}

// config is that of the next node. Backups are made on demand only: the next is due in half a day.
func (c *centre) config() server.Config {
	c.nodes++
	c.dir = filepath.Join(c.t.TempDir(), fmt.Sprint("n", c.nodes))
	return server.Config{
		ID: fmt.Sprint("n", c.nodes), City: "test", Listen: c.api, Raft: c.raft, Heartbeat: "1s", MetricsAddress: "off",
		Backup: c.target, BackupAt: time.Now().Add(12 * time.Hour).Format("15:04"), BackupStream: "1s", BackupDrill: "never",
	}
}

func (c *centre) start() {
	c.t.Helper()
	cfg, err := server.LoadConfig(c.dir, noEnv, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	ready := make(chan server.Ready, 1)
	n, err := server.Open(server.Options{
		Dir: c.dir, Config: cfg, World: world(), Log: slog.New(slog.DiscardHandler), Version: "test", Env: noEnv, Ready: func(r server.Ready) { ready <- r },
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	stopped := false
	c.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		c.admin.Close()
		cancel()
		return <-ended
	}
	if c.admin, err = server.Dial(c.dir, noEnv, "https://"+c.api); err != nil {
		c.t.Fatal(err)
	}
	stop := c.stop
	c.t.Cleanup(func() {
		if err := stop(); err != nil {
			c.t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		c.t.Fatal(err)
	case <-time.After(patience):
		c.t.Fatal("the centre is not ready")
	}
}

// importTree makes the unions.
func (c *centre) importTree(codes []string) {
	c.t.Helper()
	rows := []*unionrpc.OrgRow{
		{Line: 2, Values: map[string]string{"code": "330700", "name": "金华市总工会", "level": "city", "county": "SBJ"}},
		{Line: 3, Values: map[string]string{"code": "330702", "name": "婺城区总工会", "level": "county", "parent": "330700", "county": "330702"}},
	}
	for i, code := range codes {
		rows = append(rows, &unionrpc.OrgRow{Line: uint32(4 + i), Values: map[string]string{"code": code, "name": "工会" + code, "level": "union", "parent": "330702"}})
	}
	r, err := c.admin.ImportOrg(c.t.Context(), &unionrpc.ImportOrgRequest{Rows: rows})
	if err != nil || len(r.GetProblems()) > 0 {
		c.t.Fatal(err, r.GetProblems())
	}
}

// backUp makes a backup and gives its name.
func (c *centre) backUp() string {
	c.t.Helper()
	s, err := c.admin.BackUp(c.t.Context(), func(int64) {})
	for syncproto.CodeOf(err) == syncproto.CodeBackupRunning { // the first one that a centre makes by itself
		<-time.After(50 * time.Millisecond)
		s, err = c.admin.BackUp(c.t.Context(), func(int64) {})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return s.Backup.Name
}

// streamed waits until all that the centre has is on the target.
func (c *centre) streamed() {
	c.t.Helper()
	c.until("all is streamed", func() bool {
		st, err := c.admin.Status(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		var a *archive.Status
		if a, err = c.admin.Archive(c.t.Context(), false); err != nil {
			c.t.Fatal(err)
		}
		return a.Streamed.String() == st.Head && a.Lag == 0
	})
}

func (c *centre) until(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-deadline:
			c.t.Fatal("waited in vain: ", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// unplug takes the archive's disk away until it is plugged in again.
func (c *centre) unplug() { c.rename(c.target, c.target+".away") }
func (c *centre) plug()   { c.rename(c.target+".away", c.target) }

func (c *centre) rename(from, to string) {
	c.t.Helper()
	if err := os.Rename(from, to); err != nil {
		c.t.Fatal(err)
	}
}

// lose ends the node and takes its disk away.
func (c *centre) lose() {
	c.t.Helper()
	if err := c.stop(); err != nil {
		c.t.Fatal(err)
	}
	if err := os.RemoveAll(c.dir); err != nil {
		c.t.Fatal(err)
	}
}

// restore restores another node from a backup, and starts it.
func (c *centre) restore(backup string, withLog bool) *server.Restored {
	c.t.Helper()
	cfg := c.config()
	r, err := server.Restore(c.t.Context(), c.dir, cfg, server.Restoring{
		From: c.target, ClusterKey: c.key, Backup: backup, NoLog: !withLog, Operator: "op", Reason: "test",
	}, world(), noEnv)
	if err != nil {
		c.t.Fatal(err)
	}
	c.start()
	return r
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nothing was sent over it
	return l.Addr().String()
}
