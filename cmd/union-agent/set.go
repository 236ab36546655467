package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
)

const flagDropHeld = "drop-held"

func (p program) set(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "set", Usage: s.T("agent.set_usage"), ArgsUsage: s.T("agent.set_args"),
		Flags: append(editFlags(s), &cli.BoolFlag{Name: flagDropHeld, Usage: s.T("agent.flag_drop_held")}),
		Action: func(c *cli.Context) error {
			if c.Bool(flagDropHeld) {
				return p.dropHeld(c)
			}
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
					return withFields(s, row.Kind, err)
				}
				agent.Decide(&drafts[0], row)
				return p.save(c, u, drafts)
			})
		},
	}
}

// dropHeld ends the hold on a record's changes that the centre sent back.
func (p program) dropHeld(c *cli.Context) error {
	s := clikit.From(c)
	args, err := clikit.Args(c, 2, 2, s.T("agent.word_kind"), s.T("agent.word_id"))
	if err != nil {
		return err
	}
	return p.with(c, func(a *agent.Agent, u *union.Union) error {
		k, err := agent.FindKind(a.Kinds(), args[0])
		if err != nil {
			return err
		}
		id, err := agent.ResolveAny(c.Context, u, k, args[1])
		if err != nil {
			return err
		}
		saved, err := u.DropHeld(c.Context, k.Name, id, "", c.String(flagNote))
		if err != nil {
			return err
		}
		out := map[string]any{"kind": k.Name, "id": id.String(), "seq": saved.Place.Seq}
		return s.Print(out, func() error {
			return s.Println(s.T("agent.dropped", "kind", k.Label.In(string(s.Lang)), "id", short(id)))
		})
	})
}
