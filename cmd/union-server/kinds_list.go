package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto/kind"
)

func kindsListCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: s.T("server.kinds_list_usage"),
		Flags: []cli.Flag{dataFlag(s), nodeFlag(s)},
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
			kinds, _, err := a.ListKinds(c.Context, new(unionrpc.ListKindsRequest))
			if err != nil {
				return err
			}
			return s.Print(map[string]any{"kinds": kinds}, func() error {
				t := clikit.Table{Head: []string{s.T("server.kinds_number"), s.T("server.kind"), s.T("server.name"),
					s.T("server.kinds_version"), s.T("server.kinds_kept")}}
				for _, k := range kinds {
					var kept []string
					for _, v := range k.Versions {
						kept = append(kept, fmt.Sprint(v))
					}
					t.Rows = append(t.Rows, []string{fmt.Sprint(k.Number), k.Kind, kind.Label{Zh: k.Zh, En: k.En}.In(string(s.Lang)),
						fmt.Sprint(k.Version), strings.Join(kept, " ")})
				}
				return s.PrintTable(t)
			})
		},
	}
}
