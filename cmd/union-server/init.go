package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server"
)

func initCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "init",
		Usage: s.T("server.init_usage"),
		Flags: append([]cli.Flag{
			dataFlag(s),
			&cli.StringFlag{Name: "id", Usage: s.T("server.flag_id")},
			&cli.StringFlag{Name: "city", Usage: s.T("server.flag_city"), Value: "unionsync"},
		}, addressFlags(s)...),
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			if err := clikit.Need(c, "id", "listen", "raft"); err != nil {
				return err
			}
			made, err := server.Init(c.String("data"), configOf(c), world())
			if err != nil {
				return err
			}
			return printMade(clikit.From(c), made)
		},
	}
}

func printMade(s *clikit.Session, m *server.Made) error {
	return s.Print(m, func() error {
		if err := s.PrintFields([][2]string{
			{s.T("server.node"), m.ID}, {s.T("server.folder"), m.Dir},
			{s.T("server.city"), m.City}, {s.T("server.cluster_key"), m.ClusterKey},
		}); err != nil {
			return err
		}
		s.Note(s.T("server.keep_key"))
		s.Note(s.T("server.next_serve", "dir", m.Dir))
		return nil
	})
}
