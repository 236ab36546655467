package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server"
)

func orgListCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: s.T("server.org_list_usage"),
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.StringFlag{Name: "parent", Usage: s.T("server.flag_parent")},
			&cli.StringFlag{Name: "text", Usage: s.T("server.flag_text")},
		},
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			r, err := a.ListOrg(c.Context, &unionrpc.ListOrgRequest{Parent: c.String("parent"), Text: c.String("text")})
			if err != nil {
				return err
			}
			return printUnits(clikit.From(c), server.Units(r))
		},
	}
}

func printUnits(s *clikit.Session, units []server.Unit) error {
	return s.Print(map[string]any{"units": units}, func() error {
		t := clikit.Table{Head: []string{
			s.T("server.union"), s.T("server.name"), s.T("server.level"), s.T("server.parent"),
			s.T("server.devices"), s.T("server.complete"), s.T("server.proved"), s.T("server.waiting"),
		}}
		for _, u := range units {
			t.Rows = append(t.Rows, []string{
				u.Code, u.Name, server.LevelName(u.Level, string(s.Lang)), u.Parent, fmt.Sprint(u.Devices), ago(s, u.Complete), yesNo(s, u.Proved), fmt.Sprint(u.Waiting),
			})
		}
		return s.PrintTable(t)
	})
}

func yesNo(s *clikit.Session, b bool) string {
	if b {
		return s.T("word.yes")
	}
	return s.T("word.no")
}
