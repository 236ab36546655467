package main

import (
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/internal/text"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

const flagReveal = "reveal"

func revealFlag(s *clikit.Session) cli.Flag {
	return &cli.BoolFlag{Name: flagReveal, Usage: s.T("agent.flag_reveal")}
}

// view shows records as a person wants them.
type view struct {
	s      *clikit.Session
	u      *union.Union
	reveal bool
}

func viewOf(c *cli.Context, u *union.Union) view {
	return view{s: clikit.From(c), u: u, reveal: c.Bool(flagReveal)}
}

func (v view) lang() string { return string(v.s.Lang) }

// value shows one value: masked where it is sensitive, another record by its title.
func (v view) value(f *kind.Field, b []byte) string {
	switch {
	case len(b) == 0:
		return ""
	case f.Type == kind.TypeReference && f.Ref != kind.RefUnion && len(b) == len(syncproto.RecordID{}):
		return v.reference(f.Ref, syncproto.RecordID(b))
	case v.reveal:
		return f.Format(b, v.lang())
	}
	return f.Mask(b, v.lang())
}

func (v view) reference(kindName string, id syncproto.RecordID) string {
	row, err := v.u.Get(kindName, id)
	if err != nil {
		return short(id)
	}
	return row.Title(v.lang()) + " " + short(id)
}

// short is the end of an id, which is random and mostly enough to name the record.
func short(id syncproto.RecordID) string {
	s := id.String()
	return s[len(s)-8:]
}

// values are a record's fields by name for JSON, as they are kept, masked where sensitive.
func (v view) values(k *kind.Kind, values kind.Values) map[string]any {
	out := map[string]any{}
	for _, f := range k.Fields {
		b := values[f.Number]
		switch {
		case len(b) == 0:
		case f.Type == kind.TypeSet:
			out[f.Name] = kind.SplitSet(b)
		case f.Type == kind.TypeReference && f.Ref != kind.RefUnion:
			out[f.Name] = f.Format(b, v.lang())
		case f.Sensitive && !v.reveal:
			out[f.Name] = f.Mask(b, v.lang())
		default:
			out[f.Name] = string(b)
		}
	}
	return out
}

// recordOut is a record in JSON.
type recordOut struct {
	Kind      string         `json:"kind"`
	ID        string         `json:"id"`
	Title     string         `json:"title"`
	Values    map[string]any `json:"values"`
	Void      string         `json:"void,omitempty"`
	Conflicts []string       `json:"conflicts,omitempty"`
}

func (v view) record(r union.Row) recordOut {
	out := recordOut{Kind: r.Kind.Name, ID: r.ID.String(), Title: v.title(r), Values: v.values(r.Kind, r.Values), Void: r.Void}
	for _, n := range r.Conflicts {
		out.Conflicts = append(out.Conflicts, fieldName(r.Kind, n))
	}
	return out
}

// title names a record; where its title is sensitive, masked.
func (v view) title(r union.Row) string {
	if f, ok := r.Kind.Field(r.Kind.Title); ok {
		return v.value(f, r.Values[f.Number])
	}
	return short(r.ID)
}

func fieldName(k *kind.Kind, n syncproto.FieldNumber) string {
	if f, ok := k.FieldByNumber(n); ok {
		return f.Name
	}
	switch n {
	case syncproto.FieldVoid:
		return "void"
	case syncproto.FieldSameAs:
		return "same_as"
	}
	return "?"
}

func (v view) label(k *kind.Kind, n syncproto.FieldNumber) string {
	if f, ok := k.FieldByNumber(n); ok {
		return f.Label.In(v.lang())
	}
	return v.s.T("agent.field_" + fieldName(k, n))
}

// recordArg finds the kind and the record that the arguments name.
func recordArg(c *cli.Context, a *agent.Agent, u *union.Union, args []string) (union.Row, error) {
	k, err := agent.FindKind(a.Kinds(), args[0])
	if err != nil {
		return union.Row{}, err
	}
	id, err := agent.Resolve(c.Context, u, k, args[1])
	if err != nil {
		return union.Row{}, err
	}
	return u.Get(k.Name, id)
}

// withFields adds to an error about a field's name, in words, which fields there are.
func withFields(s *clikit.Session, k *kind.Kind, err error) error {
	if s.JSON || err == nil || syncproto.CodeOf(err) != syncproto.CodeUnknownName {
		return err
	}
	var names []string
	for _, f := range k.Fields {
		names = append(names, f.Label.In(string(s.Lang)))
	}
	s.Note(s.T("agent.known_fields", "kind", k.Label.In(string(s.Lang)), "fields", strings.Join(names, s.T("agent.comma"))))
	return err
}

// findingOut is one finding in JSON.
type findingOut struct {
	Code     syncproto.Code `json:"code"`
	Class    string         `json:"class,omitempty"`
	Rule     string         `json:"rule,omitempty"`
	Fields   []string       `json:"fields,omitempty"`
	Sentence string         `json:"sentence"`
}

func findingsOf(s *clikit.Session, all []kind.Finding) []findingOut {
	out := []findingOut{}
	for _, f := range all {
		o := findingOut{Code: f.Code, Class: f.Class, Rule: f.Rule, Sentence: text.Sentence(s.Lang, f.Err())}
		for _, field := range f.Fields {
			o.Fields = append(o.Fields, field.Name)
		}
		out = append(out, o)
	}
	return out
}

// refusal prints why a draft is not saved, each reason on its own line, and gives the error
// for the end.
func refusal(err error) error {
	var refused *union.Refused
	if !errors.As(err, &refused) {
		return err
	}
	var all []error
	for _, p := range refused.Problems {
		all = append(all, p.Err())
	}
	for _, f := range refused.Findings {
		if f.Blocks() {
			all = append(all, f.Err())
		}
	}
	return clikit.WithFindings(err, all)
}

// clean takes out of a line what would move the cursor or colour the terminal: it holds
// what somebody typed somewhere.
func clean(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control):
			return -1
		}
		return r
	}, line)
}

func moment(t time.Time) string {
	if t.IsZero() || t.Unix() == 0 {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

func unix(s int64) time.Time { return time.Unix(s, 0) }

// stamp is a moment in JSON: empty for none.
func stamp(t time.Time) string {
	if t.IsZero() || t.Unix() == 0 {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func closing(err error, u *union.Union) error { return errors.Join(err, u.Close()) }
