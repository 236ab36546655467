package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server"
	"unionsync/syncproto"
)

func clusterRebuildCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "rebuild",
		Usage:       s.T("server.cluster_rebuild_usage"),
		Description: s.T("server.cluster_rebuild_help"),
		Flags: []cli.Flag{
			dataFlag(s),
			&cli.BoolFlag{Name: "yes", Usage: s.T("server.flag_yes")},
		},
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			if !c.Bool("yes") {
				return syncproto.Fail(syncproto.CodeUnconfirmed, "rebuild", nil)
			}
			opt, err := offline(c)
			if err != nil {
				return err
			}
			left, err := server.Rebuild(c.Context, *opt)
			if err != nil {
				return err
			}
			s := clikit.From(c)
			return s.Print(left, func() error { return s.Println(s.T("server.rebuilt", "node", left.Node)) })
		},
	}
}
