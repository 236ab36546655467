package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

func (p program) cases(s *clikit.Session) *cli.Command {
	return &cli.Command{Name: "cases", Usage: s.T("agent.cases_usage"), Action: p.doCases, Flags: []cli.Flag{
		revealFlag(s), &cli.BoolFlag{Name: "all", Usage: s.T("agent.flag_cases_all")},
	}}
}

// caseOut is a case in JSON.
type caseOut struct {
	Union   string      `json:"union"`
	Number  string      `json:"number"`
	Type    string      `json:"type"`
	Kind    string      `json:"kind,omitempty"`
	ID      string      `json:"id,omitempty"`
	Title   string      `json:"title,omitempty"`
	Field   string      `json:"field,omitempty"`
	Choices []choiceOut `json:"choices,omitempty"`
	Unseen  []choiceOut `json:"unseen,omitempty"`
	Held    []heldOut   `json:"held,omitempty"`
	Since   string      `json:"since,omitempty"`
	Centre  string      `json:"centre,omitempty"`   // id of the centre's own record of it
	Journal string      `json:"journal,omitempty"`  // with centre: the journal that it is about
	Branch  []authorOut `json:"branches,omitempty"` // of a fork: the newest change of each branch
	Version string      `json:"version,omitempty"`  // what a PC had of a record that differs; with --reveal

	Unconfirmed bool `json:"unconfirmed,omitempty"` // with --all: what is still sent again may settle it
}

// choiceOut is one value of a case in JSON.
type choiceOut struct {
	Field   string      `json:"field"`
	Value   string      `json:"value"`
	Cleared bool        `json:"cleared,omitempty"`
	Current bool        `json:"current,omitempty"`
	By      []authorOut `json:"by"`
}

type authorOut struct {
	Dot   string `json:"dot"`
	Actor string `json:"actor,omitempty"`
	Time  string `json:"time,omitempty"`
	Own   bool   `json:"own"`
	Note  string `json:"note,omitempty"`
}

// heldOut is a change that was sent back, in JSON.
type heldOut struct {
	Seq     uint64      `json:"seq"`
	Reason  string      `json:"reason"`
	Actor   string      `json:"actor,omitempty"`
	Time    string      `json:"time,omitempty"`
	Changes []changeOut `json:"changes"`
}

func (p program) doCases(c *cli.Context) error {
	s := clikit.From(c)
	if _, err := clikit.Args(c, 0, 0); err != nil {
		return err
	}
	a, err := p.agent(c, nil)
	if err != nil {
		return err
	}
	all, err := unions(c, a)
	if err != nil {
		return err
	}
	out, early := []caseOut{}, 0
	for _, code := range all {
		err := withUnion(a, code, func(u *union.Union) error {
			found, err := u.Cases(c.Context)
			if err != nil {
				return err
			}
			if !c.Bool("all") {
				confirmed := union.Confirmed(found)
				found, early = confirmed, early+len(found)-len(confirmed)
			}
			v := viewOf(c, u)
			for _, one := range found {
				out = append(out, v.caseOut(one))
				if s.JSON {
					continue
				}
				if err := v.printCase(one); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if early > 0 {
		s.Note(s.T("agent.cases_early", "n", itoa(early), "flag", "--all"))
	}
	if err := s.Print(out, func() error {
		if len(out) > 0 {
			return nil
		}
		return s.Println(s.T("agent.no_cases"))
	}); err != nil || len(out) == 0 {
		return err
	}
	return clikit.Outcome(clikit.ExitAttention)
}

// withUnion opens a union for a while.
func withUnion(a *agent.Agent, code string, do func(*union.Union) error) (err error) {
	u, err := a.Union(code)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, u) }()
	return do(u)
}

func (v view) caseOut(c union.Case) caseOut {
	out := caseOut{Union: v.u.Code(), Number: c.Number, Type: string(c.Type), Since: stamp(c.Since), Unconfirmed: c.Unconfirmed}
	if c.Centre != (syncproto.RecordID{}) {
		out.Centre, out.Journal = c.Centre.String(), c.Journal
		if v.reveal {
			out.Version = c.Version
		}
	}
	if len(c.Tips) > 0 {
		out.Branch = authorsOf(c.Tips)
	}
	if c.Kind == nil {
		return out
	}
	out.Kind, out.ID, out.Title = c.Kind.Name, c.ID.String(), v.caseTitle(c)
	if c.Field != 0 {
		out.Field = fieldName(c.Kind, c.Field)
	}
	for i, x := range c.Choices {
		o := v.choice(c.Kind, c.Field, x)
		o.Current = i == 0
		out.Choices = append(out.Choices, o)
	}
	for _, x := range c.Unseen {
		out.Unseen = append(out.Unseen, v.choice(c.Kind, x.Field, x.Choice))
	}
	for _, h := range c.Held {
		o := heldOut{Seq: h.Place.Seq, Reason: h.Reason.String(), Changes: []changeOut{}}
		if h.Change != nil {
			o.Actor, o.Time = h.Change.Actor, stamp(unix(h.Change.Time))
			for _, e := range h.Change.Edits {
				o.Changes = append(o.Changes, changeOut{Field: fieldName(c.Kind, e.Field), After: v.edit(c.Kind, e)})
			}
		}
		out.Held = append(out.Held, o)
	}
	return out
}

func (v view) choice(k *kind.Kind, n syncproto.FieldNumber, x union.Choice) choiceOut {
	return choiceOut{Field: fieldName(k, n), Value: v.any(k, n, x.Value), Cleared: x.Cleared, By: authorsOf(x.By)}
}

func authorsOf(all []union.Author) []authorOut {
	out := []authorOut{}
	for _, a := range all {
		out = append(out, authorOut{Dot: a.Dot.String(), Actor: a.Actor, Time: stamp(a.Time), Own: a.Own, Note: a.Note})
	}
	return out
}

// edit says what an edit gives a field.
func (v view) edit(k *kind.Kind, e syncproto.Edit) string {
	switch {
	case e.Cleared:
		return v.s.T("agent.cleared")
	case !e.IsSet():
		return v.any(k, e.Field, e.Value)
	}
	var words []string
	for _, x := range e.Add {
		words = append(words, "+"+v.any(k, e.Field, x))
	}
	for _, x := range e.Remove {
		words = append(words, "−"+v.any(k, e.Field, x.Element))
	}
	return strings.Join(words, v.s.T("agent.comma"))
}

// caseTitle names the record of a case, also one of which nothing is shown.
func (v view) caseTitle(c union.Case) string {
	if c.Row.Kind != nil {
		return v.title(c.Row)
	}
	f, ok := c.Kind.Field(c.Kind.Title)
	if !ok {
		return ""
	}
	if row, err := v.u.Get(c.Kind.Name, c.ID); err == nil {
		return v.title(row)
	}
	for _, h := range c.Held {
		if h.Change == nil {
			continue
		}
		if e := h.Change.Edit(f.Number); e != nil {
			return v.value(f, e.Value)
		}
	}
	return ""
}

// printCase writes a block: what it is about, what there is to choose, and how.
func (v view) printCase(c union.Case) error {
	s := v.s
	var b strings.Builder
	line := func(words ...string) { b.WriteString(clean(strings.Join(words, "")) + "\n") }
	head := c.Number + "  " + s.T("agent.case_"+string(c.Type))
	if c.Kind != nil {
		head += "  " + s.T("agent.case_record", "kind", c.Kind.Label.In(v.lang()), "title", first(v.caseTitle(c), "—"), "id", short(c.ID))
	}
	if c.Type == union.CaseConflict {
		head += "  " + v.label(c.Kind, c.Field)
	}
	if c.Unconfirmed {
		head += s.T("agent.case_unconfirmed")
	}
	line(head)
	for _, t := range c.Tips {
		line("  ", s.T("agent.case_branch"), v.authors([]union.Author{t}))
	}
	for i, x := range c.Choices {
		line("  ", itoa(i+1), "  ", v.choiceWords(c, x), v.authors(x.By))
	}
	for _, x := range c.Unseen {
		line("  ", s.T("agent.case_unseen", "field", v.label(c.Kind, x.Field), "value", v.valueOrNone(c.Kind, x.Field, x.Choice)), v.authors(x.By))
	}
	for _, h := range c.Held {
		v.printHeld(line, c, h)
	}
	switch {
	case c.Version != "" && v.reveal:
		line("  ", s.T("agent.case_version", "version", c.Version))
	case c.Version != "": // it may have whole numbers in it
		line("  ", s.T("agent.case_version_hidden", "flag", "--"+flagReveal))
	}
	if c.Note != "" {
		line("  ", c.Note)
	}
	line("  ", v.howTo(c))
	if _, err := fmt.Fprint(s.Stdout, b.String()); err != nil {
		return fmt.Errorf("print cases: %w", err)
	}
	return nil
}

// howTo says how a case is decided, or who decides it.
func (v view) howTo(c union.Case) string {
	word := string(c.Type)
	switch {
	case c.Type == union.CaseFork && c.Centre != (syncproto.RecordID{}):
		word = "branches"
	case c.Type == union.CaseHeld && !slices.ContainsFunc(c.Held, func(h union.HeldChange) bool { return h.Reason != syncproto.HeldRevoked }) && len(c.Held) > 0:
		word = "revoked"
	case c.Centre != (syncproto.RecordID{}) && len(c.Choices) == 0:
		word = "others"
	case c.Centre != (syncproto.RecordID{}):
		word = "centre"
	}
	return v.s.T("agent.case_how_"+word, "number", c.Number, "time", moment(c.Since))
}

// choiceWords says one choice; of a void it is what becomes of the record.
func (v view) choiceWords(c union.Case, x union.Choice) string {
	switch {
	case c.Centre != (syncproto.RecordID{}):
		return v.s.T("agent.case_done")
	case c.Field == syncproto.FieldVoid && x.Cleared:
		return v.s.T("agent.case_in_force")
	case c.Field == syncproto.FieldVoid:
		return v.s.T("agent.case_stays_void", "reason", string(x.Value))
	}
	return v.valueOrNone(c.Kind, c.Field, x)
}

func (v view) valueOrNone(k *kind.Kind, n syncproto.FieldNumber, x union.Choice) string {
	if x.Cleared {
		return v.s.T("agent.cleared")
	}
	return v.any(k, n, x.Value)
}

func (v view) printHeld(line func(...string), c union.Case, h union.HeldChange) {
	why := v.s.T("agent.held_" + h.Reason.String())
	if h.Change == nil {
		line("  ", v.s.T("agent.case_held_line", "what", v.s.T("agent.delivery_unread"), "why", why))
		return
	}
	by := v.authors([]union.Author{{Actor: h.Change.Actor, Time: unix(h.Change.Time), Own: true}})
	if c.Kind == nil {
		line("  ", v.s.T("agent.case_held_line", "what", v.s.T("word.unknown"), "why", why), by)
		return
	}
	for _, e := range h.Change.Edits {
		what := v.label(c.Kind, e.Field) + " " + v.edit(c.Kind, e)
		line("  ", v.s.T("agent.case_held_line", "what", what, "why", why), by)
	}
}

// authors says who gave a value and when; nothing if nobody is known.
func (v view) authors(all []union.Author) string {
	var words []string
	for _, a := range all {
		nobody := "agent.somebody"
		if a.Own {
			nobody = "agent.unsigned"
		}
		word := strings.TrimSpace(first(a.Actor, v.s.T(nobody)) + " " + moment(a.Time))
		if a.Own {
			word += v.s.T("agent.on_this_pc")
		}
		words = append(words, word)
	}
	if len(words) == 0 {
		return ""
	}
	return "    " + strings.Join(words, v.s.T("agent.comma"))
}
