package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"unionsync/agent"
	"unionsync/agent/sheet"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/internal/text"
	"unionsync/syncproto"
)

func (p program) importSheet(s *clikit.Session) *cli.Command {
	return &cli.Command{
		Name: "import", Usage: s.T("agent.import_usage"), ArgsUsage: s.T("agent.word_file"),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "apply", Usage: s.T("agent.flag_apply")},
			&cli.StringFlag{Name: "kind", Usage: s.T("agent.flag_kind"), Value: "member"},
			&cli.StringFlag{Name: flagExplain, Usage: s.T("agent.flag_explain")},
			revealFlag(s),
		},
		Action: p.doImport,
	}
}

func (p program) doImport(c *cli.Context) (err error) {
	s := clikit.From(c)
	args, err := clikit.Args(c, 1, 1, s.T("agent.word_file"))
	if err != nil {
		return err
	}
	file, err := os.Open(args[0])
	if err != nil {
		return syncproto.Fail(syncproto.CodeFileUnread, "open file", err, "file", args[0])
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return syncproto.Fail(syncproto.CodeFileUnread, "open file", err, "file", args[0])
	}
	if info.Size() >= largeFile {
		limitMemory(fileMemoryLimit)
	}
	return p.with(c, func(a *agent.Agent, u *union.Union) error {
		k, err := agent.FindKind(a.Kinds(), c.String("kind"))
		if err != nil {
			return err
		}
		bar := s.Progress(s.T("agent.importing"))
		o := agent.ImportOptions{Kind: k.Name, Apply: c.Bool("apply"), Explain: c.String(flagExplain),
			Note: filepath.Base(args[0]), Progress: bar.Step}
		im, cause := o.Run(c.Context, u, file, info.Size())
		bar.Done()
		if im == nil {
			return cause
		}
		r := importReport{view: viewOf(c, u), im: im, file: args[0], apply: o.Apply, cut: cause != nil}
		if err := s.Print(r.out(), r.print); err != nil {
			return err
		}
		return r.outcome(cause)
	})
}

// importReport says what an import did or would do.
type importReport struct {
	view
	im    *agent.Import
	file  string
	apply bool
	cut   bool // an error ended it
}

// outcome is what the command ends with: rows that were refused are bad input.
func (r importReport) outcome(cause error) error {
	if cause == nil && r.refused() > 0 {
		return clikit.Outcome(clikit.ExitInput)
	}
	return cause
}

func (r importReport) refused() int { return r.im.Plan.Count(sheet.Refuse) + len(r.im.Late) }

// good is how many rows are, or would be, imported.
func (r importReport) good() int {
	return r.im.Plan.Count(sheet.Accept) + r.im.Plan.Count(sheet.Normalise) - len(r.im.Late)
}

// importOut is an import in JSON.
type importOut struct {
	File      string   `json:"file"`
	Kind      string   `json:"kind"`
	Applied   bool     `json:"applied"`
	Rows      int      `json:"rows"`
	Accept    int      `json:"accept"`
	Normalise int      `json:"normalise"`
	Refuse    int      `json:"refuse"`
	Unchanged int      `json:"unchanged"`
	Saved     int      `json:"saved"`
	New       int      `json:"new"`
	Unknown   []string `json:"unknown_columns"`
	Skipped   []int    `json:"skipped_rows"`
	General   []string `json:"general"`
	Verdicts  []rowOut `json:"verdicts"`
}

// rowOut is one row in JSON.
type rowOut struct {
	Sheet    string       `json:"sheet,omitempty"`
	Row      int          `json:"row"`
	Serial   string       `json:"serial,omitempty"`
	Verdict  string       `json:"verdict"`
	Update   bool         `json:"update,omitempty"`
	Findings []findingOut `json:"findings,omitempty"`
	Notes    []noteOut    `json:"notes,omitempty"`
}

func (r importReport) out() importOut {
	p := r.im.Plan
	out := importOut{
		File: r.file, Kind: p.Kind.Name, Applied: r.apply, Rows: len(p.Rows), Accept: p.Count(sheet.Accept),
		Normalise: p.Count(sheet.Normalise), Refuse: r.refused(), Unchanged: p.Count(sheet.Unchanged),
		Saved: r.im.Saved, New: r.im.New, Unknown: []string{}, Skipped: []int{}, General: r.general(), Verdicts: []rowOut{},
	}
	for _, h := range p.Unknown {
		out.Unknown = append(out.Unknown, h.Text)
	}
	for _, k := range p.Skipped {
		out.Skipped = append(out.Skipped, k.Row)
	}
	for i, row := range p.Rows {
		o := rowOut{Sheet: row.Sheet, Row: row.Number, Serial: row.Serial, Verdict: string(row.Verdict), Update: row.Update,
			Findings: findingsOf(r.s, row.Findings), Notes: r.notes(row.Notes)}
		if late := r.im.Late[i]; late != nil {
			o.Verdict = string(sheet.Refuse)
			o.Findings = append(o.Findings, findingOut{Code: syncproto.CodeOf(late), Sentence: text.Sentence(r.s.Lang, late)})
		}
		out.Verdicts = append(out.Verdicts, o)
	}
	return out
}

// general says what concerns the whole file.
func (r importReport) general() []string {
	out := []string{}
	for _, e := range r.im.Plan.General {
		out = append(out, text.Sentence(r.s.Lang, e))
	}
	for _, name := range r.im.Plan.Aside {
		out = append(out, text.Sentence(r.s.Lang, syncproto.Fail(syncproto.CodeSheetLeftAside, "import", nil, "sheet", name)))
	}
	return out
}

// print writes everything in one pass: what concerns the file, every refused row with its
// reasons, every normalisation, and the counts at the end, where they are seen.
func (r importReport) print() error {
	var b strings.Builder
	line := func(parts ...string) { b.WriteString(clean(strings.Join(parts, "")) + "\n") }
	for _, g := range r.general() {
		line(g)
	}
	for _, h := range r.im.Plan.Unknown {
		id := "agent.column_unknown"
		if h.Twice {
			id = "agent.column_twice"
		}
		line(r.s.T(id, "column", h.Letter(), "heading", h.Text))
	}
	if n := len(r.im.Plan.Skipped); n > 0 {
		var rows []string
		for _, k := range r.im.Plan.Skipped {
			rows = append(rows, strconv.Itoa(k.Row))
		}
		line(r.s.T("agent.rows_skipped", "n", fmt.Sprint(n), "rows", strings.Join(rows, ", ")))
	}
	r.printRefused(line)
	r.printNotes(line)
	r.printCounts(line)
	_, err := fmt.Fprint(r.s.Stdout, b.String())
	return err
}

func (r importReport) printRefused(line func(...string)) {
	if r.refused() == 0 {
		return
	}
	line(r.s.T("agent.refused_heading", "n", fmt.Sprint(r.refused())))
	for i := range r.im.Plan.Rows {
		row := &r.im.Plan.Rows[i]
		late := r.im.Late[i]
		if row.Verdict != sheet.Refuse && late == nil {
			continue
		}
		line("  ", r.where(row))
		for _, f := range row.Refused() {
			line("    ", text.Sentence(r.s.Lang, f.Err()))
		}
		if late != nil {
			line("    ", text.Sentence(r.s.Lang, late))
		}
	}
}

// printNotes lists what was normalised, and hints, of rows that are imported.
func (r importReport) printNotes(line func(...string)) {
	headed := false
	for i := range r.im.Plan.Rows {
		row := &r.im.Plan.Rows[i]
		if row.Verdict != sheet.Normalise || len(row.Notes) == 0 || r.im.Late[i] != nil {
			continue
		}
		if !headed {
			line(r.s.T("agent.notes_heading", "n", fmt.Sprint(r.im.Plan.Count(sheet.Normalise))))
			headed = true
		}
		line("  ", r.where(row))
		for _, n := range row.Notes {
			line("    ", r.note(n))
		}
	}
}

func (r importReport) where(row *sheet.Planned) string {
	name := ""
	if f, ok := r.im.Plan.Kind.Field(r.im.Plan.Kind.Title); ok {
		name = r.value(f, row.Record[f.Number])
	}
	if row.Sheet == "" {
		return r.s.T("agent.row", "row", fmt.Sprint(row.Number), "name", name)
	}
	return r.s.T("agent.sheet_row", "sheet", row.Sheet, "row", fmt.Sprint(row.Number), "name", name)
}

func (r importReport) printCounts(line func(...string)) {
	p := r.im.Plan
	updates := 0
	for i := range p.Rows {
		if p.Rows[i].Update && (p.Rows[i].Verdict == sheet.Accept || p.Rows[i].Verdict == sheet.Normalise) && r.im.Late[i] == nil {
			updates++
		}
	}
	args := []string{
		"rows", fmt.Sprint(len(p.Rows)), "good", fmt.Sprint(r.good()), "new", fmt.Sprint(r.good() - updates), "update", fmt.Sprint(updates),
		"unchanged", fmt.Sprint(p.Count(sheet.Unchanged)), "refuse", fmt.Sprint(r.refused()), "normalise", fmt.Sprint(p.Count(sheet.Normalise)),
	}
	line(r.s.T("agent.import_counts", args...))
	switch {
	case r.cut:
		line(r.s.T("agent.import_cut", "saved", fmt.Sprint(r.im.Saved), "good", fmt.Sprint(r.good())))
	case r.apply:
		line(r.s.T("agent.import_done", "saved", fmt.Sprint(r.im.Saved), "new", fmt.Sprint(r.im.New), "update", fmt.Sprint(r.im.Saved-r.im.New)))
	default:
		line(r.s.T("agent.import_dry"))
	}
}
