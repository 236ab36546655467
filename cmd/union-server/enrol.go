package main

import (
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server"
)

func enrolCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:      "enrol",
		Usage:     s.T("server.enrol_usage"),
		ArgsUsage: "UNION",
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.StringFlag{Name: "valid", Usage: s.T("server.flag_valid"), Value: "7d"},
		},
		Action: func(c *cli.Context) error {
			args, err := clikit.Args(c, 1, 1, "UNION")
			if err != nil {
				return err
			}
			valid, err := server.ParseDuration(c.String("valid"))
			if err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			r, err := a.CreateCode(c.Context, &unionrpc.CreateCodeRequest{Union: args[0], ValidSeconds: int64(valid / time.Second)})
			if err != nil {
				return err
			}
			return printCode(clikit.From(c), args[0], r, a.Addresses())
		},
	}
}

// code is an enrolment code as JSON shows it.
type code struct {
	Code      string   `json:"code"`
	Union     string   `json:"union"`
	UnionName string   `json:"union_name"`
	Expires   int64    `json:"expires"`
	Addresses []string `json:"addresses"`
}

func printCode(s *clikit.Session, union string, r *unionrpc.CreateCodeResponse, addresses []string) error {
	v := code{Code: r.GetCode(), Union: union, UnionName: r.GetUnionName(), Expires: r.GetExpires(), Addresses: addresses}
	return s.Print(v, func() error {
		err := s.PrintFields([][2]string{
			{s.T("server.code"), v.Code}, {s.T("server.union"), v.Union + " " + v.UnionName},
			{s.T("server.expires"), ago(s, v.Expires)}, {s.T("server.addresses"), strings.Join(v.Addresses, " ")},
		})
		s.Note(s.T("server.code_once"))
		return err
	})
}
