//go:build !windows

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// backupStatus is what the test reads of a drill.
type backupStatus struct {
	Backup   string
	Position string
	Digest   string
	Members  int
	Problems []any
	Log      struct{ Entries int }
}

// TestLoseTheCentre: agents deliver, the centre is backed up, more is delivered, and all nodes
// are destroyed. From the archive and the cluster key in the safe a centre comes back under
// the old address; the PCs notice by themselves, bring what is missing, and the counts are
// again those of the recount. A tampered archive is never taken for a good one.
func TestLoseTheCentre(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, testcity.Options{Counties: 3, Unions: 3, Members: 90, Twice: 6, Transfers: 4, Ended: 4})
	n := c.centre.Nodes[0]
	target, safe := filepath.Join(t.TempDir(), "target"), filepath.Join(t.TempDir(), "cluster.key")
	c.do(os.Mkdir(target, 0o700))
	c.copyFile(filepath.Join(n.Data, "cluster.key"), safe)
	c.configure(n, "backup: "+target, "backup_stream: 1s", "backup_drill: never")
	c.enrol(n)
	c.enterAll(0)
	c.syncAll()
	c.check()
	c.do(n.Ask(c.ctx, nil, "backup", "now"))
	c.enterAll(1)
	c.syncAll()
	c.check()
	c.do(n.Ask(c.ctx, nil, "backup", "now"))
	c.streamed(n, target)
	var drill backupStatus
	c.do(n.Ask(c.ctx, &drill, "backup", "drill"))
	if len(drill.Problems) > 0 || drill.Members == 0 {
		t.Errorf("drill %+v", drill)
	}
	c.do(os.Rename(target, target+".away"))
	c.enterAll(2)
	c.syncAll()
	c.do(n.Kill())
	c.do(os.Rename(target+".away", target))
	c.tamper(n, target, safe)
	c.do(os.RemoveAll(n.Data))

	back := c.centre.Another(n, "r1", filepath.Join(t.TempDir(), "r1"))
	refused, err := back.Restore(c.ctx, filepath.Join(t.TempDir(), "none"), safe)
	c.do(err)
	c.do(refused.Want(6))
	done, err := back.Restore(c.ctx, target, safe)
	c.do(err)
	c.do(done.Want(0))
	again, err := back.Restore(c.ctx, target, safe)
	c.do(err)
	c.do(again.Want(3))
	c.do(back.Start(c.ctx))
	for range 3 {
		for _, p := range c.pcs {
			_, err := p.Sync(c.ctx)
			c.do(err)
		}
	}
	c.syncAll()
	for _, p := range c.pcs {
		if s := c.status(p); s.Saved != p.saved || s.Waiting != 0 || s.Delivered != p.saved || s.Held != 0 || s.Conflicts != 0 {
			c.Errorf("%s: %d changes were saved; status %+v", p.Union, p.saved, s)
		}
	}
	c.checkCounts()
	c.do(back.Stop())
	c.do(back.Start(c.ctx))
	c.checkCounts()
}

// configure adds lines to a node's configuration and starts it again.
func (c *city) configure(n *proc.Node, lines ...string) {
	c.Helper()
	path := filepath.Join(n.Data, "server.yaml")
	c.do(n.Stop())
	b, err := os.ReadFile(path)
	c.do(err)
	for _, l := range lines {
		b = fmt.Appendf(b, "%s\n", l)
	}
	c.do(os.WriteFile(path, b, 0o600))
	c.do(n.Start(c.ctx))
}

func (c *city) copyFile(from, to string) {
	c.Helper()
	b, err := os.ReadFile(from)
	c.do(err)
	c.do(os.WriteFile(to, b, 0o600))
}

// streamed waits until the target has all that the node has.
func (c *city) streamed(n *proc.Node, target string) {
	c.Helper()
	c.do(proc.Poll(c.ctx, "the log on the target", func() error {
		var s struct{ Position string }
		if err := n.Ask(c.ctx, &s, "backup", "drill"); err != nil {
			return err
		}
		st, err := n.Status(c.ctx)
		if err == nil && st.Head != s.Position {
			err = fmt.Errorf("the archive is at %s, the centre at %s", s.Position, st.Head)
		}
		return err
	}))
}

// tamper does to copies of the archive what must be noticed, and drills them.
func (c *city) tamper(n *proc.Node, target, safe string) {
	c.Helper()
	backups, err := filepath.Glob(filepath.Join(target, "backups", "*"))
	c.do(err)
	if len(backups) < 2 {
		c.Fatalf("%d backups", len(backups))
	}
	newest, older := filepath.Base(backups[len(backups)-1]), filepath.Base(backups[len(backups)-2])
	for _, row := range []struct {
		why string
		do  func(dir string)
	}{
		{"the manifest is altered", func(dir string) {
			c.edit(filepath.Join(dir, "backups", newest, "manifest"), func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"made":1`), []byte(`"made":2`), 1)
			})
		}},
		{"the last part is cut", func(dir string) {
			c.edit(filepath.Join(dir, "backups", newest, "part-00001.age"), func(b []byte) []byte { return b[:len(b)-1] })
		}},
		{"two nights' parts are swapped", func(dir string) {
			a, b := filepath.Join(dir, "backups", newest, "part-00001.age"), filepath.Join(dir, "backups", older, "part-00001.age")
			c.do(os.Rename(a, a+".x"))
			c.do(os.Rename(b, a))
			c.do(os.Rename(a+".x", b))
		}},
		{"two nights are mixed", func(dir string) {
			c.copyFile(filepath.Join(dir, "backups", older, "part-00001.age"), filepath.Join(dir, "backups", newest, "part-00001.age"))
		}},
	} {
		dir := filepath.Join(c.TempDir(), "copy")
		c.do(os.CopyFS(dir, os.DirFS(target)))
		row.do(dir)
		r, err := n.Run(c.ctx, "backup", "drill", "--from", dir, "--cluster-key", safe)
		c.do(err)
		if err := r.Want(6); err != nil {
			c.Errorf("%s: %v", row.why, err)
		}
	}
}

func (c *city) edit(path string, do func([]byte) []byte) {
	c.Helper()
	b, err := os.ReadFile(path)
	c.do(err)
	after := do(bytes.Clone(b))
	if bytes.Equal(b, after) {
		c.Fatalf("%s is as it was", filepath.Base(path))
	}
	c.do(os.WriteFile(path, after, 0o600))
}
