package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/internal/text"
)

func (p program) run(s *clikit.Session) *cli.Command {
	return &cli.Command{Name: "run", Usage: s.T("agent.run_usage"), Action: p.doRun}
}

func (p program) doRun(c *cli.Context) error {
	s := clikit.From(c)
	if _, err := clikit.Args(c, 0, 0); err != nil {
		return err
	}
	a, err := p.agent(c, slog.New(slog.NewTextHandler(s.Stderr, nil)))
	if err != nil {
		return err
	}
	var failed error // of printing: nobody reads any more
	say := func(line any, words string) {
		if s.JSON {
			failed = errors.Join(failed, json.NewEncoder(s.Stdout).Encode(line))
		} else {
			failed = errors.Join(failed, s.Println(moment(s.Now())+" "+words))
		}
	}
	err = a.Run(c.Context, agent.Watch{
		Waiting: func(code string, next time.Time) {
			say(map[string]string{"union": code, "next": stamp(next)}, s.T("agent.run_next", "union", code, "time", moment(next)))
		},
		Synced: func(code string, r union.Result, err error) {
			if err != nil {
				say(map[string]any{"union": code, "sync": syncedOf(code, r), "error": text.Sentence(s.Lang, err)}, code+" "+text.Sentence(s.Lang, err))
				return
			}
			say(map[string]any{"union": code, "sync": syncedOf(code, r)}, s.T("agent.run_synced", "union", code, "sent", itoa(r.Sent), "received", itoa(r.Received)))
		},
	})
	return errors.Join(err, failed)
}
