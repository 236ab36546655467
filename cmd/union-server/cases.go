package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

func casesCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "cases",
		Usage: s.T("server.cases_usage"),
		Subcommands: []*cli.Command{
			casesListCommand(s),
			casesDecideCommand(s, "accept", "CASE"), casesDecideCommand(s, "drop", "CASE"),
			casesDecideCommand(s, "choose", "CASE NUMBER"), casesDecideCommand(s, "close", "CASE"),
		},
	}
}
