package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/internal/atomicfile"
	"unionsync/internal/clikit"
	"unionsync/server"
	"unionsync/syncproto"
)

func debugCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "debug",
		Usage:       s.T("server.debug_usage"),
		Description: s.T("server.debug_help"),
		Flags: []cli.Flag{
			dataFlag(s),
			&cli.StringFlag{Name: "out", Usage: s.T("server.debug_flag_out")},
			&cli.DurationFlag{Name: "profile", Usage: s.T("server.debug_flag_profile"), Value: 5 * time.Second},
		},
		Action: func(c *cli.Context) error {
			s := clikit.From(c)
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			out := orElse(c.String("out"), "union-server-debug-"+s.Now().Format("20060102-150405")+".tar.gz")
			if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
				return syncproto.Fail(syncproto.CodeExportExists, "write debug bundle", err, "file", filepath.Base(out))
			}
			p := s.Progress(s.T("server.debug_collecting"))
			p.Say("")
			parts, packed, err := server.Debug(c.Context, server.Debugging{
				Dir: c.String("data"), Env: s.Env, Now: s.Now, Version: version, Profile: c.Duration("profile"),
			})
			p.Done()
			if err != nil {
				return err
			}
			if err := atomicfile.Write(out, packed, 0o600); err != nil {
				return err
			}
			return s.Print(map[string]any{"file": out, "parts": parts}, func() error { return printParts(s, out, parts) })
		},
	}
}

func printParts(s *clikit.Session, file string, parts []server.DebugPart) error {
	t := clikit.Table{Head: []string{s.T("server.debug_part"), s.T("server.debug_bytes"), s.T("server.debug_lacks")}}
	for _, p := range parts {
		t.Rows = append(t.Rows, []string{p.Name, fmt.Sprint(p.Bytes), p.Lacks})
	}
	if err := s.PrintTable(t); err != nil {
		return err
	}
	s.Note(s.T("server.debug_written", "file", file))
	return nil
}
