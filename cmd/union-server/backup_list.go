package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server/archive"
	"unionsync/syncproto"
)

// backupRow is a backup in a list.
type backupRow struct {
	Name     string             `json:"name"`
	Usable   bool               `json:"usable"` // its manifest is as it was written; verify tells of the rest
	Code     syncproto.Code     `json:"code,omitempty"`
	Made     int64              `json:"made"`
	Position syncproto.Position `json:"position"`
	Node     string             `json:"node"`
	Bytes    int64              `json:"bytes"`
	Stored   int64              `json:"stored"`
}

func backupListCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: s.T("server.backup_list_usage"),
		Flags: vaultFlags(s),
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			v, err := vault(c)
			if err != nil {
				return err
			}
			all, err := v.List(c.Context)
			if err != nil {
				return err
			}
			return printBackups(clikit.From(c), all)
		},
	}
}

// printBackups lists them; one that cannot be used is something that waits for a person.
func printBackups(s *clikit.Session, all []archive.Listed) error {
	rows, bad := make([]backupRow, len(all)), false
	t := clikit.Table{Head: []string{s.T("server.backup_name"), s.T("server.backup_time"), s.T("server.position"),
		s.T("server.backup_stored"), s.T("server.node")}}
	for i, b := range all {
		rows[i] = backupRow{Name: b.Name}
		if b.Err != nil {
			rows[i].Code, bad = syncproto.CodeOf(b.Err), true
			t.Rows = append(t.Rows, []string{b.Name, s.T("server.backup_unusable"), "", "", ""})
			continue
		}
		m := b.Manifest
		rows[i] = backupRow{Name: m.Name, Usable: true, Made: m.Made, Position: m.Position, Node: m.Node, Bytes: m.Bytes, Stored: m.Stored()}
		t.Rows = append(t.Rows, []string{m.Name, clock(m.Made), m.Position.String(), size(m.Stored()), m.Node})
	}
	if err := s.Print(map[string]any{"backups": rows}, func() error { return s.PrintTable(t) }); err != nil {
		return err
	}
	if bad {
		return clikit.Outcome(clikit.ExitStorage)
	}
	return nil
}
