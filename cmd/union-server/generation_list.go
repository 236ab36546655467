package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

func generationListCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: s.T("server.generation_list_usage"),
		Flags: []cli.Flag{dataFlag(s), nodeFlag(s)},
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			all, err := a.Generations(c.Context)
			if err != nil {
				return err
			}
			s := clikit.From(c)
			return s.Print(map[string]any{"generations": all}, func() error {
				t := clikit.Table{Head: []string{
					s.T("server.generation"), s.T("server.base"), s.T("server.operator"), s.T("server.reason"),
				}}
				for _, g := range all {
					t.Rows = append(t.Rows, []string{fmt.Sprint(g.Number), g.Base, g.Operator, g.Reason})
				}
				return s.PrintTable(t)
			})
		},
	}
}
