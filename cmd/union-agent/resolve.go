package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/syncproto"
)

const (
	flagChoose = "choose"
	flagKeep   = "keep"
	flagTake   = "take"
	flagValue  = "value"
	flagDrop   = "drop"
	flagResave = "resave"
	flagYes    = "yes"
)

// ways are the flags of which exactly one says what is decided.
var ways = []string{flagChoose, flagKeep, flagTake, flagValue, flagDrop, flagResave}

func (p program) resolve(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "resolve", Usage: s.T("agent.resolve_usage"), ArgsUsage: s.T("agent.resolve_args"),
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: flagChoose, Usage: s.T("agent.flag_choose")},
			&cli.BoolFlag{Name: flagKeep, Usage: s.T("agent.flag_keep")},
			&cli.BoolFlag{Name: flagTake, Usage: s.T("agent.flag_take")},
			&cli.StringFlag{Name: flagValue, Usage: s.T("agent.flag_value")},
			&cli.BoolFlag{Name: flagDrop, Usage: s.T("agent.flag_drop")},
			&cli.BoolFlag{Name: flagResave, Usage: s.T("agent.flag_resave")},
			&cli.BoolFlag{Name: flagYes, Usage: s.T("agent.flag_yes")},
		}, editFlags(s)...),
		Action: p.doResolve,
	}
}

// resolvedOut is a decision in JSON.
type resolvedOut struct {
	Case caseOut `json:"case"`
	Done bool    `json:"done"`          // false: nothing was changed, --yes is missing
	Seq  uint64  `json:"seq,omitempty"` // of the change that decides
	Left int     `json:"left"`          // cases that still wait
}

func (p program) doResolve(c *cli.Context) error {
	args, err := clikit.Args(c, 1, -1, clikit.From(c).T("agent.word_case"))
	if err != nil {
		return err
	}
	way, err := wayOf(c)
	if err != nil {
		return err
	}
	if len(args) > 1 && way != flagResave {
		return clikit.Usage(clikit.From(c).T("cli.usage_extra_argument", "name", args[1]))
	}
	return p.with(c, func(_ *agent.Agent, u *union.Union) error {
		one, err := u.Case(c.Context, args[0])
		if err != nil {
			return err
		}
		d, err := decision(c, u, one, way, args[1:])
		if err != nil {
			return err
		}
		return viewOf(c, u).decide(c, one, d)
	})
}

// wayOf gives the one flag that says what is decided.
func wayOf(c *cli.Context) (string, error) {
	var given []string
	for _, f := range ways {
		if c.IsSet(f) {
			given = append(given, f)
		}
	}
	if len(given) != 1 {
		return "", clikit.Usage(clikit.From(c).T("agent.one_way", "flags", "--"+strings.Join(ways, " --")))
	}
	return given[0], nil
}

func decision(c *cli.Context, u *union.Union, one union.Case, way string, fix []string) (d union.Decision, err error) {
	d.Note = c.String(flagNote)
	if e := c.String(flagExplain); e != "" {
		d.Explain = map[string]string{"": e}
	}
	switch way {
	case flagChoose:
		if d.Choose = c.Int(flagChoose); d.Choose == 0 {
			d.Choose = -1 // which is none, and said so
		}
	case flagKeep, flagTake:
		d.Choose, err = sideOf(one, way == flagKeep)
	case flagDrop:
		d.Drop = true
	case flagResave:
		d.Resave = true
		d.Fix, err = fixes(one, fix)
	case flagValue:
		text := c.String(flagValue)
		if d.Text = &text; one.Kind != nil && one.Field == syncproto.FieldSameAs && text != "" {
			var id syncproto.RecordID
			id, err = agent.Resolve(c.Context, u, one.Kind, text)
			d.Value = id[:]
		}
	}
	return d, err
}

// sideOf finds the one value of this PC, or the one of others.
func sideOf(c union.Case, own bool) (int, error) {
	at := 0
	for i := range c.Choices {
		if len(c.Choices[i].Dots) == 0 || c.Choices[i].Own() != own {
			continue
		}
		if at != 0 {
			at = 0
			break
		}
		at = i + 1
	}
	if at == 0 {
		return 0, syncproto.Fail(syncproto.CodeCaseWay, "decide case", nil, "number", c.Number)
	}
	return at, nil
}

// fixes reads what is put right when held changes are saved anew.
func fixes(c union.Case, words []string) (map[string]string, error) {
	out := map[string]string{}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, syncproto.Fail(syncproto.CodeFieldPair, "read fields", nil, "word", w)
		}
		if c.Kind == nil {
			return nil, syncproto.Fail(syncproto.CodeCaseWay, "decide case", nil, "number", c.Number)
		}
		f, err := agent.FindField(c.Kind, name)
		if err != nil {
			return nil, err
		}
		out[f.Name] = value
	}
	return out, nil
}

// decide saves the decision. What takes held changes away is only shown without --yes.
func (v view) decide(c *cli.Context, one union.Case, d union.Decision) error {
	s, out := v.s, resolvedOut{Case: v.caseOut(one)}
	if (d.Drop || d.Resave) && !c.Bool(flagYes) {
		err := s.Print(out, func() error {
			if err := v.printCase(one); err != nil {
				return err
			}
			return s.Println(s.T("agent.resolve_dry"))
		})
		if err != nil {
			return err
		}
		return clikit.Outcome(clikit.ExitAttention)
	}
	saved, err := v.u.Decide(c.Context, one, d)
	if err != nil {
		return refusal(err)
	}
	left, err := v.u.Cases(c.Context)
	if err != nil {
		return err
	}
	left = union.Confirmed(left)
	out.Done, out.Seq, out.Left = true, saved.Place.Seq, len(left)
	return s.Print(out, func() error {
		if err := s.Println(s.T("agent.resolved", "number", one.Number)); err != nil || len(left) == 0 {
			return err
		}
		return s.Println(s.T("agent.cases_left", "n", itoa(len(left))))
	})
}
