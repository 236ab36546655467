package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server"
)

func generationBeginCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "begin",
		Usage:       s.T("server.generation_begin_usage"),
		Description: s.T("server.generation_begin_description"),
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.StringFlag{Name: "reason", Usage: s.T("server.flag_reason")},
			&cli.StringFlag{Name: "operator", Usage: s.T("server.flag_operator")},
			&cli.StringFlag{Name: "base", Usage: s.T("server.flag_base")},
		},
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			if err := clikit.Need(c, "reason"); err != nil {
				return err
			}
			q := &unionrpc.BeginGenerationRequest{Reason: c.String("reason"), Operator: c.String("operator")}
			if c.IsSet("base") {
				base, err := server.ParsePosition(c.String("base"))
				if err != nil {
					return err
				}
				q.Base = (*uint64)(&base)
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			g, err := a.BeginGeneration(c.Context, q)
			if err != nil {
				return err
			}
			return clikit.From(c).Print(g, func() error {
				s := clikit.From(c)
				return s.Println(s.T("server.generation_begun", "number", fmt.Sprint(g.Number), "base", g.Base))
			})
		},
	}
}
