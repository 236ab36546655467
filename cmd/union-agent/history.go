package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

func (p program) history(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "history", Usage: s.T("agent.history_usage"), ArgsUsage: s.T("agent.show_args"), Flags: []cli.Flag{revealFlag(s)},
		Action: func(c *cli.Context) error {
			args, err := clikit.Args(c, 2, 2, s.T("agent.word_kind"), s.T("agent.word_id"))
			if err != nil {
				return err
			}
			return p.with(c, func(a *agent.Agent, u *union.Union) error {
				k, err := agent.FindKind(a.Kinds(), args[0])
				if err != nil {
					return err
				}
				id, err := agent.ResolveAny(c.Context, u, k, args[1])
				if err != nil {
					return err
				}
				events, err := u.History(c.Context, k.Name, id)
				if err != nil {
					return err
				}
				v := viewOf(c, u)
				return s.Print(v.events(k, events), func() error { return v.printEvents(k, events) })
			})
		},
	}
}

// eventOut is one line of a history in JSON.
type eventOut struct {
	Dot      string      `json:"dot"`
	Time     string      `json:"time,omitempty"`
	Actor    string      `json:"actor,omitempty"`
	Note     string      `json:"note,omitempty"`
	Delivery string      `json:"delivery"`
	Verdict  string      `json:"verdict,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Position string      `json:"position,omitempty"`
	Changes  []changeOut `json:"changes"`
}

type changeOut struct {
	Field   string `json:"field"`
	Before  string `json:"before,omitempty"`
	After   string `json:"after,omitempty"`
	Removed string `json:"removed,omitempty"`
}

func (v view) events(k *kind.Kind, all []union.Event) []eventOut {
	out := []eventOut{}
	for _, e := range all {
		o := eventOut{Dot: e.Dot.String(), Time: stamp(e.Time), Actor: e.Actor, Note: e.Note, Delivery: string(e.Delivery), Changes: []changeOut{}}
		if e.Verdict.Kind != syncproto.VerdictNone {
			o.Verdict, o.Reason, o.Position = e.Verdict.Kind.String(), e.Verdict.Reason.String(), e.Verdict.Position.String()
		}
		for _, c := range e.Changes {
			o.Changes = append(o.Changes, changeOut{Field: fieldName(k, c.Field), Before: v.any(k, c.Field, c.Before),
				After: v.any(k, c.Field, c.After), Removed: v.any(k, c.Field, c.Removed)})
		}
		out = append(out, o)
	}
	return out
}

// any shows a value of any field, also of those that every kind has.
func (v view) any(k *kind.Kind, n syncproto.FieldNumber, b []byte) string {
	switch f, ok := k.FieldByNumber(n); {
	case ok:
		return v.value(f, b)
	case n == syncproto.FieldSameAs && len(b) == len(syncproto.RecordID{}):
		return v.reference(k.Name, syncproto.RecordID(b))
	}
	return string(b)
}

// printEvents writes one block for each event: who and when, then each field on a line.
func (v view) printEvents(k *kind.Kind, all []union.Event) error {
	s := v.s
	var b strings.Builder
	for _, e := range all {
		who := e.Actor
		if who == "" {
			who = s.T("word.unknown")
		}
		at := moment(e.Time)
		if at == "" {
			at = s.T("agent.no_time")
		}
		b.WriteString(clean(at+"  "+who+"  "+v.delivery(e)) + "\n")
		for _, line := range v.changes(k, e) {
			b.WriteString("  " + clean(line) + "\n")
		}
	}
	if _, err := fmt.Fprint(s.Stdout, b.String()); err != nil {
		return fmt.Errorf("print history: %w", err)
	}
	return nil
}

// delivery says how far an event has come, and what the centre made of it.
func (v view) delivery(e union.Event) string {
	state := v.s.T("agent.delivery_" + string(e.Delivery))
	switch e.Verdict.Kind {
	case syncproto.VerdictHeld:
		return state + " (" + v.s.T("agent.held_"+e.Verdict.Reason.String()) + ")"
	case syncproto.VerdictConflict:
		return state + " (" + v.s.T("agent.state_conflict") + ")"
	}
	return state
}

// changes says what an event did, a line for each field.
func (v view) changes(k *kind.Kind, e union.Event) []string {
	var out []string
	for _, c := range e.Changes {
		after := v.any(k, c.Field, c.After)
		if after == "" && len(c.Removed) > 0 {
			after = "−" + v.any(k, c.Field, c.Removed)
		} else if after == "" {
			after = v.s.T("agent.cleared")
		}
		if c.Known && len(c.Before) > 0 {
			after = v.any(k, c.Field, c.Before) + " → " + after
		}
		out = append(out, v.label(k, c.Field)+" "+after)
	}
	if e.Note != "" {
		out = append(out, v.s.T("agent.with_note", "note", e.Note))
	}
	return out
}
