package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/syncproto"
)

func (p program) add(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "add", Usage: s.T("agent.add_usage"), ArgsUsage: s.T("agent.add_args"), Flags: editFlags(s),
		Action: func(c *cli.Context) error {
			args, err := clikit.Args(c, 2, -1, s.T("agent.word_kind"), s.T("agent.word_field"))
			if err != nil {
				return err
			}
			return p.with(c, func(a *agent.Agent, u *union.Union) error {
				k, err := agent.FindKind(a.Kinds(), args[0])
				if err != nil {
					return err
				}
				drafts, err := agent.Drafts(c.Context, u, k, syncproto.RecordID{}, args[1:])
				if err != nil {
					return withFields(s, k, err)
				}
				return p.save(c, u, drafts)
			})
		},
	}
}
