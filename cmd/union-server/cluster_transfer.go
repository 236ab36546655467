package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

func clusterTransferCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:      "transfer",
		Usage:     s.T("server.cluster_transfer_usage"),
		ArgsUsage: "[NODE]",
		Flags:     []cli.Flag{dataFlag(s), nodeFlag(s)},
		Action: func(c *cli.Context) error {
			args, err := clikit.Args(c, 0, 1, "NODE")
			if err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			to := ""
			if len(args) > 0 {
				to = args[0]
			}
			moved, err := a.Transfer(c.Context, to)
			if err != nil {
				return err
			}
			s := clikit.From(c)
			return s.Print(moved, func() error { return s.Println(s.T("server.moved", "from", moved.From, "to", moved.To)) })
		},
	}
}
