package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server"
)

func restoreCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "restore",
		Usage:       s.T("server.restore_usage"),
		Description: s.T("server.restore_help"),
		Flags: append([]cli.Flag{
			dataFlag(s),
			&cli.StringFlag{Name: "id", Usage: s.T("server.flag_id")},
			&cli.StringFlag{Name: "from", Usage: s.T("server.flag_from")},
			&cli.StringFlag{Name: "cluster-key", Usage: s.T("server.flag_cluster_key")},
			&cli.StringFlag{Name: "name", Usage: s.T("server.flag_restore_name")},
			&cli.BoolFlag{Name: "no-log", Usage: s.T("server.flag_no_log")},
			&cli.BoolFlag{Name: "accept-loss", Usage: s.T("server.flag_accept_loss")},
			&cli.StringFlag{Name: "survivor", Usage: s.T("server.flag_survivor")},
			&cli.StringFlag{Name: "reason", Usage: s.T("server.flag_reason")},
			&cli.StringFlag{Name: "operator", Usage: s.T("server.flag_operator")},
		}, addressFlags(s)...),
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			if err := clikit.Need(c, "id", "listen", "raft", "from", "cluster-key", "reason"); err != nil {
				return err
			}
			step, done := steps(clikit.From(c))
			r, err := server.Restore(c.Context, c.String("data"), configOf(c), server.Restoring{
				From: c.String("from"), ClusterKey: c.String("cluster-key"), Backup: c.String("name"), NoLog: c.Bool("no-log"),
				AcceptLoss: c.Bool("accept-loss"), Survivor: c.String("survivor"), Operator: c.String("operator"), Reason: c.String("reason"),
				Step: step,
			}, world(), storeEnv(c))
			done()
			if err != nil {
				return err
			}
			return clikit.From(c).Print(r, func() error { return printRestored(clikit.From(c), r) })
		},
	}
}

func printRestored(s *clikit.Session, r *server.Restored) error {
	err := s.PrintFields([][2]string{
		{s.T("server.node"), r.ID}, {s.T("server.folder"), r.Dir}, {s.T("server.city"), r.City},
		{s.T("server.backup_name"), orElse(r.Backup, s.T("server.restore_from_survivor"))},
		{s.T("server.backup_log"), logWords(s, r.Log)}, {s.T("server.position"), r.Position.String()},
		{s.T("server.backup_holds"), tally(s, r.Tally.Changes, r.Tally.Records, r.Tally.Unions, r.Tally.Devices)},
		{s.T("server.generation"), fmt.Sprint(r.Generation)}, {s.T("server.base"), r.Base.String()},
	})
	if err != nil {
		return err
	}
	for _, p := range r.Lost {
		s.Note(s.T("server.restore_lost", "position", p.String()))
	}
	showProblems(s, r.Unusable)
	if r.LogFault != 0 {
		s.Note(s.T("server.restore_log_fault"))
	}
	s.Note(s.T("server.restore_missing", "time", clock(r.Time)))
	s.Note(s.T("server.next_serve", "dir", r.Dir))
	return nil
}
