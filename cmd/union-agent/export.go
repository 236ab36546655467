package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/syncproto/kind"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (p program) export(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "export", Usage: s.T("agent.export_usage"), ArgsUsage: s.T("agent.export_args"),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "mask", Usage: s.T("agent.flag_mask")},
			&cli.BoolFlag{Name: "force", Usage: s.T("agent.flag_force")},
			&cli.StringFlag{Name: "fields", Usage: s.T("agent.flag_fields")},
		},
		Action: p.doExport,
	}
}

func (p program) doExport(c *cli.Context) error {
	s := clikit.From(c)
	args, err := clikit.Args(c, 2, 2, s.T("agent.word_kind"), s.T("agent.word_file"))
	if err != nil {
		return err
	}
	return p.with(c, func(a *agent.Agent, u *union.Union) error {
		k, err := agent.FindKind(a.Kinds(), args[0])
		if err != nil {
			return err
		}
		o := agent.ExportOptions{File: args[1], Lang: string(s.Lang), Mask: c.Bool("mask"), Force: c.Bool("force")}
		if c.String("fields") != "" {
			fields, err := columns(k, c.String("fields"))
			if err != nil {
				return err
			}
			for _, f := range fields {
				o.Fields = append(o.Fields, f.Name)
			}
		}
		n, err := o.Run(c.Context, u, k)
		if err != nil {
			return err
		}
		out := map[string]any{"kind": k.Name, "file": args[1], "records": n}
		return s.Print(out, func() error {
			id := "agent.exported"
			if !o.Mask && slices.ContainsFunc(k.Fields, func(f *kind.Field) bool { return f.Sensitive }) {
				id = "agent.exported_full"
			}
			return s.Println(s.T(id, "n", fmt.Sprint(n), "file", args[1]))
		})
	})
}
