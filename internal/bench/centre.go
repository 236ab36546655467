package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

const (
	centreNodes = 3
	// spareUnions are those beside one for each repetition: of the average union and of the
	// large ones.
	spareUnions = 2 + maxIngests
)

// centre is the three nodes that the agents sync with, and the unions that nobody has
// enrolled for yet.
type centre struct {
	nodes *proc.Centre
	free  []string
}

// centre starts the nodes when the first bench needs them.
func (e *env) centre(ctx context.Context) (*centre, error) {
	if e.city != nil {
		return e.city, nil
	}
	programs, err := e.built(ctx)
	if err != nil {
		return nil, err
	}
	e.say("starting %d nodes", centreNodes)
	nodes, err := proc.NewCentre(programs, filepath.Join(e.dir, "centre"), centreNodes)
	if err != nil {
		return nil, err
	}
	c := &centre{nodes: nodes}
	e.city = c // closed with e, also if the rest fails
	if err := nodes.Create(ctx); err != nil {
		return nil, err
	}
	return c, c.importTree(ctx, e.dir, e.o.runs+spareUnions)
}

// importTree gives the centre its unions.
func (c *centre) importTree(ctx context.Context, dir string, unions int) error {
	city := testcity.New(countSeed, testcity.Options{Unions: unions, Members: 1})
	b, err := testcity.Encode(city.OrgTable(), testcity.CSV)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "org.csv")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return fmt.Errorf("write the tree: %w", err)
	}
	if err := c.nodes.Nodes[0].Ask(ctx, nil, "org", "import", file); err != nil {
		return err
	}
	for _, u := range city.Unions() {
		c.free = append(c.free, u.Code)
	}
	return nil
}

// enrol gives a code for a union that has no PC yet.
func (c *centre) enrol(ctx context.Context) (code string, err error) {
	if len(c.free) == 0 {
		return "", errors.New("enrol: more PCs than unions")
	}
	union := c.free[0]
	c.free = c.free[1:]
	return c.nodes.Nodes[0].Code(ctx, union)
}

// close ends the nodes.
func (c *centre) close() error { return c.nodes.Stop() }
