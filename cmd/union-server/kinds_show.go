package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
)

func kindsShowCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     s.T("server.kinds_show_usage"),
		ArgsUsage: "NAME",
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.UintFlag{Name: "version", Usage: s.T("server.kinds_flag_version")},
		},
		Action: func(c *cli.Context) error {
			s := clikit.From(c)
			args, err := clikit.Args(c, 1, 1, "NAME")
			if err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			kinds, yaml, err := a.ListKinds(c.Context, &unionrpc.ListKindsRequest{Kind: args[0], Version: uint32(c.Uint("version"))})
			if err != nil {
				return err
			}
			out := map[string]any{"yaml": string(yaml)}
			for _, k := range kinds {
				out["kind"] = k
			}
			return s.Print(out, func() error { return s.Println(strings.TrimRight(string(yaml), "\n")) })
		},
	}
}
