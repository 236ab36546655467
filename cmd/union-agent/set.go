package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
)

func (p program) set(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "set", Usage: s.T("agent.set_usage"), ArgsUsage: s.T("agent.set_args"), Flags: editFlags(s),
		Action: func(c *cli.Context) error {
			args, err := clikit.Args(c, 3, -1, s.T("agent.word_kind"), s.T("agent.word_id"), s.T("agent.word_field"))
			if err != nil {
				return err
			}
			return p.with(c, func(a *agent.Agent, u *union.Union) error {
				row, err := recordArg(c, a, u, args)
				if err != nil {
					return err
				}
				drafts, err := agent.Drafts(c.Context, u, row.Kind, row.ID, args[2:])
				if err != nil {
					return err
				}
				agent.Decide(&drafts[0], row)
				return p.save(c, u, drafts)
			})
		},
	}
}
