package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/agent/union"
	"unionsync/internal/clikit"
)

const flagUnread = "keep"

func (p program) news(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "news", Usage: s.T("agent.news_usage"), Action: p.doNews,
		Flags: []cli.Flag{revealFlag(s), &cli.BoolFlag{Name: flagUnread, Usage: s.T("agent.flag_unread")}},
	}
}

// newsOut is what became of a record elsewhere, in JSON.
type newsOut struct {
	Union   string          `json:"union"`
	Kind    string          `json:"kind"`
	ID      string          `json:"id"`
	Title   string          `json:"title"`
	New     bool            `json:"new,omitempty"`
	Changes []newsChangeOut `json:"changes"`
}

type newsChangeOut struct {
	Field  string      `json:"field"`
	Before string      `json:"before,omitempty"`
	After  string      `json:"after,omitempty"`
	By     []authorOut `json:"by"`
}

// doNews tells what was changed elsewhere, and then counts it as seen.
func (p program) doNews(c *cli.Context) error {
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
	out := []newsOut{}
	var seen []func() error
	for _, code := range all {
		err := withUnion(a, code, func(u *union.Union) error {
			found, err := u.News(c.Context)
			if err != nil {
				return err
			}
			v := viewOf(c, u)
			for _, n := range found {
				out = append(out, v.newsOut(n))
				if s.JSON {
					continue
				}
				if err := v.printNews(n); err != nil {
					return err
				}
			}
			seen = append(seen, func() error { return withUnion(a, code, func(u *union.Union) error { return u.Looked(found) }) })
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := s.Print(out, func() error {
		if len(out) > 0 {
			return nil
		}
		return s.Println(s.T("agent.no_news"))
	}); err != nil || c.Bool(flagUnread) || len(out) == 0 {
		return err
	}
	for _, look := range seen { // only now: what could not be printed was not seen
		if err := look(); err != nil {
			return err
		}
	}
	return nil
}

func (v view) newsOut(n union.News) newsOut {
	out := newsOut{Union: v.u.Code(), Kind: n.Kind.Name, ID: n.ID.String(), Title: v.title(n.Row), New: n.New, Changes: []newsChangeOut{}}
	for _, c := range n.Changes {
		out.Changes = append(out.Changes, newsChangeOut{Field: fieldName(n.Kind, c.Field), Before: v.any(n.Kind, c.Field, c.Before),
			After: v.any(n.Kind, c.Field, c.After), By: authorsOf(c.By)})
	}
	return out
}

// printNews writes a record, and below it what became of each field. Of a new record its
// title tells enough.
func (v view) printNews(n union.News) error {
	s := v.s
	word := "agent.news_changed"
	if n.New {
		word = "agent.news_new"
	}
	var b strings.Builder
	b.WriteString(clean(s.T(word, "record", s.T("agent.case_record", "kind", n.Kind.Label.In(v.lang()), "title", v.title(n.Row), "id", short(n.ID)))) + "\n")
	if n.New && len(n.Changes) > 0 {
		b.WriteString(clean(v.authors(n.Changes[0].By)) + "\n")
	}
	for _, c := range n.Changes {
		if n.New {
			break
		}
		before, after := v.any(n.Kind, c.Field, c.Before), v.any(n.Kind, c.Field, c.After)
		b.WriteString(clean("  "+v.label(n.Kind, c.Field)+" "+first(before, "—")+" → "+first(after, "—")+v.authors(c.By)) + "\n")
	}
	if _, err := fmt.Fprint(s.Stdout, b.String()); err != nil {
		return fmt.Errorf("print news: %w", err)
	}
	return nil
}
