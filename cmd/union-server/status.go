package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server/gate"
)

func statusCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: s.T("server.status_usage"),
		Flags: []cli.Flag{dataFlag(s), nodeFlag(s)},
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			st, err := a.Status(c.Context)
			if err != nil {
				return err
			}
			return clikit.From(c).Print(st, func() error { return printStatus(clikit.From(c), st) })
		},
	}
}

func printStatus(s *clikit.Session, st *gate.Status) error {
	var members []string
	for _, m := range st.Members {
		members = append(members, m.ID+" "+m.API)
	}
	fields := [][2]string{
		{s.T("server.node"), st.Node}, {s.T("server.role"), s.T("server.role_" + st.Role)}, {s.T("server.leader"), st.Leader},
		{s.T("server.is_ready"), yesNo(s, st.Ready)}, {s.T("server.members"), strings.Join(members, ", ")},
		{s.T("server.head"), st.Head}, {s.T("server.applied"), fmt.Sprint(st.Applied)},
		{s.T("server.city"), st.City}, {s.T("server.devices"), fmt.Sprint(st.Devices)},
	}
	if u := st.Unions; u != nil {
		fields = append(fields, [2]string{s.T("server.unions"), s.T("server.unions_line", "all", fmt.Sprint(u.Grassroots),
			"fresh", fmt.Sprint(u.Fresh), "late", fmt.Sprint(u.Late), "never", fmt.Sprint(u.Never))})
	}
	return s.PrintFields(fields)
}
