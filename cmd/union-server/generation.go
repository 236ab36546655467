package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

func generationCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "generation",
		Usage:       s.T("server.generation_usage"),
		Subcommands: []*cli.Command{generationBeginCommand(s), generationListCommand(s)},
	}
}
