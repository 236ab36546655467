package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server"
	"unionsync/syncproto"
)

func clusterLeaveCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "leave",
		Usage:       s.T("server.cluster_leave_usage"),
		ArgsUsage:   "[NODE]",
		Description: s.T("server.cluster_leave_help"),
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.BoolFlag{Name: "dead", Usage: s.T("server.flag_dead")},
			&cli.BoolFlag{Name: "yes", Usage: s.T("server.flag_yes")},
		},
		Action: func(c *cli.Context) error {
			args, err := clikit.Args(c, 0, 1, "NODE")
			if err != nil {
				return err
			}
			s := clikit.From(c)
			node, err := nodeOrOwn(c, args)
			if err != nil {
				return err
			}
			if !c.Bool("yes") {
				return syncproto.Fail(syncproto.CodeUnconfirmed, "leave", nil)
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			left, err := a.Leave(c.Context, &unionrpc.LeaveRequest{Node: node, Dead: c.Bool("dead")})
			if err != nil {
				return err
			}
			if left.Spare == 0 {
				s.Note(s.T("server.no_spare"))
			}
			return s.Print(left, func() error {
				return s.Println(s.T("server.left", "node", left.Node, "members", strings.Join(left.Members, ", "), "spare", fmt.Sprint(left.Spare)))
			})
		},
	}
}

// nodeOrOwn is the node that is named, or the one in whose folder the command works.
func nodeOrOwn(c *cli.Context, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	cfg, err := server.LoadConfig(c.String("data"), clikit.From(c).Env, nil)
	if err != nil {
		return "", err
	}
	return cfg.ID, nil
}
