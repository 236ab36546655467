package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

func backupNowCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "now",
		Usage: s.T("server.backup_now_usage"),
		Flags: []cli.Flag{dataFlag(s), nodeFlag(s)},
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			s := clikit.From(c)
			p := s.Progress(s.T("server.backup_making"))
			st, err := a.BackUp(c.Context, func(n int64) { p.Say(size(n)) })
			p.Done()
			if err != nil {
				return err
			}
			return s.Print(st.Backup, func() error {
				return s.Println(s.T("server.backup_made", "name", st.Backup.Name, "position", st.Backup.Position.String(),
					"size", size(st.Backup.Stored)))
			})
		},
	}
}
