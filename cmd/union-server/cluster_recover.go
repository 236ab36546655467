package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server"
)

func clusterRecoverCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "recover",
		Usage:       s.T("server.cluster_recover_usage"),
		Description: s.T("server.cluster_recover_help"),
		Flags: []cli.Flag{
			dataFlag(s),
			&cli.StringFlag{Name: "reason", Usage: s.T("server.flag_reason")},
			&cli.StringFlag{Name: "operator", Usage: s.T("server.flag_operator")},
			&cli.BoolFlag{Name: "accept-loss", Usage: s.T("server.flag_recover_loss")},
		},
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			if err := clikit.Need(c, "reason"); err != nil {
				return err
			}
			s := clikit.From(c)
			opt, err := offline(c)
			if err != nil {
				return err
			}
			r, err := server.Recover(c.Context, *opt, server.Recovering{
				Operator: c.String("operator"), Reason: c.String("reason"), AcceptLoss: c.Bool("accept-loss"),
			})
			if err != nil {
				return err
			}
			return s.Print(r, func() error {
				return s.Println(s.T("server.recovered", "node", r.Node, "generation", fmt.Sprint(r.Generation), "base", r.Base,
					"lost", strings.Join(r.Lost, ", ")))
			})
		},
	}
}

// offline is what a command needs that works on the folder of a node that does not run.
func offline(c *cli.Context) (*server.Options, error) {
	s := clikit.From(c)
	cfg, err := server.LoadConfig(c.String("data"), s.Env, nil)
	if err != nil {
		return nil, err
	}
	log, err := cfg.NewLogger(s.Stderr)
	if err != nil {
		return nil, err
	}
	return &server.Options{Dir: c.String("data"), Config: cfg, World: world(), Log: log, Version: version}, nil
}
