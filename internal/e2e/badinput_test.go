//go:build !windows

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// Exit statuses and codes that these tests expect. They are permanent: a script or a help
// desk relies on them.
const (
	exitUsage   = 2
	exitInput   = 3
	exitRefused = 7
)

// bad is a command that must be refused.
type bad struct {
	name   string // why this row is here
	run    func() (proc.Result, error)
	status int
	code   int
}

// TestBadInput: whatever is wrong with what comes in, the program ends with a clear sentence
// and a code, and nothing changes: neither on the PC nor at the centre.
func TestBadInput(t *testing.T) {
	t.Parallel()
	c := newCity(t, 1, testcity.Options{Counties: 2, Unions: 2, Members: 6, Twice: -1, Transfers: -1, Ended: -1})
	other := newCity(t, 1, testcity.Options{Counties: 2, Unions: 2, Members: 6})
	c.enrol(c.centre.Nodes[0])
	c.enter(0, 0)
	c.syncAll()
	c.check()
	before, head := c.status(c.pcs[0]), c.head()
	for _, b := range append(append(c.badWords(), c.badSheets()...), append(c.badCodes(other), c.badOperators(other)...)...) {
		r, err := b.run()
		c.do(err)
		f := r.Failure()
		if r.Status != b.status || f.Code != b.code || f.Sentence == "" {
			c.Errorf("%s: %s\nstatus %d, want %d; code %d, want %d; sentence %q\n%s%s",
				b.name, r.Command, r.Status, b.status, f.Code, b.code, f.Sentence, r.Stdout, r.Stderr)
		}
		if after := c.status(c.pcs[0]); after.Saved != before.Saved || after.Waiting != 0 {
			c.Errorf("%s: the PC had %+v and has %+v", b.name, before, after)
		}
		if after := c.head(); after != head {
			c.Errorf("%s: the centre held %s and holds %s", b.name, head, after)
		}
	}
	c.badTree()
	c.syncAll()
	c.check() // all is as before
}

// badTree imports a tree with one good line and one below a unit that does not exist: all
// faults are listed by line, and not even the good line is taken.
func (c *city) badTree() {
	path := filepath.Join(c.TempDir(), "tree.csv")
	c.do(os.WriteFile(path, []byte("工会编码,名称,层级,上级编码,填报单位\n"+
		"330702-90001,某某有限公司工会,union,330702,330702\n330702-90002,某某商店工会,union,330799,330702\n"), 0o600))
	r, err := c.centre.Nodes[0].Run(c.ctx, "org", "import", path)
	c.do(err)
	var v struct {
		Added    int
		Problems []struct {
			Line, Code int
			Sentence   string
		}
	}
	c.do(r.Read(&v))
	if r.Status != exitInput || v.Added != 0 || len(v.Problems) != 1 ||
		v.Problems[0].Line != 3 || v.Problems[0].Code != 655 || v.Problems[0].Sentence == "" {
		c.Errorf("a unit below none: status %d, %+v", r.Status, v)
	}
}

// head is the newest position at the centre.
func (c *city) head() string {
	c.Helper()
	s, err := c.centre.Any().Status(c.ctx)
	c.do(err)
	return s.Head
}

// agent runs a command on the first PC.
func (c *city) agent(args ...string) func() (proc.Result, error) {
	return func() (proc.Result, error) { return c.pcs[0].Run(c.ctx, args...) }
}

// server runs an operator's command.
func (c *city) server(args ...string) func() (proc.Result, error) {
	return func() (proc.Result, error) { return c.centre.Nodes[0].Run(c.ctx, args...) }
}

// badWords are commands whose words fit nothing.
func (c *city) badWords() []bad {
	member := c.pcs[0].roster.Rows[0].ID
	return []bad{
		{"unknown kind", c.agent("add", "parrot", "name=x"), exitInput, 201},
		{"unknown field", c.agent("set", "member", member, "wings=2"), exitInput, 202},
		{"a word that is no field=value", c.agent("set", "member", member, "mobile"), exitUsage, 961},
		{"unknown record", c.agent("set", "member", "330702190001010000", "mobile=13800000000"), exitInput, 958},
		{"a value that is refused", c.agent("set", "member", member, "mobile=12"), exitInput, 717},
		{"a required value is missing", c.agent("add", "member", "姓名=某某"), exitInput, 717},
		{"a union that is not the device's", c.agent("sync", "--union", c.model.Rosters[1].Union), exitInput, 953},
		{"a PC that is not enrolled", func() (proc.Result, error) {
			return proc.NewAgent(programs, "", filepath.Join(c.TempDir(), "none")).Run(c.ctx, "sync")
		}, exitInput, 951},
		{"unknown flag", c.agent("sync", "--faster"), exitUsage, 102},
		{"unknown command", c.agent("snyc"), exitUsage, 102},
	}
}

// badSheets are files that are no rosters.
func (c *city) badSheets() []bad {
	write := func(name string, content []byte) string {
		path := filepath.Join(c.TempDir(), name)
		c.do(os.WriteFile(path, content, 0o600))
		return path
	}
	root, err := proc.Root()
	c.do(err)
	testdata := filepath.Join(root, "agent", "sheet", "testdata")
	png := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 4000)...)
	roster, err := testcity.Encode(c.pcs[1].roster.Table(), testcity.XLSX)
	c.do(err)
	apply := func(path string) func() (proc.Result, error) { return c.agent("import", path, "--apply") }
	return []bad{
		{"a picture with a spreadsheet's name", apply(write("roster.xlsx", png)), exitInput, 303},
		{"an empty file", apply(write("empty.csv", nil)), exitInput, 300},
		{"half a workbook", apply(write("half.xlsx", roster[:len(roster)/2])), exitInput, 308},
		{"a workbook of before 2007", apply(filepath.Join(testdata, "roster-messy.xls")), exitInput, 304},
		{"a web page with a spreadsheet's name", apply(filepath.Join(testdata, "roster-messy-html.xls")), exitInput, 305},
		{"a table without the usual headings", apply(write("other.csv", []byte("a,b\n1,2\n"))), exitInput, 312},
		{"a file that is not there", apply(filepath.Join(c.TempDir(), "none.xlsx")), exitInput, 959},
	}
}

// badCodes are enrolments that must not be, and centres that are not this PC's.
func (c *city) badCodes(other *city) []bad {
	union := c.model.Rosters[0].Union
	enrol := func(at *proc.Node, code string) func() (proc.Result, error) {
		return func() (proc.Result, error) {
			a := proc.NewAgent(programs, union, filepath.Join(c.TempDir(), "pc"))
			return a.Run(c.ctx, "enrol", "--centre", at.URL(), "--code", code)
		}
	}
	node := c.centre.Nodes[0]
	used, err := node.Code(c.ctx, union)
	c.do(err)
	first := proc.NewAgent(programs, union, filepath.Join(c.TempDir(), "pc"))
	c.do(first.Enrol(c.ctx, node.URL(), used))
	open, err := node.Code(c.ctx, union)
	c.do(err)
	typo := "A" + open[1:]
	if typo == open {
		typo = "B" + open[1:]
	}
	return []bad{
		{"a code that was used", enrol(node, used), exitRefused, 405},
		{"a mistyped code", enrol(node, typo), exitRefused, 402},
		{"half a code", enrol(node, open[:11]), exitRefused, 400},
		{"a code of another city", enrol(other.centre.Nodes[0], open), exitRefused, 410},
		{"an address where nobody is", func() (proc.Result, error) {
			port, err := proc.FreePorts(1)
			if err != nil {
				return proc.Result{}, err
			}
			return proc.NewAgent(programs, union, filepath.Join(c.TempDir(), "pc")).Run(c.ctx, "enrol", "--centre", "https://"+port[0], "--code", open)
		}, 4, 512},
		{"another city's centre at the PC's address", func() (proc.Result, error) {
			p := c.pcs[1]
			p.relay.point(other.centre.Nodes[0].API)
			defer p.relay.point(node.API)
			c.do(node.Stop()) // else the PC finds its own centre at the other address it knows
			defer func() { c.do(node.Start(c.ctx)) }()
			return p.Run(c.ctx, "sync")
		}, exitRefused, 410},
	}
}

// badOperators are operators' commands that must be refused.
func (c *city) badOperators(other *city) []bad {
	headless := filepath.Join(c.TempDir(), "tree.csv")
	c.do(os.WriteFile(headless, []byte("名称,层级\n某工会,union\n"), 0o600))
	join := func() (proc.Result, error) {
		ports, err := proc.FreePorts(2)
		if err != nil {
			return proc.Result{}, err
		}
		return proc.Run(c.ctx, programs.Server, "join", "--data", filepath.Join(c.TempDir(), "n2"), "--id", "n2",
			"--listen", ports[0], "--raft", ports[1], "--centre", c.centre.Nodes[0].URL(),
			"--cluster-key", filepath.Join(other.centre.Nodes[0].Data, "cluster.key"), "--json")
	}
	return []bad{
		{"a code for a union that does not exist", c.server("enrol", "330799-00001"), exitInput, 653},
		{"a tree without codes", c.server("org", "import", headless), exitInput, 657},
		{"an unknown dimension", c.server("counts", "--by", "height"), exitInput, 804},
		{"a day of no calendar", c.server("counts", "--day", "2026-02-30"), exitInput, 807},
		{"a node with another city's key", join, exitRefused, 410},
	}
}
