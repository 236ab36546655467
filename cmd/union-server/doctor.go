package main

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
	"unionsync/internal/text"
	"unionsync/server"
	"unionsync/server/health"
)

func doctorCommand(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name:        "doctor",
		Usage:       s.T("server.doctor_usage"),
		Description: s.T("server.doctor_help"),
		Flags:       []cli.Flag{dataFlag(s)},
		Action: func(c *cli.Context) error {
			s := clikit.From(c)
			if _, err := clikit.Args(c, 0, 0); err != nil {
				return err
			}
			d := server.Doctor(c.Context, c.String("data"), s.Env, s.Now)
			err := s.Print(d, func() error { return printDiagnosis(s, d) })
			if err != nil || d.OK {
				return err
			}
			return clikit.Outcome(clikit.ExitAttention)
		},
	}
}

func printDiagnosis(s *clikit.Session, d *server.Diagnosis) error {
	if len(d.Members) > 0 {
		t := clikit.Table{Head: []string{s.T("server.node"), "API", s.T("server.answers"), s.T("server.role"), s.T("server.version"), s.T("server.applied"), s.T("server.clock_seconds")}}
		for _, m := range d.Members {
			role := ""
			if m.Answers {
				role = s.T("server.role_" + m.Role)
			}
			t.Rows = append(t.Rows, []string{m.ID, m.API, yesNo(s, m.Answers), role, m.Version, fmt.Sprint(m.Applied), fmt.Sprint(m.Clock)})
		}
		if err := s.PrintTable(t); err != nil {
			return err
		}
	}
	if err := printBad(s, d.Checks); err != nil || !d.OK {
		return err
	}
	return s.Println(s.T("server.doctor_well", "n", fmt.Sprint(len(d.Checks))))
}

// printBad says what is wrong, each with what to do.
func printBad(s *clikit.Session, results []health.Result) error {
	for i := range results {
		err := results[i].Err()
		if err == nil {
			continue
		}
		line := text.Sentence(s.Lang, err)
		if hint := text.Hint(s.Lang, err); hint != "" {
			line += " " + s.T("cli.hint") + hint
		}
		if err := s.Println(s.T("server.check_bad", "name", results[i].Name, "words", line)); err != nil {
			return err
		}
	}
	return nil
}

// healthStatus is the exit status for what a node's checks found: 0 well, 5 something to
// look at, 8 not ready to take agents.
func healthStatus(results []health.Result) int {
	switch {
	case health.Failed(results, health.ForLife, health.ForExchange):
		return clikit.ExitBusy
	case health.Failed(results):
		return clikit.ExitAttention
	}
	return clikit.ExitOK
}

// stateWord names such a status; the words are permanent.
func stateWord(status int) string {
	words := []string{"well", "degraded", "not_ready"}
	return words[slices.Index([]int{clikit.ExitOK, clikit.ExitAttention, clikit.ExitBusy}, status)]
}
