package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"unionsync/internal/proc"
)

func (d *demo) build(ctx context.Context) error {
	fmt.Fprintln(d.out, "unionsync: from a clerk's spreadsheet (花名册) to the city's count (会员统计).")
	fmt.Fprintln(d.out, "Numbers with ✓ were compared with a recount of the input files by code of its own.")
	d.title("Build the two programs, without cgo")
	bin := filepath.Join(d.root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return fmt.Errorf("make bin: %w", err)
	}
	programs, err := proc.Build(ctx, d.root, bin)
	if err != nil {
		return err
	}
	d.programs = programs
	for _, path := range []string{programs.Server, programs.Agent} {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("look at %s: %w", path, err)
		}
		d.say("bin/%s, %.1f MB", filepath.Base(path), float64(info.Size())/1e6)
	}
	d.prove("two programs are the whole installation")
	return nil
}

func (d *demo) startCentre(ctx context.Context) error {
	d.title("Start the city's centre (市中心): three nodes on this machine")
	c, err := proc.NewCentre(d.programs, filepath.Join(d.dir, "centre"), 3)
	if err != nil {
		return err
	}
	d.centre = c
	if err := c.Create(ctx); err != nil {
		return err
	}
	leader, err := c.Leader(ctx)
	if err != nil {
		return err
	}
	for _, n := range c.Nodes {
		role := "follower"
		if n == leader {
			role = "leader"
		}
		d.say("%s  %s  process %d  %s", n.ID, n.URL(), n.PID(), role)
	}
	d.prove("the first node made the city's CA, two more joined with its cluster key; they agree on a leader")
	return nil
}

func (d *demo) loadTree(ctx context.Context) error {
	d.title("Load the city's tree of unions (组织机构)")
	t, err := newTown(d.root, d.dir)
	if err != nil {
		return err
	}
	d.town = t
	node := d.centre.Nodes[1] // a follower serves operators too
	var done struct{ Added, Changed, Unchanged int }
	d.command(d.server("org", "import", t.units, "--data", node.Data))
	if err := node.Ask(ctx, &done, "org", "import", t.units); err != nil {
		return err
	}
	if err := d.check("added", number{"units", done.Added, len(t.known.Units)}, number{"changed", done.Changed, 0}); err != nil {
		return err
	}
	units, err := d.units(ctx)
	if err != nil {
		return err
	}
	levels := map[string]int{}
	for _, u := range units {
		levels[u.Level]++
	}
	if err := d.check("the centre lists", number{"city", levels["city"], 1},
		number{"counties, city level (市本级) and zone (开发区)", levels["county"], t.perLevel("county")},
		number{"grassroots unions (基层工会)", levels["union"], t.perLevel("union")}); err != nil {
		return err
	}
	d.prove("an operator loads the tree at any node, and the centre holds all of it")
	return nil
}

// unit is what the demo reads of `union-server org list --json`.
type unit struct {
	Code, Name, Level, County string
	Devices, Waiting          int
	Complete                  int64
	Proved                    bool
}

func (d *demo) units(ctx context.Context) ([]unit, error) {
	var list struct{ Units []unit }
	err := d.centre.Any().Ask(ctx, &list, "org", "list")
	return list.Units, err
}

func (d *demo) enrol(ctx context.Context) error {
	d.title("Enrol three clerks' PCs, each with a one-time code (登记码)")
	for i, o := range d.town.offices {
		node := d.centre.Nodes[i%len(d.centre.Nodes)]
		code, err := node.Code(ctx, o.union)
		if err != nil {
			return err
		}
		p := &pc{Agent: proc.NewAgent(d.programs, o.union, filepath.Join(d.dir, fmt.Sprintf("pc%d", i+1))), office: o}
		p.records = o.good() * perMember
		if err := p.Enrol(ctx, node.URL(), code); err != nil {
			return err
		}
		d.pcs = append(d.pcs, p)
		d.say("PC %d  %s %s  through %s", i+1, o.union, o.name, node.ID)
	}
	used, err := d.centre.Nodes[0].Status(ctx)
	if err != nil {
		return err
	}
	if err := d.check("the centre knows", number{"devices", used.Devices, len(d.pcs)}); err != nil {
		return err
	}
	d.prove("a code of 25 characters gives a PC its certificate; its private key never leaves it")
	return nil
}

// server gives a command of union-server as a person would type it.
func (d *demo) server(args ...string) string { return proc.Line(d.programs.Server, args...) }
