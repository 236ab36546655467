package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

func (p program) move(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "move", Usage: s.T("agent.move_usage"), Description: s.T("agent.move_help"),
		Subcommands: []*cli.Command{
			{
				Name: "export", Usage: s.T("agent.move_export_usage"), Action: p.moveExport,
				Flags: []cli.Flag{&cli.StringFlag{Name: "to", Usage: s.T("agent.flag_move_to")}},
			},
			{
				Name: "import", Usage: s.T("agent.move_import_usage"), ArgsUsage: "FILE", Action: p.moveImport,
				Flags: []cli.Flag{&cli.StringFlag{Name: "code", Usage: s.T("agent.flag_move_code")}},
			},
			{
				Name: "cancel", Usage: s.T("agent.move_cancel_usage"), Action: p.moveCancel,
				Flags: []cli.Flag{&cli.BoolFlag{Name: "not-imported", Usage: s.T("agent.flag_not_imported")}},
			},
		},
	}
}

func (p program) moveExport(c *cli.Context) error {
	s := clikit.From(c)
	if _, err := clikit.Args(c, 0, 0); err != nil {
		return err
	}
	if err := clikit.Need(c, "to"); err != nil {
		return err
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	m, err := a.MoveExport(c.Context, c.String("to"))
	if err != nil {
		return err
	}
	return s.Print(map[string]any{"file": m.Path, "code": m.Code, "unions": m.Unions}, func() error {
		err := s.PrintFields([][2]string{{s.T("agent.move_file"), m.Path}, {s.T("agent.move_code"), m.Code}})
		if err == nil {
			err = s.Println(s.T("agent.move_exported"))
		}
		return err
	})
}

func (p program) moveImport(c *cli.Context) error {
	s := clikit.From(c)
	args, err := clikit.Args(c, 1, 1, "FILE")
	if err != nil {
		return err
	}
	if err := clikit.Need(c, "code"); err != nil {
		return err
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	unions, err := a.MoveImport(c.Context, args[0], c.String("code"))
	if err != nil {
		return err
	}
	return s.Print(map[string]any{"unions": unions}, func() error {
		return s.Println(s.T("agent.move_imported", "unions", strings.Join(unions, " ")))
	})
}

func (p program) moveCancel(c *cli.Context) error {
	s := clikit.From(c)
	if _, err := clikit.Args(c, 0, 0); err != nil {
		return err
	}
	if err := clikit.Need(c, "not-imported"); err != nil {
		return err
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	if err := a.MoveCancel(); err != nil {
		return err
	}
	return s.Print(map[string]any{"moved": false}, func() error { return s.Println(s.T("agent.move_cancelled")) })
}
