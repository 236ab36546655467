package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

func (p program) kinds(s *clikit.Session) *cli.Command {
	return &cli.Command{Name: "kinds", Usage: s.T("agent.kinds_usage"), Action: p.doKinds}
}

func (p program) doKinds(c *cli.Context) error {
	s := clikit.From(c)
	if _, err := clikit.Args(c, 0, 0); err != nil {
		return err
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	all, asides := a.KindOrigins()
	if asides == nil {
		asides = []string{}
	}
	err = s.Print(map[string]any{"kinds": all, "set_aside": asides}, func() error {
		t := clikit.Table{Head: []string{s.T("agent.kinds_number"), s.T("agent.word_kind"), s.T("agent.kinds_name"), s.T("agent.kinds_version"), s.T("agent.kinds_from")}}
		for _, k := range all {
			from := "agent.kinds_builtin"
			switch {
			case k.Waiting:
				from = "agent.kinds_waiting"
			case k.Centre:
				from = "agent.kinds_centre"
			}
			t.Rows = append(t.Rows, []string{fmt.Sprint(k.Number), k.Kind, kind.Label{Zh: k.Zh, En: k.En}.In(string(s.Lang)), fmt.Sprint(k.Version), s.T(from)})
		}
		return s.PrintTable(t)
	})
	if err != nil || len(asides) == 0 {
		return err
	}
	if s.JSON {
		return clikit.Outcome(clikit.ExitAttention)
	}
	return syncproto.Fail(syncproto.CodeKindAside, "list kinds", nil)
}
