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
		Name:        "status",
		Usage:       s.T("server.status_usage"),
		Description: s.T("server.status_help"),
		Flags:       []cli.Flag{dataFlag(s), nodeFlag(s)},
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
			s, status := clikit.From(c), healthStatus(st.Checks)
			out := statusOut{st, stateWord(status)}
			if err := s.Print(out, func() error { return printStatus(s, out) }); err != nil || status == clikit.ExitOK {
				return err
			}
			return clikit.Outcome(status)
		},
	}
}

// statusOut is a node's status with one word for it: well, degraded or not_ready.
type statusOut struct {
	*gate.Status
	State string `json:"state"`
}

func printStatus(s *clikit.Session, st statusOut) error {
	var members []string
	for _, m := range st.Members {
		members = append(members, m.ID+" "+m.API)
	}
	fields := [][2]string{
		{s.T("server.state"), s.T("server.state_" + st.State)},
		{s.T("server.node"), st.Node}, {s.T("server.version"), st.Version}, {s.T("server.role"), s.T("server.role_" + st.Role)}, {s.T("server.leader"), st.Leader},
		{s.T("server.is_ready"), yesNo(s, st.Ready)}, {s.T("server.members"), strings.Join(members, ", ")},
		{s.T("server.head"), st.Head}, {s.T("server.applied"), fmt.Sprint(st.Applied)},
		{s.T("server.city"), st.City}, {s.T("server.devices"), fmt.Sprint(st.Devices)},
	}
	if u := st.Unions; u != nil {
		fields = append(fields, [2]string{s.T("server.unions"), s.T("server.unions_line", "all", fmt.Sprint(u.Grassroots),
			"fresh", fmt.Sprint(u.Fresh), "late", fmt.Sprint(u.Late), "never", fmt.Sprint(u.Never))})
		if u.Reconfirming > 0 {
			fields = append(fields, [2]string{s.T("server.reconfirming"), s.T("server.reconfirming_line", "n", fmt.Sprint(u.Reconfirming))})
		}
	}
	fields = append(fields, [2]string{s.T("server.health_address"), st.Health})
	if err := s.PrintFields(fields); err != nil {
		return err
	}
	return printBad(s, st.Checks)
}
