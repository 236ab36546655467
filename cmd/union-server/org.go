package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

func orgCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "org",
		Usage:       s.T("server.org_usage"),
		Subcommands: []*cli.Command{orgImportCommand(s), orgListCommand(s)},
	}
}
