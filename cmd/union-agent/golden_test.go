package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

var rewrite = flag.Bool("rewrite", false, "write the golden outputs anew")

// screen is what a person saw: commands and their outputs, in both languages, as kept in
// testdata. What is drawn by lot stands there as a name.
type screen struct {
	t    *testing.T
	text strings.Builder
	ids  map[string]string
}

func newScreen(t *testing.T) *screen { return &screen{t: t, ids: map[string]string{}} }

var idEnd = regexp.MustCompile(`\b[0-9a-f]{8}\b`)

// show runs a command on a desk in both languages.
func (c *screen) show(why string, d *desk, args ...string) {
	c.t.Helper()
	for _, lang := range []string{"zh", "en"} {
		r := d.run(append([]string{"--lang", lang}, args...)...)
		c.text.WriteString("# " + why + "\n$ union-agent " + c.named(r.line) + "\n" + c.named(r.out+r.err) + "= " + itoa(r.status) + "\n\n")
	}
}

// named replaces ids by names in the order in which they first appear.
func (c *screen) named(s string) string {
	return idEnd.ReplaceAllStringFunc(s, func(id string) string {
		if c.ids[id] == "" {
			c.ids[id] = "ID-" + itoa(len(c.ids)+1)
		}
		return c.ids[id]
	})
}

// check compares with the file.
func (c *screen) check(name string) {
	c.t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *rewrite {
		if err := os.WriteFile(path, []byte(c.text.String()), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), c.text.String()); diff != "" {
		c.t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// clock is a wall clock that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func june(day, hour, minute int) time.Time {
	return time.Date(2026, 6, day, hour, minute, 0, 0, time.Local)
}

// TestStatusGolden: what status says in plain words, from the first save to what has been on
// the PC alone for too long.
func TestStatusGolden(t *testing.T) {
	d, at, c := newDesk(t), &clock{june(1, 8, 30)}, newScreen(t)
	d.now = at.now
	d.run("enrol", "--centre", "https://centre.example:8443", "--code", d.code(unionA)).ok()
	c.show("nothing yet", d, "status")
	d.member("张三", citizen("33070219900101123"))
	at.at = june(1, 9, 0)
	c.show("saved, and nothing sent", d, "status")
	d.run("sync").ok()
	at.at = june(1, 9, 5)
	c.show("delivered with a receipt", d, "status")
	d.member("李四", citizen("33070219910101123"))
	d.centre.Fault = func(*syncpb.Request, bool) error { return syncproto.Fail(syncproto.CodeUnreachable, "test", nil) }
	at.at = june(4, 9, 5)
	d.run("sync").fails(4, syncproto.CodeUnreachable)
	c.show("the centre cannot be reached", d, "status")
	at.at = june(9, 9, 5)
	c.show("on this PC alone for eight days", d, "status")
	d.centre.Fault = nil
	d.centre.Union(unionA).Hold = func(*syncproto.Change) syncproto.HeldReason { return syncproto.HeldValue }
	d.run("sync").says("被退回")
	c.show("sent back", d, "status")
	c.check("status")
}
