package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

func kindsCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "kinds",
		Usage:       s.T("server.kinds_usage"),
		Subcommands: []*cli.Command{kindsPublishCommand(s), kindsListCommand(s), kindsShowCommand(s)},
	}
}
