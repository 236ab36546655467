package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/server/gate"
)

func deviceListCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: s.T("server.device_list_usage"),
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.StringFlag{Name: "union", Usage: s.T("server.flag_union")},
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
			r, err := a.ListDevices(c.Context, c.String("union"))
			if err != nil {
				return err
			}
			return clikit.From(c).Print(r, func() error { return printDevices(clikit.From(c), r.Devices) })
		},
	}
}

// shownDigits is how much of a device's id a list shows: enough to type it.
const shownDigits = 12

func printDevices(s *clikit.Session, devices []gate.DeviceInfo) error {
	t := clikit.Table{Head: []string{
		s.T("server.device"), s.T("server.union"), s.T("server.heard"), s.T("server.complete"), s.T("server.waiting"),
		s.T("server.version"), s.T("server.certificate_until"), s.T("server.revoked"),
	}}
	for _, d := range devices {
		revoked := ""
		if d.Revoked {
			revoked = s.T("server.revoked_line", "time", ago(s, d.Since), "by", d.Operator, "reason", d.Reason, "n", fmt.Sprint(d.Held))
		}
		t.Rows = append(t.Rows, []string{
			d.Device[:min(len(d.Device), shownDigits)], strings.Join(d.Unions, " "), ago(s, d.Heard), ago(s, d.Complete),
			fmt.Sprint(d.Waiting), d.Version, ago(s, d.Until), revoked,
		})
	}
	return s.PrintTable(t)
}
