package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

func (p program) findings(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "findings", Usage: s.T("agent.findings_usage"),
		Flags: []cli.Flag{&cli.BoolFlag{Name: "closed", Usage: s.T("agent.findings_flag_closed")}},
		Action: func(c *cli.Context) error {
			s := clikit.From(c)
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			return p.with(c, func(a *agent.Agent, u *union.Union) error {
				all, err := a.Findings(c.Context, u, c.Bool("closed"))
				if err != nil {
					return err
				}
				return s.Print(map[string]any{"findings": all}, func() error { return viewOf(c, u).printFindings(a, all) })
			})
		},
	}
}

// printFindings writes a line for each: the record as a person knows it, and the sentence.
func (v view) printFindings(a *agent.Agent, all []agent.Finding) error {
	t := clikit.Table{Head: []string{v.s.T("agent.word_kind"), v.s.T("agent.findings_record"), v.s.T("agent.findings_severity"), v.s.T("agent.findings_problem"), v.s.T("agent.word_state")}}
	for _, f := range all {
		label, record := f.Kind, f.Record
		if k, ok := a.Kinds().Kind(f.Kind); ok {
			label = k.Label.In(v.lang())
			if id, err := syncproto.ParseRecordID(f.Record); err == nil {
				record = v.reference(f.Kind, id)
			}
		}
		t.Rows = append(t.Rows, []string{label, record, f.Severity,
			fmt.Sprintf("%s (%s)", kind.Label{Zh: f.Zh, En: f.En}.In(v.lang()), f.Rule), v.s.T("agent.finding_" + f.State)})
	}
	if len(t.Rows) > 0 {
		if err := v.s.PrintTable(t); err != nil {
			return err
		}
	}
	return v.s.Println(v.s.T("cli.total_rows", "n", fmt.Sprint(len(all))))
}
