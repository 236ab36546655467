package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server"
)

func joinCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "join",
		Usage: s.T("server.join_usage"),
		Flags: append([]cli.Flag{
			dataFlag(s),
			&cli.StringFlag{Name: "id", Usage: s.T("server.flag_id")},
			&cli.StringFlag{Name: "centre", Usage: s.T("server.flag_centre")},
			&cli.StringFlag{Name: "cluster-key", Usage: s.T("server.flag_cluster_key")},
		}, addressFlags(s)...),
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			if err := clikit.Need(c, "id", "listen", "raft", "centre"); err != nil {
				return err
			}
			how := server.Joining{Centre: c.String("centre"), ClusterKey: c.String("cluster-key")}
			made, err := server.Join(c.Context, c.String("data"), configOf(c), how, world())
			if err != nil {
				return err
			}
			return printMade(clikit.From(c), made)
		},
	}
}
