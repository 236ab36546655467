//go:build !windows

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// programs are built once for all tests.
var programs proc.Programs

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "unionsync-e2e-")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root, err := proc.Root()
	if err != nil {
		return fail(err)
	}
	if programs, err = proc.Build(context.Background(), root, dir); err != nil {
		return fail(err)
	}
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue { // much of it waits for disks and elections
		if err := f.Value.Set("4"); err != nil {
			return fail(err)
		}
	}
	return m.Run()
}

// city is a centre with the PCs of its unions, and what a recount says of them.
type city struct {
	*testing.T
	ctx    context.Context
	centre *proc.Centre
	model  *testcity.City // all that is entered sooner or later
	known  *testcity.City // what has been entered so far
	units  int
	pcs    []*pc
}

// pc is a union's PC. It reaches the centre through a relay of its own.
type pc struct {
	*proc.Agent
	relay  *relay
	roster *testcity.Roster // all rows, in the order in which they are entered
	saved  int              // changes in its journal
}

// newCity starts a centre of some nodes and loads the tree of a made-up city.
func newCity(t *testing.T, nodes int, o testcity.Options) *city {
	t.Helper()
	return newCityOf(t, programs, nodes, o)
}

// newCityOf is newCity with other programs for the centre.
func newCityOf(t *testing.T, programs proc.Programs, nodes int, o testcity.Options) *city {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	centre, err := proc.NewCentre(programs, filepath.Join(t.TempDir(), "centre"), nodes)
	if err != nil {
		t.Fatal(err)
	}
	c := &city{T: t, ctx: ctx, centre: centre, model: testcity.New(7, o)}
	t.Cleanup(func() {
		if err := centre.Kill(); err != nil {
			t.Error(err)
		}
		for _, n := range centre.Nodes {
			if t.Failed() {
				t.Logf("--- the end of %s ---\n%s", n.ID, n.Tail(15))
			}
		}
	})
	c.do(centre.Create(ctx))
	c.known = &testcity.City{Units: c.model.Units}
	for _, r := range c.model.Rosters {
		c.known.Rosters = append(c.known.Rosters, testcity.Roster{Union: r.Union})
	}
	c.units = len(c.model.Units)
	c.do(centre.Any().Ask(ctx, nil, "org", "import", c.file("units.csv", c.model.OrgTable(), testcity.CSV)))
	return c
}

// do ends the test if a step failed.
func (c *city) do(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// file writes cells to a file.
func (c *city) file(name string, cells [][]string, format testcity.Format) string {
	c.Helper()
	b, err := testcity.Encode(cells, format)
	c.do(err)
	path := filepath.Join(c.TempDir(), name)
	c.do(os.WriteFile(path, b, 0o600))
	return path
}

// enrol gives each union a PC, all pointed at one node.
func (c *city) enrol(at *proc.Node) {
	c.Helper()
	for i := range c.model.Rosters {
		r := &c.model.Rosters[i]
		p := &pc{relay: newRelay(c.T, at.API), roster: r}
		p.Agent = c.newPC(r.Union, p.relay.url())
		c.pcs = append(c.pcs, p)
	}
}

// newPC enrols a PC for a union.
func (c *city) newPC(union, url string) *proc.Agent {
	c.Helper()
	code, err := c.centre.Any().Code(c.ctx, union)
	c.do(err)
	a := proc.NewAgent(programs, union, filepath.Join(c.TempDir(), "pc"))
	c.do(a.Enrol(c.ctx, url, code))
	return a
}

// part gives the rows, from one to another, that are entered in one of three parts, so that
// there is always more to enter: a half, a quarter, and the rest.
func part(r *testcity.Roster, n int) (from, to int) {
	bounds := []int{0, len(r.Rows) / 2, len(r.Rows) * 3 / 4, len(r.Rows)}
	return bounds[n], bounds[n+1]
}

// sheet writes a part of a PC's roster in one of the three formats.
func (c *city) sheet(i, n int) (path string, rows int) {
	c.Helper()
	r := c.pcs[i].roster
	from, to := part(r, n)
	of := testcity.Roster{Union: r.Union, Rows: r.Rows[from:to]}
	formats := []testcity.Format{testcity.XLSX, testcity.CSVBOM, testcity.GB18030, testcity.CSV}
	return c.file(fmt.Sprintf("roster-%d", i), of.Table(), formats[i%len(formats)]), to - from
}

// entered notes that a part of a PC's roster is in its journal.
func (c *city) entered(i, n int) {
	from, to := part(c.pcs[i].roster, n)
	r := &c.known.Rosters[i]
	r.Rows = append(r.Rows, c.pcs[i].roster.Rows[from:to]...)
}

// enter imports a part of a PC's roster.
func (c *city) enter(i, n int) {
	c.Helper()
	p := c.pcs[i]
	path, rows := c.sheet(i, n)
	done, err := p.Import(c.ctx, path, true)
	c.do(err)
	if done.Rows != rows || done.Saved != rows || done.New != rows || done.Refuse != 0 {
		c.Fatalf("%s: part %d, %d rows: %+v", p.Union, n, rows, done)
	}
	p.saved += 2 * rows // the member and the event of joining
	c.entered(i, n)
}

// enterAll imports a part of every PC's roster.
func (c *city) enterAll(n int) {
	c.Helper()
	for i := range c.pcs {
		c.enter(i, n)
	}
}

// status asks a PC, which must not need the centre for its answer.
func (c *city) status(p *pc) proc.AgentStatus {
	c.Helper()
	s, err := p.Status(c.ctx)
	c.do(err)
	return s
}
