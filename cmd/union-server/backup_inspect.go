package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server/archive"
)

func backupInspectCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "inspect",
		Usage:       s.T("server.backup_inspect_usage"),
		Description: s.T("server.backup_inspect_help"),
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
			s := clikit.From(c)
			p := s.Progress(s.T("server.backup_comparing"))
			err = v.CheckParts(c.Context, m, p.Step)
			p.Done()
			if err != nil {
				return err
			}
			return s.Print(m, func() error { return printManifest(s, m) })
		},
	}
}

func printManifest(s *clikit.Session, m *archive.Manifest) error {
	return s.PrintFields([][2]string{
		{s.T("server.backup_name"), m.Name}, {s.T("server.city"), m.City}, {s.T("server.node"), m.Node},
		{s.T("server.backup_time"), clock(m.Made)}, {s.T("server.position"), m.Position.String()}, {s.T("server.applied"), fmt.Sprint(m.Index)},
		{s.T("server.backup_log_time"), clock(m.Time)}, {s.T("server.watermark"), m.Watermark.String()},
		{s.T("server.backup_size"), size(m.Bytes)}, {s.T("server.backup_stored"), size(m.Stored())},
		{s.T("server.backup_parts"), fmt.Sprint(len(m.Parts))}, {s.T("server.backup_holds"), tally(s, m.Tally.Changes, m.Tally.Records, m.Tally.Unions, m.Tally.Devices)},
		{s.T("server.backup_digest"), m.Digest}, {s.T("server.backup_version"), m.Version},
	})
}

func tally(s *clikit.Session, changes, records, unions, devices int) string {
	return s.T("server.backup_tally", "changes", fmt.Sprint(changes), "records", fmt.Sprint(records), "unions", fmt.Sprint(unions), "devices", fmt.Sprint(devices))
}
