package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/gate"
)

func casesListCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: s.T("server.cases_list_usage"),
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.StringFlag{Name: "union", Usage: s.T("server.flag_case_union")},
			&cli.BoolFlag{Name: "closed", Usage: s.T("server.flag_closed")},
			&cli.BoolFlag{Name: "all", Usage: s.T("server.flag_case_all")},
		},
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			list, err := a.Cases(c.Context, &unionrpc.ListCasesRequest{Union: c.String("union"), Closed: c.Bool("closed"), All: c.Bool("all"), Lang: string(clikit.From(c).Lang)})
			if err != nil {
				return err
			}
			s := clikit.From(c)
			return s.Print(list, func() error { return printCases(s, list) })
		},
	}
}

func printCases(s *clikit.Session, list *gate.Cases) error {
	t := clikit.Table{Head: []string{
		s.T("server.case"), s.T("server.union"), s.T("server.case_type"), s.T("server.case_about"), s.T("server.case_what"),
	}}
	for i := range list.Cases {
		c := &list.Cases[i]
		kind := s.T("server.case_" + c.Type)
		if c.Closed {
			kind += s.T("server.case_closed")
		}
		if c.Unconfirmed {
			kind += s.T("server.case_unconfirmed")
		}
		about := strings.TrimSpace(strings.Join([]string{c.Kind, c.Record, c.Field}, " "))
		if about == "" {
			about = c.Journal
		}
		t.Rows = append(t.Rows, []string{c.ID, c.Union, kind, about, whatOf(s, c)})
	}
	if err := s.PrintTable(t); err != nil {
		return err
	}
	if list.LeftOut > 0 {
		s.Note(s.T("server.cases_left_out", "n", fmt.Sprint(list.LeftOut), "flag", "--all"))
	}
	s.Note(s.T("server.cases_seen", "position", fmt.Sprint(list.Position)))
	return nil
}

// whatOf shows the values to choose from, or what is held.
func whatOf(s *clikit.Session, c *gate.Case) string {
	var parts []string
	for _, v := range c.Values {
		value := v.Value
		if v.Cleared {
			value = s.T("server.case_cleared")
		}
		parts = append(parts, fmt.Sprintf("%d) %s%s", v.Number, value, by(s, v.By...)))
	}
	for _, h := range c.Held {
		var edits []string
		for _, name := range slices.Sorted(maps.Keys(h.Edits)) {
			edits = append(edits, name+"="+h.Edits[name])
		}
		parts = append(parts, s.T("agent.held_"+h.Reason)+s.T("bundle.colon")+strings.Join(edits, " ")+by(s, h.CaseWho))
	}
	for _, b := range c.Branches {
		parts = append(parts, s.T("server.case_branch")+by(s, b))
	}
	return strings.Join(parts, "; ")
}

func by(s *clikit.Session, who ...gate.CaseWho) string {
	var out []string
	for _, w := range who {
		out = append(out, orElse(w.Actor, s.T("server.case_unsigned"))+" "+ago(s, w.Time))
	}
	return " (" + strings.Join(out, ", ") + ")"
}
