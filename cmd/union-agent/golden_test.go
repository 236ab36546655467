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

	"unionsync/agent"
	"unionsync/agent/schedule"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/internal/text"
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
	var all []caseOut
	d.run("cases", "--json").read(&all)
	for _, x := range all {
		if c.ids[x.Number] == "" {
			c.ids[x.Number] = "CASE-" + itoa(len(c.ids)+1)
		}
	}
	for _, lang := range []string{"zh", "en"} {
		r := d.run(append([]string{"--lang", lang}, args...)...)
		c.text.WriteString("# " + why + "\n$ union-agent " + c.named(r.line) + "\n" + c.named(r.out+r.err) + "= " + itoa(r.status) + "\n\n")
	}
}

// named replaces ids by names in the order in which they first appear.
func (c *screen) named(s string) string {
	for id, name := range c.ids {
		if strings.HasPrefix(name, "CASE-") {
			s = strings.ReplaceAll(s, id+" ", name+" ")
		}
	}
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

// TestStatusWordsGolden: what a centre that was restored leaves, a second place, and each
// reason for the time of the next sync.
func TestStatusWordsGolden(t *testing.T) {
	c := newScreen(t)
	a, err := agent.Open(agent.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, why := range []schedule.Why{schedule.InSlot, schedule.First, schedule.CatchUp, schedule.Retry, schedule.Asked} {
		for _, lang := range []text.Lang{text.Chinese, text.English} {
			s := &clikit.Session{IO: clikit.IO{Stdout: &c.text, Now: func() time.Time { return june(9, 8, 30) }}, Lang: lang}
			st := agent.Status{Name: "某某有限公司工会", Running: true, NextWhy: why, Status: union.Status{
				Union: unionA, Saved: 9, Delivered: 5, Archived: 3, Waiting: 4, Again: 2, OnlyHere: 1, HereSince: june(2, 8, 0),
				Fetched: true, Last: june(1, 23, 0), Next: june(9, 23, 0), Second: union.Second{Dir: "E:/"}}}
			if err := printStatus(s, a, st); err != nil {
				t.Fatal(err)
			}
			c.text.WriteString("\n")
		}
	}
	c.check("status-words")
}

// TestCasesGolden: two clerks edit one member; both see both values, one decides, the other
// sees the outcome. Then a void against an edit, and what was sent back.
func TestCasesGolden(t *testing.T) {
	at, c := &clock{june(1, 8, 30)}, newScreen(t)
	a := newDesk(t)
	b := &desk{t: t, centre: a.centre, dir: filepath.Join(t.TempDir(), "data"), actor: "李娜"}
	a.now, b.now = at.now, at.now
	number := citizen("33070219900101123")
	a.run("enrol", "--centre", "https://centre.example:8443", "--code", a.code(unionA)).ok()
	a.member("张三", number)
	a.run("sync").ok()
	b.run("enrol", "--centre", "https://centre.example:8443", "--code", a.code(unionA)).ok()
	c.show("nothing waits", a, "cases")
	c.show("no news", b, "news")

	at.at = june(2, 9, 0)
	a.run("set", "member", number, "学历=博士研究生").ok()
	at.at = june(2, 9, 5)
	b.run("set", "member", number, "学历=硕士研究生", "部门=装配车间").ok()
	a.run("sync").ok()
	b.run("sync").says("冲突", "1 个事项")
	a.run("sync").says("1 个事项", "1 条记录在别处有改动")
	c.show("both values, at one clerk", a, "cases")
	c.show("and at the other", b, "cases")
	c.show("what the other changed", a, "news", "--keep")
	a.run("news").ok().says("部门 — → 装配车间", "李娜")
	c.show("looked", a, "news")
	c.show("which way?", b, "resolve", "0000", "--keep", "--take")
	c.show("no such case", b, "resolve", "0000", "--keep")
	one := b.caseNumber()
	if r := b.run("resolve", one, "--drop").says("--yes"); r.status != clikit.ExitAttention {
		t.Errorf("without --yes: %d", r.status)
	}
	b.run("resolve", one, "--drop", "--yes").fails(clikit.ExitInput, syncproto.CodeCaseWay)
	b.run("resolve", one, "--choose", "3").fails(clikit.ExitInput, syncproto.CodeCaseChoice)
	b.run("resolve", one, "--keep").ok().says("已处理", "下次同步")
	b.run("sync").ok()
	a.run("sync").ok().says("1 条记录在别处有改动")
	c.show("the outcome at the other", a, "cases")
	c.show("told with before and after", a, "news")

	at.at = june(3, 9, 0)
	a.run("set", "member", number, "作废=录错人").ok()
	b.run("set", "member", number, "部门=总装车间").ok()
	b.run("sync").ok()
	a.run("sync").says("1 个事项")
	c.show("a void against an edit", a, "cases")
	a.run("resolve", a.caseNumber(), "--choose", "2").ok()
	a.run("sync").ok()
	b.run("sync")
	a.run("show", "member", number).ok().silent("作废")

	a.centre.Union(unionA).Hold = func(c *syncproto.Change) syncproto.HeldReason {
		if len(c.Note) > 0 {
			return syncproto.HeldNot
		}
		return syncproto.HeldValue
	}
	a.run("set", "member", number, "部门=三车间", "移动电话=13900000000").ok()
	a.run("sync").says("被退回")
	c.show("sent back", a, "cases")
	held := a.caseNumber()
	c.show("only shown without --yes", a, "resolve", held, "--resave", "部门=四车间")
	a.run("resolve", held, "--resave", "部门=四车间", "--note", "更正", "--yes").ok()
	a.centre.Union(unionA).Hold = func(*syncproto.Change) syncproto.HeldReason { return syncproto.HeldNot }
	a.run("sync").ok()
	c.show("nothing waits any more", a, "cases")
	c.check("cases")
}

// caseNumber gives the number of the only case.
func (d *desk) caseNumber() string {
	d.t.Helper()
	var all []caseOut
	r := d.run("cases", "--json").read(&all)
	if len(all) != 1 || r.status != clikit.ExitAttention {
		d.t.Fatalf("%d cases, status %d\n%s", len(all), r.status, r.out)
	}
	return all[0].Number
}
