package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/schedule"
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
	out := &runOut{s: s}
	err = a.Run(c.Context, agent.Watch{Waiting: out.waiting, Progress: out.progress, Synced: out.synced})
	return errors.Join(err, out.failed)
}

// runOut prints what the loop does, an event on each line.
type runOut struct {
	s      *clikit.Session
	bar    *clikit.Progress // of the sync under way; nil: none
	told   time.Duration    // when in it progress was told last
	failed error            // of printing: nobody reads any more
}

func (o *runOut) say(line any, words string) {
	if o.s.JSON {
		o.failed = errors.Join(o.failed, json.NewEncoder(o.s.Stdout).Encode(line))
	} else {
		o.failed = errors.Join(o.failed, o.s.Println(moment(o.s.Now())+" "+words))
	}
}

// nextOut says in JSON when the next sync is, and what it waits for.
type nextOut struct {
	Union string       `json:"union"`
	Next  string       `json:"next"`
	Why   schedule.Why `json:"why"`
}

func (o *runOut) waiting(code string, next time.Time, why schedule.Why) {
	o.say(nextOut{code, stamp(next), why}, o.s.T("agent.run_next", "union", code, "time", moment(next), "why", o.s.T("agent.why_"+string(why))))
}

// tellEvery is how often the progress of a sync is an event, from the first one on.
const tellEvery = 2 * time.Second

func (o *runOut) progress(code string, r union.Result) {
	if o.bar == nil {
		o.bar, o.told = o.s.Progress(o.s.T("agent.syncing")), 0
	}
	if o.bar.Say(howFar(o.s, r)); o.s.JSON && r.Elapsed-o.told >= tellEvery {
		o.told = r.Elapsed
		o.say(map[string]any{"union": code, "progress": syncedOf(code, r)}, "")
	}
}

func (o *runOut) synced(code string, r union.Result, err error) {
	if o.bar != nil {
		o.bar.Done()
		o.bar = nil
	}
	if wait, asked := agent.Asked(err); asked { // no failure: the next line says when it goes on
		o.say(map[string]any{"union": code, "sync": syncedOf(code, r), "asked_seconds": int(wait / time.Second)}, o.s.T("agent.run_asked", "union", code))
		return
	}
	if err != nil {
		o.say(map[string]any{"union": code, "sync": syncedOf(code, r), "error": text.Sentence(o.s.Lang, err)}, code+" "+text.Sentence(o.s.Lang, err))
		return
	}
	o.say(map[string]any{"union": code, "sync": syncedOf(code, r)},
		o.s.T("agent.run_synced", "union", code, "sent", itoa(r.Sent), "received", itoa(r.Received)))
}
