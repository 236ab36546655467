package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server/gate"
	"unionsync/syncproto"
)

func deviceRevokeCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "revoke",
		Usage:       s.T("server.device_revoke_usage"),
		ArgsUsage:   "DEVICE",
		Description: s.T("server.device_revoke_help"),
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.StringFlag{Name: "operator", Usage: s.T("server.flag_operator")},
			&cli.StringFlag{Name: "reason", Usage: s.T("server.flag_revoke_reason")},
			&cli.BoolFlag{Name: "yes", Usage: s.T("server.flag_yes")},
		},
		Action: func(c *cli.Context) error {
			args, err := clikit.Args(c, 1, 1, "DEVICE")
			if err != nil {
				return err
			}
			if err := clikit.Need(c, "reason"); err != nil {
				return err
			}
			if !c.Bool("yes") {
				return syncproto.Fail(syncproto.CodeUnconfirmed, "revoke", nil)
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			r, err := a.Revoke(c.Context, &unionrpc.RevokeRequest{Device: args[0], Operator: c.String("operator"), Reason: c.String("reason")})
			if err != nil {
				return err
			}
			return clikit.From(c).Print(r, func() error { return printRevoked(clikit.From(c), r) })
		},
	}
}

func printRevoked(s *clikit.Session, r *gate.Revoked) error {
	id := "server.revoked_now"
	if r.Before {
		id = "server.revoked_before"
	}
	if err := s.Println(s.T(id, "device", r.Device)); err != nil || len(r.Unions) == 0 {
		return err
	}
	t := clikit.Table{Head: []string{s.T("server.union"), s.T("server.journal"), s.T("server.accepted")}}
	for _, u := range r.Unions {
		for _, p := range u.Places {
			t.Rows = append(t.Rows, []string{u.Union, p.Journal, fmt.Sprint(p.Seq)})
		}
		if len(u.Places) == 0 {
			t.Rows = append(t.Rows, []string{u.Union, "", "0"})
		}
	}
	return s.PrintTable(t)
}
