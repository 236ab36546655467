package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

func deviceCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "device",
		Usage:       s.T("server.device_usage"),
		Subcommands: []*cli.Command{deviceListCommand(s), deviceShowCommand(s), deviceRevokeCommand(s)},
	}
}
