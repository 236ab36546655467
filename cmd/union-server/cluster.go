package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

func clusterCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "cluster",
		Usage: s.T("server.cluster_usage"),
		Subcommands: []*cli.Command{
			clusterStatusCommand(s), joinCommand(s), clusterLeaveCommand(s), clusterTransferCommand(s), clusterRecoverCommand(s),
		},
	}
}
