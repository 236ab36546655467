package main

import (
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/server"
	"unionsync/server/census"
)

func countsCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "counts",
		Usage:       s.T("server.counts_usage"),
		Description: s.T("server.counts_help"),
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.StringFlag{Name: "day", Usage: s.T("server.flag_day")},
			&cli.StringFlag{Name: "by", Usage: s.T("server.flag_by")},
			&cli.StringSliceFlag{Name: "where", Usage: s.T("server.flag_where")},
			&cli.BoolFlag{Name: "zeros", Usage: s.T("server.flag_zeros")},
			&cli.BoolFlag{Name: "csv", Usage: s.T("server.flag_csv")},
			&cli.StringFlag{Name: "at-least", Usage: s.T("server.flag_at_least")},
			&cli.StringFlag{Name: "known", Usage: s.T("server.flag_known")},
			&cli.StringFlag{Name: "fresh-within", Usage: s.T("server.flag_fresh"), Value: "36h"},
		},
		Action: func(c *cli.Context) error {
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			q, err := question(c)
			if err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			answer, err := a.Counts(c.Context, q)
			if err != nil {
				return err
			}
			return printCounts(clikit.From(c), answer, c.Bool("csv"))
		},
	}
}

func question(c *cli.Context) (*unionrpc.CountsRequest, error) {
	fresh, err := server.ParseDuration(c.String("fresh-within"))
	if err != nil {
		return nil, err
	}
	atLeast, err := server.ParsePosition(c.String("at-least"))
	if err != nil {
		return nil, err
	}
	known, err := server.ParsePosition(c.String("known"))
	if err != nil {
		return nil, err
	}
	q := &unionrpc.CountsRequest{
		Day: c.String("day"), FreshSeconds: int64(fresh / time.Second), AtLeast: uint64(atLeast), Known: uint64(known), Zeros: c.Bool("zeros"),
	}
	if by := c.String("by"); by != "" {
		q.By = strings.Split(by, ",")
	}
	for _, w := range c.StringSlice("where") {
		f, err := server.ParseFilter(w)
		if err != nil {
			return nil, err
		}
		q.Filter = append(q.Filter, f)
	}
	return q, nil
}

func printCounts(s *clikit.Session, a *census.Answer, csv bool) error {
	switch {
	case s.JSON:
		return a.WriteJSON(s.Stdout)
	case csv:
		return a.WriteCSV(s.Stdout, string(s.Lang))
	}
	head, rows := a.Table(string(s.Lang))
	if err := s.PrintTable(clikit.Table{Head: head, Rows: rows}); err != nil {
		return err
	}
	if err := s.Println(); err != nil {
		return err
	}
	return s.PrintFields(a.Facts(string(s.Lang)))
}
