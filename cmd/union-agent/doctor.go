package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/internal/text"
)

func (p program) doctor(s *clikit.Session) *cli.Command {
	return &cli.Command{Name: "doctor", Usage: s.T("agent.doctor_usage"), Action: p.doDoctor}
}

// doctorOut is a report in JSON.
type doctorOut struct {
	Union    string     `json:"union"`
	Version  string     `json:"version"`
	Frames   uint64     `json:"frames"`
	Records  int        `json:"records"`
	FreeMiB  uint64     `json:"free_mib"`
	Clock    float64    `json:"clock_ahead_seconds"`
	Findings []foundOut `json:"findings"`
}

type foundOut struct {
	Code     int    `json:"code"`
	Severe   bool   `json:"severe"`
	Sentence string `json:"sentence"`
}

func (p program) doDoctor(c *cli.Context) error {
	s := clikit.From(c)
	if _, err := clikit.Args(c, 0, 0); err != nil {
		return err
	}
	return p.with(c, func(_ *agent.Agent, u *union.Union) error {
		ahead, err := u.ClockAhead()
		if err != nil {
			return err
		}
		r, err := u.Doctor(c.Context, ahead)
		if err != nil {
			return err
		}
		out := doctorOut{Union: u.Code(), Version: version, Frames: r.Frames, Records: r.Records, FreeMiB: r.FreeBytes >> 20,
			Clock: r.ClockAhead.Seconds(), Findings: []foundOut{}}
		for _, f := range r.Findings {
			out.Findings = append(out.Findings, foundOut{int(f.Err.Code), f.Severe, text.Sentence(s.Lang, f.Err)})
		}
		if err := s.Print(out, func() error { return printDoctor(s, out) }); err != nil || len(out.Findings) == 0 {
			return err
		}
		return clikit.Outcome(clikit.ExitAttention)
	})
}

func printDoctor(s *clikit.Session, r doctorOut) error {
	err := s.PrintFields([][2]string{
		{s.T("agent.union"), r.Union}, {s.T("agent.word_version"), r.Version},
		{s.T("agent.doctor_frames"), fmt.Sprint(r.Frames)}, {s.T("agent.doctor_records"), fmt.Sprint(r.Records)},
		{s.T("agent.doctor_free"), fmt.Sprintf("%d MiB", r.FreeMiB)},
	})
	for _, f := range r.Findings {
		if err == nil {
			err = s.Println(f.Sentence)
		}
	}
	if err == nil && len(r.Findings) == 0 {
		err = s.Println(s.T("agent.doctor_well"))
	}
	return err
}
