package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server/archive"
)

func backupVerifyCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "verify",
		Usage:       s.T("server.backup_verify_usage"),
		Description: s.T("server.backup_verify_help"),
		ArgsUsage:   s.T("server.backup_arg"),
		Flags:       vaultFlags(s),
		Action: func(c *cli.Context) error {
			name, err := optional(c)
			if err != nil {
				return err
			}
			v, err := vault(c)
			if err != nil {
				return err
			}
			m, err := v.Find(c.Context, name)
			if err != nil {
				return err
			}
			step, done := steps(clikit.From(c))
			r, err := v.TryOut(c.Context, m.Name, step)
			done()
			return printReport(clikit.From(c), r, err)
		},
	}
}

func backupDrillCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "drill",
		Usage:       s.T("server.backup_drill_usage"),
		Description: s.T("server.backup_drill_help"),
		Flags:       vaultFlags(s),
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			v, err := vault(c)
			if err != nil {
				return err
			}
			step, done := steps(clikit.From(c))
			r, err := v.TryOut(c.Context, "", step)
			done()
			return printReport(clikit.From(c), r, err)
		},
	}
}

// printReport says what came of it; anything that is not as it was written ends with the
// status of a disk that failed.
func printReport(s *clikit.Session, r *archive.Report, err error) error {
	if err != nil {
		return err
	}
	err = s.Print(r, func() error {
		fields := [][2]string{{s.T("server.backup_name"), orElse(r.Backup, s.T("server.backup_unusable"))}}
		if r.Backup != "" {
			fields = append(fields, [][2]string{
				{s.T("server.backup_time"), clock(r.Made)}, {s.T("server.position"), r.Position.String()}, {s.T("server.applied"), fmt.Sprint(r.Index)},
				{s.T("server.backup_log"), logWords(s, r.Log)},
				{s.T("server.backup_holds"), tally(s, r.Tally.Changes, r.Tally.Records, r.Tally.Unions, r.Tally.Devices)},
				{s.T("server.backup_members"), fmt.Sprint(r.Members)}, {s.T("server.backup_digest"), r.Digest},
			}...)
		}
		return s.PrintFields(fields)
	})
	if err != nil || r.OK() {
		return err
	}
	if !s.JSON {
		s.Note(s.T("server.backup_problems", "n", fmt.Sprint(len(r.Problems))))
		showProblems(s, r.Problems)
	}
	return clikit.Outcome(clikit.ExitStorage)
}

func logWords(s *clikit.Session, l archive.LogEnd) string {
	if l.Segments == 0 {
		return s.T("server.backup_no_log")
	}
	return s.T("server.backup_log_line", "entries", fmt.Sprint(l.Entries), "position", l.Position.String(), "time", clock(l.Time))
}
