//go:build !windows

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// personal are the texts by which a member of the made-up city could be told: names,
// citizens' numbers, telephone numbers.
func (c *city) personal() []string {
	var out []string
	for _, r := range c.model.Rosters {
		for _, row := range r.Rows {
			out = append(out, row.Name, row.ID, row.Phone)
		}
	}
	for i := range out {
		if len(out[i]) < 6 { // two Chinese characters have six bytes
			c.Fatalf("%q is too short to be looked for", out[i])
		}
	}
	return out
}

// wantNone fails if a text of what is personal stands in some bytes.
func (c *city) wantNone(what string, b []byte, personal []string) {
	c.Helper()
	for _, p := range personal {
		if i := bytes.Index(b, []byte(p)); i >= 0 {
			c.Errorf("%s holds personal data: %q", what, b[max(0, i-60):min(len(b), i+len(p)+60)])
			return
		}
	}
}

// livelyCity is a city in which much has happened: rosters came in, two PCs of a union gave a
// record two values, a PC was revoked and sent more, a wrong value waits as a case, and
// commands were refused.
func livelyCity(t *testing.T, nodes int) *city {
	t.Helper()
	c := newCity(t, nodes, testcity.Options{Counties: 2, Unions: 2, Members: 12, Twice: -1, Transfers: -1, Ended: -1})
	c.enrol(c.centre.Nodes[0])
	c.enterAll(0)
	c.syncAll()
	p := c.pcs[0]
	second := c.newPC(p.Union, c.centre.Nodes[0].URL())
	c.must(second.Run(c.ctx, "sync"))
	id := p.roster.Rows[0].ID
	c.must(p.Run(c.ctx, "set", "member", id, "mobile=13900000001"))
	c.must(second.Run(c.ctx, "set", "member", id, "mobile=13900000002"))
	c.must(p.Run(c.ctx, "sync"))
	c.must(second.Run(c.ctx, "sync"))
	var devices struct {
		Devices []struct {
			Device string   `json:"device"`
			Unions []string `json:"unions"`
		} `json:"devices"`
	}
	node := c.centre.Any()
	c.do(node.Ask(c.ctx, &devices, "device", "list", "--union", c.pcs[1].Union))
	c.do(node.Ask(c.ctx, nil, "device", "revoke", devices.Devices[0].Device, "--reason", "lost", "--yes"))
	c.must(c.pcs[1].Run(c.ctx, "set", "member", c.pcs[1].roster.Rows[0].ID, "mobile=13900000003"))
	if _, err := c.pcs[1].Run(c.ctx, "sync"); err != nil { // what it is told is another test's
		c.Fatal(err)
	}
	if _, err := node.Run(c.ctx, "enrol", "no-such-union"); err != nil {
		c.Fatal(err)
	}
	c.do(node.Ask(c.ctx, nil, "findings", "list"))
	c.do(node.Ask(c.ctx, nil, "counts", "--by", "union"))
	return c
}

// TestLogsHoldNoPersonalData: whatever level an operator sets, and whatever happens, no log
// of a node names a member. One line tells of each exchange and of each batch.
func TestLogsHoldNoPersonalData(t *testing.T) {
	t.Setenv("UNIONSYNC_LOG_LEVEL", "debug")
	t.Setenv("UNIONSYNC_LOG_FORMAT", "json")
	c := livelyCity(t, 3)
	personal := append(c.personal(), "13900000001", "13900000002", "13900000003")
	c.do(c.centre.Stop())
	lines := map[string]int{}
	for _, n := range c.centre.Nodes {
		b, err := os.ReadFile(n.Log)
		c.do(err)
		c.wantNone("the log of "+n.ID, b, personal)
		for _, msg := range []string{"exchange", "batch", "device revoked", "ready", "call refused"} {
			lines[msg] += bytes.Count(b, fmt.Appendf(nil, `"msg":%q`, msg))
		}
	}
	for msg, n := range lines {
		if n == 0 {
			t.Errorf("no line %q", msg)
		}
	}
}

// must ends the test if a command could not be run, or ended in another way than well or
// with something that waits for a person.
func (c *city) must(r proc.Result, err error) {
	c.Helper()
	c.do(err)
	c.do(r.Want(0, 5))
}

// TestDebugBundleHoldsNoPersonalData: what an operator hands to whoever helps names nobody
// and opens nothing, and holds what its list says.
func TestDebugBundleHoldsNoPersonalData(t *testing.T) {
	t.Setenv("UNIONSYNC_LOG_LEVEL", "debug")
	c := livelyCity(t, 1)
	node := c.centre.Nodes[0]
	out := filepath.Join(t.TempDir(), "bundle.tar.gz")
	var told struct {
		Parts []struct {
			Name  string `json:"name"`
			Bytes int    `json:"bytes"`
			Lacks string `json:"lacks"`
		} `json:"parts"`
	}
	c.do(node.Ask(c.ctx, &told, "debug", "--out", out, "--profile", "1s"))
	secret := c.personal()
	for _, name := range []string{"cluster.key", "node.key"} {
		b, err := os.ReadFile(filepath.Join(node.Data, name))
		c.do(err)
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); len(line) > 30 && !strings.Contains(line, "-----") {
				secret = append(secret, line)
			}
		}
	}
	got := c.untar(out)
	for _, p := range told.Parts {
		b, ok := got[p.Name]
		if !ok || len(b) != p.Bytes || p.Bytes == 0 || p.Lacks != "" {
			t.Errorf("%s: told of %d bytes (lacks %q), holds %d", p.Name, p.Bytes, p.Lacks, len(b))
		}
		if unpacked, err := gunzip(b); err == nil {
			b = unpacked
		}
		c.wantNone(p.Name, b, secret)
	}
	if len(got) != len(told.Parts)+1 || len(told.Parts) < 10 {
		t.Errorf("%d parts were told of, %d are there", len(told.Parts), len(got))
	}
	if !bytes.Contains(got["log.txt"], []byte("msg=exchange")) || !bytes.Contains(got["metrics.txt"], []byte("unionsync_exchanges_total")) {
		t.Error("log or metrics are not the node's")
	}
}

// untar gives the files of a bundle by their names.
func (c *city) untar(path string) map[string][]byte {
	c.Helper()
	packed, err := os.ReadFile(path)
	c.do(err)
	b, err := gunzip(packed)
	c.do(err)
	out := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		c.do(err)
		b, err := io.ReadAll(r)
		c.do(err)
		out[strings.TrimPrefix(h.Name, "union-server-debug/")] = b
	}
}

func gunzip(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
