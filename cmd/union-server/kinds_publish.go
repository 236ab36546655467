package main

import (
	"fmt"
	"math"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/text"
	"unionsync/server"
	"unionsync/server/gate"
	"unionsync/syncproto"
)

func kindsPublishCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "publish",
		Usage:       s.T("server.kinds_publish_usage"),
		Description: s.T("server.kinds_publish_help"),
		ArgsUsage:   "DIR|FILE.yaml...",
		Flags: []cli.Flag{
			dataFlag(s), nodeFlag(s),
			&cli.BoolFlag{Name: "dry-run", Usage: s.T("server.kinds_flag_dry_run")},
			&cli.StringFlag{Name: "operator", Usage: s.T("server.kinds_flag_operator"), Value: s.Env("USER")},
		},
		Action: func(c *cli.Context) error {
			args, err := clikit.Args(c, 1, math.MaxInt, "DIR|FILE.yaml")
			if err != nil {
				return err
			}
			files, err := server.ReadKindFiles(args)
			if err != nil {
				return err
			}
			a, err := admin(c)
			if err != nil {
				return err
			}
			defer a.Close()
			r, err := a.PublishKinds(c.Context, &unionrpc.PublishKindsRequest{Files: files, DryRun: c.Bool("dry-run"), Operator: c.String("operator")})
			if err != nil {
				return err
			}
			return printPublished(clikit.From(c), r)
		},
	}
}

// kindProblem is a problem as JSON shows it.
type kindProblem struct {
	Kind     string         `json:"kind"`
	Code     syncproto.Code `json:"code"`
	Sentence string         `json:"sentence"`
}

func printPublished(s *clikit.Session, r *gate.Published) error {
	problems := []kindProblem{}
	for _, p := range r.Problems {
		problems = append(problems, kindProblem{p.Kind, p.Code, text.Sentence(s.Lang, &syncproto.Error{Code: p.Code, Args: p.Args})})
	}
	if s.JSON {
		if err := s.PrintJSON(map[string]any{"dry_run": r.DryRun, "kinds": r.Kinds, "problems": problems}); err != nil {
			return err
		}
		if len(problems) > 0 {
			return clikit.Outcome(clikit.ExitInput)
		}
		return nil
	}
	for _, p := range problems {
		if err := s.Println(p.Sentence); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return syncproto.Fail(syncproto.CodeKindsRefused, "publish kinds", nil, "n", fmt.Sprint(len(problems)))
	}
	return sayPublished(s, r)
}

func sayPublished(s *clikit.Session, r *gate.Published) error {
	t := clikit.Table{Head: []string{s.T("server.kind"), s.T("server.kinds_was"), s.T("server.kinds_version"), s.T("server.kinds_state")}}
	for _, k := range r.Kinds {
		state := "server.kinds_unchanged"
		switch {
		case k.Changed && r.DryRun:
			state = "server.kinds_would"
		case k.Changed:
			state = "server.kinds_published"
		}
		t.Rows = append(t.Rows, []string{k.Kind, fmt.Sprint(k.Was), fmt.Sprint(k.Version), s.T(state)})
	}
	return s.PrintTable(t)
}
