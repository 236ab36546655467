package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto/kind"
)

func findingsCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "findings",
		Usage:       s.T("server.findings_usage"),
		Subcommands: []*cli.Command{findingsListCommand(s)},
	}
}

func findingsListCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: s.T("server.findings_list_usage"),
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.StringFlag{Name: "union", Usage: s.T("server.findings_flag_union")},
			&cli.BoolFlag{Name: "closed", Usage: s.T("server.findings_flag_closed")},
		},
		Action: func(c *cli.Context) error {
			s := clikit.From(c)
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			all, err := a.ListFindings(c.Context, &unionrpc.ListFindingsRequest{Union: c.String("union"), Closed: c.Bool("closed")})
			if err != nil {
				return err
			}
			return s.Print(map[string]any{"findings": all}, func() error {
				t := clikit.Table{Head: []string{s.T("server.union"), s.T("server.kind"), s.T("server.record"),
					s.T("server.severity"), s.T("server.problem"), s.T("server.kinds_state")}}
				for _, f := range all {
					t.Rows = append(t.Rows, []string{f.Union, f.Kind, f.Record, f.Severity,
						fmt.Sprintf("%s (%s)", kind.Label{Zh: f.Zh, En: f.En}.In(string(s.Lang)), f.Rule), s.T("server.finding_" + f.State)})
				}
				return s.PrintTable(t)
			})
		},
	}
}
