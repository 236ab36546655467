package main

import (
	"github.com/urfave/cli/v2"

	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/internal/text"
	"unionsync/syncproto/kind"
)

const (
	flagExplain = "explain"
	flagNote    = "note"
)

func editFlags(s *clikit.Session) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: flagExplain, Usage: s.T("agent.flag_explain")},
		&cli.StringFlag{Name: flagNote, Usage: s.T("agent.flag_note")},
		revealFlag(s),
	}
}

// savedOut is what a save prints in JSON.
type savedOut struct {
	Record   recordOut    `json:"record"`
	Seq      uint64       `json:"seq"`
	Findings []findingOut `json:"findings"`
	Notes    []noteOut    `json:"notes"`
}

// save saves drafts together and prints what came of the first one.
func (p program) save(c *cli.Context, u *union.Union, drafts []union.Draft) error {
	s, v := clikit.From(c), viewOf(c, u)
	for i := range drafts {
		drafts[i].Note = c.String(flagNote)
		if e := c.String(flagExplain); e != "" {
			drafts[i].Explain = map[string]string{"": e}
		}
	}
	all, err := u.SaveGroup(c.Context, drafts)
	if err != nil {
		return refusal(err)
	}
	saved := all[0]
	for _, more := range all[1:] {
		saved.Findings = append(saved.Findings, more.Findings...)
		saved.Notes = append(saved.Notes, more.Notes...)
	}
	row, err := u.Get(drafts[0].Kind, saved.ID)
	if err != nil {
		return err
	}
	out := savedOut{Record: v.record(row), Seq: saved.Place.Seq, Findings: findingsOf(s, saved.Findings), Notes: v.notes(saved.Notes)}
	return s.Print(out, func() error { return v.printSaved(row, saved) })
}

func (v view) printSaved(row union.Row, saved union.Saved) error {
	word := "agent.changed"
	if saved.New {
		word = "agent.added"
	}
	if row.Void != "" {
		word = "agent.voided"
	}
	s := v.s
	if err := s.Println(s.T(word, "kind", row.Kind.Label.In(v.lang()), "title", v.title(row), "id", short(row.ID))); err != nil {
		return err
	}
	for _, n := range saved.Notes {
		if err := s.Println("  " + v.note(n)); err != nil {
			return err
		}
	}
	for _, f := range saved.Findings {
		if err := s.Println("  " + text.Sentence(s.Lang, f.Err())); err != nil {
			return err
		}
	}
	return nil
}

// noteOut is a normalisation in JSON.
type noteOut struct {
	Code     int    `json:"code"`
	Field    string `json:"field"`
	From     string `json:"from"`
	To       string `json:"to"`
	Sentence string `json:"sentence"`
}

func (v view) notes(all []kind.Note) []noteOut {
	out := []noteOut{}
	for _, n := range all {
		from, to := v.fromTo(n)
		out = append(out, noteOut{int(n.Code), n.Field.Name, from, to, text.Sentence(v.s.Lang, n.Err())})
	}
	return out
}

// note shows a normalisation with what it was made from.
func (v view) note(n kind.Note) string {
	from, to := v.fromTo(n)
	return v.s.T("agent.note", "field", n.Field.Label.In(v.lang()), "from", from, "to", to, "why", text.Sentence(v.s.Lang, n.Err()))
}

func (v view) fromTo(n kind.Note) (from, to string) {
	from, to = n.From, n.To
	if !n.Field.Sensitive || v.reveal {
		return from, to
	}
	if n.Field.Type == kind.TypePhone {
		return clikit.MaskPhone(from), clikit.MaskPhone(to)
	}
	return clikit.MaskNumber(from), clikit.MaskNumber(to)
}
