package sheet

import (
	"strconv"
	"strings"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Verdict says what importing would do with a row.
type Verdict string

// Verdicts of a row.
const (
	Accept    Verdict = "accept"    // imported as it stands; hints are allowed
	Normalise Verdict = "normalise" // imported after a normalisation that is listed
	Refuse    Verdict = "refuse"    // not imported
	Unchanged Verdict = "unchanged" // the stored record says the same already
)

// Existing is a stored record that a row stands for.
type Existing struct {
	ID        syncproto.RecordID
	Values    kind.Values
	Companion kind.Values // of the event that made it; nil if not known
}

// Options of [Make].
type Options struct {
	Today string // as in [kind.Env]
	// Existing finds the stored records with these canonical values of the kind's key
	// fields. Nil: nothing is stored.
	Existing func(key []string) []Existing
	// Related finds stored records that cells refer to, as in [kind.Env].
	Related func(kind string, id syncproto.RecordID) (kind.Values, bool)
	Explain string // one explanation for all class C findings of this import
}

// Plan is what importing a file would do. Nothing of it is saved.
type Plan struct {
	Kind      *kind.Kind
	Companion *kind.Kind // nil if the kind has none
	Rows      []Planned
	Columns   []Column           // of the first sheet that has headings
	Unknown   []Heading          // columns that are not imported
	Skipped   []Skipped          // rows that are no records: notes, totals
	Aside     []string           // sheets without headings of this kind
	General   []*syncproto.Error // what concerns the whole file, such as a missing column
}

// Skipped is a row that is no record.
type Skipped struct {
	Sheet string
	Row   int
}

// Planned is one row of the plan.
type Planned struct {
	Sheet     string
	Number    int    // of the row in its sheet
	Serial    string // what stands in the 序号 column
	Verdict   Verdict
	Update    bool               // the row edits a stored record
	ID        syncproto.RecordID // of that record
	Record    kind.Values        // of a new record all values, of a stored one those that differ
	Companion kind.Values        // of a new record's companion, without the link to the record
	Notes     []kind.Note        // what was normalised: to be shown, never logged
	Findings  []kind.Finding     // what is wrong with it or worth a hint
}

// Refused gives the findings for which the row is refused.
func (p *Planned) Refused() []kind.Finding {
	var out []kind.Finding
	for _, f := range p.Findings {
		if f.Blocks() {
			out = append(out, f)
		}
	}
	return out
}

// Count counts the rows with a verdict.
func (p *Plan) Count(v Verdict) int {
	n := 0
	for i := range p.Rows {
		if p.Rows[i].Verdict == v {
			n++
		}
	}
	return n
}

// Make plans the import of a table as records of one kind. It looks at every row and keeps
// every error; the only errors that it returns are that the kind is not known or that no
// sheet has its headings.
func Make(t *Table, set *kind.Set, name string, o Options) (*Plan, error) {
	k, err := set.Find(name)
	if err != nil {
		return nil, err
	}
	m := &maker{plan: &Plan{Kind: k}, options: o, seen: map[string]int{}}
	if k.Companion != nil {
		m.plan.Companion, _ = set.Kind(k.Companion.Kind) // checked when the set was loaded
	}
	known := headings(k, m.plan.Companion)
	for _, s := range t.Sheets {
		h, ok := findHeader(s, known)
		if !ok {
			if len(s.Rows) > 0 {
				m.plan.Aside = append(m.plan.Aside, s.Name)
			}
			continue
		}
		m.sheet(s, h)
	}
	if m.plan.Columns == nil {
		return nil, noHeader(k)
	}
	return m.plan, nil
}

// noHeader says which headings were looked for.
func noHeader(k *kind.Kind) error {
	var zh []string
	for _, f := range k.Fields {
		if f.Need == kind.NeedYes && len(zh) < 6 {
			zh = append(zh, f.Label.Zh)
		}
	}
	return syncproto.Fail(syncproto.CodeSheetNoHeader, "plan import", nil,
		"label_zh", k.Label.Zh, "label_en", k.Label.En, "columns", strings.Join(zh, "、"))
}

// maker makes one plan.
type maker struct {
	plan    *Plan
	options Options
	seen    map[string]int // rows by their key
}

// sheet plans the rows below a header.
func (m *maker) sheet(s *Sheet, h *header) {
	if m.plan.Columns == nil {
		m.plan.Columns = h.columns
		m.missing(h)
	}
	m.plan.Unknown = append(m.plan.Unknown, h.unknown...)
	for _, row := range s.Rows[h.at+1:] {
		if m.isRecord(row, h) {
			m.plan.Rows = append(m.plan.Rows, m.row(s, h, row))
		} else {
			m.plan.Skipped = append(m.plan.Skipped, Skipped{Sheet: s.Name, Row: row.Number})
		}
	}
}

// missing notes required columns that the sheet does not have and nothing else can fill.
func (m *maker) missing(h *header) {
	have := map[*kind.Field]bool{}
	for _, c := range h.columns {
		have[c.Field] = true
	}
	note := func(f *kind.Field, set bool) {
		if f.Need == kind.NeedYes && !have[f] && !set && f.Default == "" && f.Derive == nil {
			m.plan.General = append(m.plan.General, syncproto.Fail(syncproto.CodeSheetNoColumns, "plan import", nil,
				"label_zh", f.Label.Zh, "label_en", f.Label.En, "field", f.Name))
		}
	}
	for _, f := range m.plan.Kind.Fields {
		note(f, false)
	}
	if m.plan.Companion != nil {
		c := m.plan.Kind.Companion
		for _, f := range m.plan.Companion.Fields {
			note(f, c.Set[f.Name] != "" || f.Name == c.Link)
		}
	}
}

// noteWords begin a row of notes below or between the rows of a list.
var noteWords = []string{"填表说明", "填报说明", "说明", "注:", "注：", "备注:", "备注：", "合计", "总计", "小计", "共计",
	"填表人", "填报人", "制表", "审核", "负责人", "单位负责人", "经办人", "填表日期", "填报日期", "以下空白"}

// isRecord tells rows of the list from notes, totals and headings between them: a record
// has what names or identifies it, or at least three known cells.
func (m *maker) isRecord(row Row, h *header) bool {
	for _, c := range row.Cells {
		if !c.blank() {
			if startsNote(c.Text) {
				return false
			}
			break
		}
	}
	k, filled := m.plan.Kind, 0
	for _, col := range h.columns {
		c := row.at(col.Index)
		if c.blank() || c.Merged != 0 || strings.TrimSpace(c.Text) == "" {
			continue
		}
		filled++
		named := !col.Companion && (col.Field.Name == k.Title || col.Field.Default == "" && isKey(k, col.Field))
		if named && !startsNote(c.Text) {
			return true
		}
	}
	return filled >= 3
}

// startsNote reports whether a text begins like a note below a list.
func startsNote(s string) bool {
	s = strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(s, "\u3000", "")), " ", "")
	for _, w := range noteWords {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}

// isKey reports whether a field is one of the kind's key.
func isKey(k *kind.Kind, f *kind.Field) bool {
	for _, name := range k.Key {
		if name == f.Name {
			return true
		}
	}
	return false
}

// at gives a cell, the zero one beyond the row's end.
func (r Row) at(col int) Cell {
	if col < 0 || col >= len(r.Cells) {
		return Cell{}
	}
	return r.Cells[col]
}

// finding makes a finding of this package about a field.
func finding(class string, code syncproto.Code, f *kind.Field, args ...string) kind.Finding {
	return kind.Finding{Code: code, Class: class, Fields: []*kind.Field{f}, Args: args}
}

// rowArg gives a row's number as an argument.
func rowArg(n int) string { return strconv.Itoa(n) }
