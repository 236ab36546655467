package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/syncproto"
)

func (p program) show(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "show", Usage: s.T("agent.show_usage"), ArgsUsage: s.T("agent.show_args"), Flags: []cli.Flag{revealFlag(s)},
		Action: func(c *cli.Context) error {
			args, err := clikit.Args(c, 2, 2, s.T("agent.word_kind"), s.T("agent.word_id"))
			if err != nil {
				return err
			}
			return p.with(c, func(a *agent.Agent, u *union.Union) error {
				row, err := recordArg(c, a, u, args)
				if err != nil {
					return err
				}
				v := viewOf(c, u)
				return s.Print(v.detail(row), func() error { return v.printDetail(row) })
			})
		},
	}
}

// entryOut is one of several values of a field that a person must choose from.
type entryOut struct {
	Value   string `json:"value"`
	Cleared bool   `json:"cleared,omitempty"`
	Current bool   `json:"current,omitempty"`
}

// detailOut is a record with the values between which a person must choose.
type detailOut struct {
	recordOut
	Choices map[string][]entryOut `json:"choices,omitempty"`
}

func (v view) detail(r union.Row) detailOut {
	out := detailOut{recordOut: v.record(r), Choices: map[string][]entryOut{}}
	for _, n := range r.Conflicts {
		out.Choices[fieldName(r.Kind, n)] = v.choices(r, n)
	}
	return out
}

func (v view) choices(r union.Row, n syncproto.FieldNumber) []entryOut {
	var out []entryOut
	field, ok := r.Kind.FieldByNumber(n)
	entries := r.Record.Field(n)
	if entries == nil {
		return nil
	}
	for i, e := range entries.Entries {
		o := entryOut{Cleared: e.Cleared, Current: i == 0, Value: string(e.Value)}
		if ok {
			o.Value = v.value(field, e.Value)
		}
		out = append(out, o)
	}
	return out
}

func (v view) printDetail(r union.Row) error {
	s := v.s
	pairs := [][2]string{{s.T("agent.word_kind"), r.Kind.Label.In(v.lang())}, {s.T("agent.word_id"), r.ID.String()}}
	for _, f := range r.Kind.Fields {
		if b := r.Values[f.Number]; len(b) > 0 {
			pairs = append(pairs, [2]string{f.Label.In(v.lang()), v.value(f, b)})
		}
	}
	if r.Void != "" {
		pairs = append(pairs, [2]string{s.T("agent.field_void"), r.Void})
	}
	if len(r.SameAs) == len(r.ID) {
		pairs = append(pairs, [2]string{s.T("agent.field_same_as"), v.reference(r.Kind.Name, syncproto.RecordID(r.SameAs))})
	}
	for _, n := range r.Conflicts {
		for i, e := range v.choices(r, n) {
			value := e.Value
			if e.Cleared {
				value = s.T("agent.cleared")
			}
			pairs = append(pairs, [2]string{s.T("agent.choice", "field", v.label(r.Kind, n), "n", fmt.Sprint(i+1)), value})
		}
	}
	return s.PrintFields(pairs)
}
