package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server/gate"
)

func deviceShowCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       s.T("server.device_show_usage"),
		ArgsUsage:   "DEVICE",
		Description: s.T("server.device_show_help"),
		Flags:       []cli.Flag{dataFlag(s), nodeFlag(s)},
		Action: func(c *cli.Context) error {
			s := clikit.From(c)
			args, err := clikit.Args(c, 1, 1, "DEVICE")
			if err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			d, err := a.Device(c.Context, args[0])
			if err != nil {
				return err
			}
			return s.Print(d, func() error { return printDevice(s, d) })
		},
	}
}

func printDevice(s *clikit.Session, d *gate.DeviceInfo) error {
	revoked := ""
	if d.Revoked {
		revoked = s.T("server.revoked_line", "time", ago(s, d.Since), "by", d.Operator, "reason", d.Reason, "n", fmt.Sprint(d.Held))
	}
	err := s.PrintFields([][2]string{
		{s.T("server.device"), d.Device}, {s.T("server.union"), strings.Join(d.Unions, " ")},
		{s.T("server.device_state"), s.T("server.device_" + d.State)}, {s.T("server.heard"), ago(s, d.Heard)},
		{s.T("server.complete"), ago(s, d.Complete)}, {s.T("server.waiting"), fmt.Sprint(d.Waiting)},
		{s.T("server.alarms"), fmt.Sprint(d.Alarms)}, {s.T("server.version"), warned(s, d.Version, d.OldVersion, "server.version_old")},
		{s.T("server.clock"), warned(s, clockWords(s, d), d.ClockWrong, "server.clock_wrong")},
		{s.T("server.enrolled"), ago(s, d.Enrolled)}, {s.T("server.certificate_until"), ago(s, d.Until)}, {s.T("server.revoked"), revoked},
	})
	if err != nil || len(d.Contacts) < 2 {
		return err
	}
	t := clikit.Table{Head: []string{s.T("server.union"), s.T("server.heard"), s.T("server.complete"), s.T("server.waiting"), s.T("server.alarms")}}
	for _, x := range d.Contacts {
		t.Rows = append(t.Rows, []string{x.Union, ago(s, x.Heard), ago(s, x.Complete), fmt.Sprint(x.Waiting), fmt.Sprint(x.Alarms)})
	}
	return s.PrintTable(t)
}

func warned(s *clikit.Session, value string, wrong bool, id string) string {
	if !wrong {
		return value
	}
	return value + " " + s.T(id)
}

// clockWords says how a PC's clock differs from the centre's.
func clockWords(s *clikit.Session, d *gate.DeviceInfo) string {
	switch {
	case d.Heard == 0:
		return ""
	case d.Clock > 5:
		return s.T("server.clock_ahead", "by", (time.Duration(d.Clock) * time.Second).String())
	case d.Clock < -5:
		return s.T("server.clock_behind", "by", (time.Duration(-d.Clock) * time.Second).String())
	}
	return s.T("server.clock_right")
}
