package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
)

func (p program) find(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "find", Usage: s.T("agent.find_usage"), ArgsUsage: s.T("agent.find_args"),
		Flags: []cli.Flag{&cli.IntFlag{Name: "limit", Usage: s.T("agent.flag_limit"), Value: 100}, revealFlag(s)},
		Action: func(c *cli.Context) error {
			args, err := clikit.Args(c, 1, -1, s.T("agent.find_args"))
			if err != nil {
				return err
			}
			return p.with(c, func(_ *agent.Agent, u *union.Union) error {
				rows, err := u.Find(c.Context, strings.Join(args, " "), c.Int("limit"))
				if err != nil {
					return err
				}
				v := viewOf(c, u)
				out := []recordOut{}
				for _, r := range rows {
					out = append(out, v.record(r))
				}
				if err := s.Print(out, func() error { return v.printFound(rows) }); err != nil {
					return err
				}
				if len(rows) == 0 {
					return clikit.Outcome(clikit.ExitInput)
				}
				return nil
			})
		},
	}
}

func (v view) printFound(rows []union.Row) error {
	s := v.s
	t := clikit.Table{Head: []string{s.T("agent.word_kind"), s.T("agent.word_id"), s.T("agent.word_title"), s.T("agent.word_more")}}
	for _, r := range rows {
		var more []string
		fields, err := columns(r.Kind, "")
		if err != nil {
			return err
		}
		for _, f := range fields {
			if f.Name != r.Kind.Title && len(r.Values[f.Number]) > 0 && len(more) < 3 {
				more = append(more, v.value(f, r.Values[f.Number]))
			}
		}
		t.Rows = append(t.Rows, []string{r.Kind.Label.In(v.lang()), short(r.ID), v.title(r), strings.Join(more, "; ")})
	}
	if len(rows) > 0 {
		if err := s.PrintTable(t); err != nil {
			return err
		}
	}
	return s.Println(s.T("cli.total_rows", "n", fmt.Sprint(len(rows))))
}
