package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

func (p program) second(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "second", Usage: s.T("agent.second_usage"),
		Subcommands: []*cli.Command{
			{Name: "set", Usage: s.T("agent.second_set_usage"), ArgsUsage: "DIR|off", Action: p.doSecondSet},
			{
				Name: "restore", Usage: s.T("agent.second_restore_usage"), Action: p.doSecondRestore,
				Flags: []cli.Flag{&cli.StringFlag{Name: "from", Usage: s.T("agent.second_flag_from")}},
			},
		},
	}
}

// secondOut is the second place in JSON.
type secondOut struct {
	Dir  string `json:"dir"` // empty: none
	Back uint64 `json:"entries_back,omitempty"`
}

func (p program) doSecondSet(c *cli.Context) error {
	s := clikit.From(c)
	args, err := clikit.Args(c, 1, 1)
	if err != nil {
		return err
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	dir := args[0]
	if dir == "off" {
		dir = ""
	}
	if err := a.SetSecond(dir); err != nil {
		return err
	}
	out := secondOut{Dir: a.Second()}
	return s.Print(out, func() error {
		if out.Dir == "" {
			return s.Println(s.T("agent.second_off"))
		}
		return s.Println(s.T("agent.second_on", "dir", out.Dir))
	})
}

func (p program) doSecondRestore(c *cli.Context) error {
	s := clikit.From(c)
	if _, err := clikit.Args(c, 0, 0); err != nil {
		return err
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	n, err := a.RestoreSecond(c.String(flagUnion), c.String("from"))
	if err != nil {
		return err
	}
	out := secondOut{Dir: a.Second(), Back: n}
	return s.Print(out, func() error { return s.Println(s.T("agent.second_back", "n", fmt.Sprint(n))) })
}
