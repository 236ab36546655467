package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/internal/clikit"
)

const (
	flagCentre = "centre"
	flagCode   = "code"
)

func (p program) enrol(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "enrol", Usage: s.T("agent.enrol_usage"), ArgsUsage: s.T("agent.enrol_args"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: flagCentre, Aliases: []string{"server"}, Usage: s.T("agent.flag_centre")},
			&cli.StringFlag{Name: flagCode, Usage: s.T("agent.flag_code")},
		},
		Action: p.doEnrol,
	}
}

func (p program) doEnrol(c *cli.Context) error {
	s := clikit.From(c)
	if err := clikit.Need(c, flagCentre); err != nil {
		return err
	}
	code := c.String(flagCode)
	if code == "" { // typed in groups, without the flag
		args, err := clikit.Args(c, 1, -1, s.T("agent.enrol_args"))
		if err != nil {
			return err
		}
		code = strings.Join(args, " ")
	}
	if code == "-" { // kept out of the shell's history
		line, err := bufio.NewReader(s.Stdin).ReadString('\n')
		if line == "" && err != nil {
			return fmt.Errorf("read code: %w", err)
		}
		code = line
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	e, err := a.Enrol(c.Context, c.String(flagCentre), code)
	if err != nil {
		return err
	}
	out := struct {
		Union  string    `json:"union"`
		Name   string    `json:"name"`
		Device string    `json:"device"`
		First  syncedOut `json:"first_fetch"`
	}{e.Union, e.Name, e.Device, syncedOf(e.Union, e.First)}
	err = s.Print(out, func() error {
		if err := s.Println(s.T("agent.enrolled", "name", e.Name, "union", e.Union)); err != nil || e.Fetch != nil {
			return err
		}
		return s.Println(s.T("agent.fetched", "n", fmt.Sprint(e.First.Received)))
	})
	if err == nil && e.Fetch != nil && !s.JSON {
		s.Note(s.T("agent.fetch_later"))
	}
	if err != nil {
		return err
	}
	return e.Fetch
}
