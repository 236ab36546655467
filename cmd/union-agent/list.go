package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/syncproto/kind"
)

func (p program) list(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: s.T("agent.list_usage"), ArgsUsage: s.T("agent.list_args"),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "text", Usage: s.T("agent.flag_text")},
			&cli.StringFlag{Name: "fields", Usage: s.T("agent.flag_fields")},
			&cli.IntFlag{Name: "limit", Usage: s.T("agent.flag_limit")},
			&cli.IntFlag{Name: "offset", Usage: s.T("agent.flag_offset")},
			&cli.BoolFlag{Name: "void", Usage: s.T("agent.flag_void")},
			&cli.BoolFlag{Name: "conflicts", Usage: s.T("agent.flag_conflicts")},
			revealFlag(s),
		},
		Description: s.T("agent.list_kinds"),
		Action:      p.doList,
	}
}

func (p program) doList(c *cli.Context) error {
	s := clikit.From(c)
	args, err := clikit.Args(c, 1, 1, s.T("agent.word_kind"))
	if err != nil {
		return err
	}
	return p.with(c, func(a *agent.Agent, u *union.Union) error {
		k, err := agent.FindKind(a.Kinds(), args[0])
		if err != nil {
			return err
		}
		fields, err := columns(k, c.String("fields"))
		if err != nil {
			return withFields(s, k, err)
		}
		l := &listing{view: viewOf(c, u), fields: fields, limit: c.Int("limit"), offset: c.Int("offset")}
		l.out.Kind, l.out.Records = k.Name, []recordOut{}
		err = u.Each(c.Context, union.Query{Kind: k.Name, Text: c.String("text"), Void: c.Bool("void"), Conflicts: c.Bool("conflicts")}, l.take)
		if err != nil {
			return err
		}
		return s.Print(&l.out, l.print)
	})
}

// listing gathers the rows of a list, each only as it is printed: a union may have
// thousands of members, and an old PC little memory.
type listing struct {
	view
	fields        []*kind.Field
	limit, offset int
	out           struct {
		Kind    string      `json:"kind"`
		Total   int         `json:"total"`
		Records []recordOut `json:"records"`
	}
	rows [][]string
}

func (l *listing) take(r union.Row) error {
	at := l.out.Total - l.offset
	l.out.Total++
	switch {
	case at < 0 || l.limit > 0 && at >= l.limit:
	case l.s.JSON:
		l.out.Records = append(l.out.Records, l.record(r))
	default:
		row := []string{short(r.ID)}
		for _, f := range l.fields {
			row = append(row, l.value(f, r.Values[f.Number]))
		}
		l.rows = append(l.rows, append(row, l.state(r)))
	}
	return nil
}

func (l *listing) print() error {
	t := clikit.Table{Head: []string{l.s.T("agent.word_id")}, Rows: l.rows}
	for _, f := range l.fields {
		t.Head = append(t.Head, f.Label.In(l.lang()))
	}
	t.Head = append(t.Head, l.s.T("agent.word_state"))
	if len(t.Rows) > 0 {
		if err := l.s.PrintTable(t); err != nil {
			return err
		}
	}
	if len(l.rows) < l.out.Total {
		return l.s.Println(l.s.T("agent.some_of", "n", fmt.Sprint(len(l.rows)), "total", fmt.Sprint(l.out.Total)))
	}
	return l.s.Println(l.s.T("cli.total_rows", "n", fmt.Sprint(l.out.Total)))
}

// mostColumns is how many fields of a record fit beside each other.
const mostColumns = 8

// columns gives the fields of a list: those named, or the title, the key and what is
// required.
func columns(k *kind.Kind, names string) ([]*kind.Field, error) {
	var out []*kind.Field
	if names != "" {
		for _, name := range strings.FieldsFunc(names, func(r rune) bool { return strings.ContainsRune(",，、", r) }) {
			f, err := agent.FindField(k, name)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
		return out, nil
	}
	take := func(want func(*kind.Field) bool) {
		for _, f := range k.Fields {
			if len(out) < mostColumns && want(f) && !has(out, f) {
				out = append(out, f)
			}
		}
	}
	take(func(f *kind.Field) bool { return f.Name == k.Title })
	take(func(f *kind.Field) bool { return f.Need == kind.NeedYes && f.Default == "" })
	take(func(f *kind.Field) bool { return f.Need == kind.NeedHint })
	if len(out) < 3 {
		take(func(*kind.Field) bool { return true })
	}
	return out, nil
}

func has(all []*kind.Field, f *kind.Field) bool {
	for _, x := range all {
		if x == f {
			return true
		}
	}
	return false
}

// state tells what is special about a record.
func (v view) state(r union.Row) string {
	switch {
	case r.Void != "":
		return v.s.T("agent.state_void")
	case len(r.Conflicts) > 0:
		return v.s.T("agent.state_conflict")
	case len(r.SameAs) > 0:
		return v.s.T("agent.state_same")
	}
	return ""
}
