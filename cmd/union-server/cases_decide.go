package main

import (
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
)

// casesDecideCommand settles a case in one way; the words of args are its arguments.
func casesDecideCommand(s *clikit.Session, verb, args string) *cli.Command {
	names := strings.Fields(args)
	return &cli.Command{
		Name:      verb,
		Usage:     s.T("server.cases_" + verb + "_usage"),
		ArgsUsage: args,
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.StringFlag{Name: "union", Usage: s.T("server.flag_decide_union")},
			&cli.Uint64Flag{Name: "seen", Usage: s.T("server.flag_seen")},
			&cli.StringFlag{Name: "operator", Usage: s.T("server.flag_operator")},
			&cli.StringFlag{Name: "note", Usage: s.T("server.flag_note")},
		},
		Action: func(c *cli.Context) error {
			got, err := clikit.Args(c, len(names), len(names), names...)
			if err != nil {
				return err
			}
			if err := clikit.Need(c, "union"); err != nil {
				return err
			}
			q := &unionrpc.DecideRequest{
				Union: c.String("union"), Case: got[0], Verb: verb, Operator: c.String("operator"), Note: c.String("note"), Seen: c.Uint64("seen"),
			}
			if len(got) > 1 {
				n, err := strconv.ParseUint(got[1], 10, 32)
				if err != nil {
					return clikit.Usage(clikit.From(c).T("server.choice_number"))
				}
				q.Choice = uint32(n)
			}
			return decideCase(c, q)
		},
	}
}

func decideCase(c *cli.Context, q *unionrpc.DecideRequest) error {
	a, err := admin(c)
	if err != nil {
		return err
	}
	defer a.Close()
	done, err := a.Decide(c.Context, q)
	if err != nil {
		return err
	}
	s := clikit.From(c)
	return s.Print(done, func() error {
		if done.Closed {
			return s.Println(s.T("server.case_settled"))
		}
		return s.Println(s.T("server.case_still_open") + " " + whatOf(s, done))
	})
}
