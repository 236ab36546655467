package sheet

import (
	"bytes"
	"maps"
	"strings"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// row plans one row.
func (m *maker) row(s *Sheet, h *header, row Row) Planned {
	p := Planned{Sheet: s.Name, Number: row.Number, Record: kind.Values{}}
	if h.serial >= 0 {
		p.Serial = strings.TrimSpace(row.at(h.serial).Text)
	}
	if m.plan.Companion != nil {
		p.Companion = kind.Values{}
	}
	bad := m.cells(&p, s, h, row)
	m.settle(&p, bad)
	p.Verdict = verdict(&p)
	return p
}

// verdict sums a row up.
func verdict(p *Planned) Verdict {
	switch {
	case kind.Blocked(p.Findings):
		return Refuse
	case p.Update && len(p.Record) == 0:
		return Unchanged
	case len(p.Notes) > 0:
		return Normalise
	}
	return Accept
}

// cells reads the row's cells into values; it gives the fields whose cell was refused.
func (m *maker) cells(p *Planned, s *Sheet, h *header, row Row) map[*kind.Field]bool {
	bad := map[*kind.Field]bool{}
	for _, col := range h.columns {
		c := row.at(col.Index)
		if c.blank() {
			continue
		}
		f := col.Field
		if code := refuseCell(c, f); code != 0 {
			p.Findings, bad[f] = append(p.Findings, finding(kind.ClassBlocks, code, f)), true
			continue
		}
		value, notes, problem := f.Parse(cellText(c, f, s.Date1904))
		if problem != nil {
			p.Findings, bad[f] = append(p.Findings, finding(kind.ClassBlocks, problem.Code, f, problem.Args...)), true
			continue
		}
		p.Notes = append(p.Notes, notes...)
		switch {
		case value == nil:
		case col.Companion:
			p.Companion[f.Number] = value
		default:
			p.Record[f.Number] = value
		}
	}
	return bad
}

// refuseCell gives the reason why a cell cannot be read at all, or 0.
func refuseCell(c Cell, f *kind.Field) syncproto.Code {
	switch {
	case c.Fault:
		return syncproto.CodeRowError
	case c.Merged == mergedAcross, c.Merged == mergedDown && (f.Type != kind.TypeText || f.Style != ""):
		return syncproto.CodeRowMerged
	case c.Numeric && lostDigits(c.Text) && wantsText(f), f.Type == kind.TypeText && isExponent(c.Text):
		return syncproto.CodeIDNumeric
	case c.Numeric && !c.Day && !c.Month && f.Type == kind.TypeDate && len(c.Text) > 4 && c.Text[4] == '.':
		return syncproto.CodeNotDate // 2024.1 may have been typed as 2024.10
	}
	return 0
}

// wantsText reports whether a field's values are text that may look like a number.
func wantsText(f *kind.Field) bool {
	switch f.Type {
	case kind.TypeInteger, kind.TypeMoney, kind.TypeDate, kind.TypeMonth:
		return false
	}
	return true
}

// lostDigits reports whether a number has more than 15 digits, of which a spreadsheet
// keeps 15.
func lostDigits(s string) bool {
	whole, _, _ := strings.Cut(strings.TrimLeft(s, "-"), ".")
	return len(whole) > 15 || strings.ContainsAny(s, "eE")
}

// isExponent reports text as a spreadsheet shows a long number: 3.30782E+17.
func isExponent(s string) bool {
	digit, rest, ok := strings.Cut(strings.TrimSpace(s), ".")
	fraction, exponent, ok2 := strings.Cut(rest, "E+")
	return ok && ok2 && len(digit) == 1 && len(exponent) >= 2 && len(exponent) <= 3 &&
		strings.Trim(digit+fraction+exponent, "0123456789") == ""
}

// cellText gives the text that a field parses: days by their serial number where a date is
// wanted, else as they are shown.
func cellText(c Cell, f *kind.Field, date1904 bool) string {
	dated := f.Type == kind.TypeDate || f.Type == kind.TypeMonth
	switch {
	case c.Month || c.Day && !dated:
		return serialText(c.Text, c.Month)
	case dated && date1904 && c.Numeric && !c.Day:
		return laterSerial(c.Text)
	}
	return c.Text
}

// settle completes the values, finds the stored record, and checks everything. Findings
// about cells that were refused already are not repeated.
func (m *maker) settle(p *Planned, bad map[*kind.Field]bool) {
	k := m.plan.Kind
	full := maps.Clone(p.Record)
	p.Notes = append(p.Notes, k.Complete(full)...)
	key, ok := keyOf(k, full)
	if ok {
		m.twice(p, key)
	}
	stored, found := m.stored(p, key, ok)
	if found {
		m.update(p, stored, full, bad)
		return
	}
	p.Record = full
	p.add(k.Check(full, m.env()), bad)
	if m.plan.Companion != nil {
		m.companion(p, bad)
	}
}

// env is what checks need.
func (m *maker) env() kind.Env {
	return kind.Env{Today: m.options.Today, Related: m.options.Related, Explain: map[string]string{"": m.options.Explain}}
}

// add keeps the findings that do not repeat a refused cell.
func (p *Planned) add(findings []kind.Finding, bad map[*kind.Field]bool) {
	for _, f := range findings {
		if len(f.Fields) == 0 || !bad[f.Fields[0]] {
			p.Findings = append(p.Findings, f)
		}
	}
}

// keyOf gives the canonical values of the key, if all are there.
func keyOf(k *kind.Kind, values kind.Values) ([]string, bool) {
	if len(k.Key) == 0 {
		return nil, false
	}
	key := make([]string, 0, len(k.Key))
	for _, name := range k.Key {
		f, _ := k.Field(name) // checked when the set was loaded
		if len(values[f.Number]) == 0 {
			return nil, false
		}
		key = append(key, values.Text(f))
	}
	return key, true
}

// twice refuses the later of two rows with the same key.
func (m *maker) twice(p *Planned, key []string) {
	joined := strings.Join(key, "\x00")
	if first, ok := m.seen[joined]; ok {
		f := m.keyField()
		p.Findings = append(p.Findings, finding(kind.ClassBlocks, syncproto.CodeRowTwice, f, "first", rowArg(first)))
		return
	}
	m.seen[joined] = p.Number
}

// keyField is the field that findings about the key name: the last one of the key.
func (m *maker) keyField() *kind.Field {
	k := m.plan.Kind
	f, _ := k.Field(k.Key[len(k.Key)-1])
	return f
}

// stored finds the record that the row stands for.
func (m *maker) stored(p *Planned, key []string, ok bool) (Existing, bool) {
	if !ok || m.options.Existing == nil {
		return Existing{}, false
	}
	switch found := m.options.Existing(key); len(found) {
	case 0:
		return Existing{}, false
	case 1:
		return found[0], true
	default:
		p.Findings = append(p.Findings, finding(kind.ClassBlocks, syncproto.CodeRowAmbiguous, m.keyField()))
		return Existing{}, false
	}
}

// update keeps of a row what differs from the stored record. A blank cell deletes nothing,
// a default adds nothing, and what was wrong with the record before does not stop it.
func (m *maker) update(p *Planned, e Existing, full kind.Values, bad map[*kind.Field]bool) {
	k := m.plan.Kind
	p.Update, p.ID = true, e.ID
	merged, edits := maps.Clone(e.Values), kind.Values{}
	for _, f := range k.Fields {
		value, have := full[f.Number], e.Values[f.Number]
		if len(p.Record[f.Number]) == 0 || bytes.Equal(value, have) || f.Same(value, have) && len(value) < len(have) {
			continue
		}
		edits[f.Number], merged[f.Number] = value, value
	}
	p.Record = edits
	before := k.Check(e.Values, m.env())
	for _, f := range k.Check(merged, m.env()) {
		if !contains(before, f) {
			p.add([]kind.Finding{f}, bad)
		}
	}
	m.keptEvent(p, e)
	p.Companion = nil
}

// contains reports whether the same thing was found before.
func contains(findings []kind.Finding, f kind.Finding) bool {
	for _, g := range findings {
		if g.Code == f.Code && g.Rule == f.Rule && g.Field() == f.Field() {
			return true
		}
	}
	return false
}

// keptEvent hints that the row gives another value for the event that made the record:
// events are not edited.
func (m *maker) keptEvent(p *Planned, e Existing) {
	if m.plan.Companion == nil || e.Companion == nil {
		return
	}
	for _, f := range m.plan.Companion.Fields {
		value := p.Companion[f.Number]
		if len(value) > 0 && !f.Same(value, e.Companion[f.Number]) {
			p.Findings = append(p.Findings, finding(kind.ClassHint, syncproto.CodeRowEventKept, f))
		}
	}
}

// companion completes and checks the record that stands beside a new one. Rules that read
// the new record see its planned values.
func (m *maker) companion(p *Planned, bad map[*kind.Field]bool) {
	k, c := m.plan.Companion, m.plan.Kind.Companion
	for _, f := range k.Fields {
		want := c.Set[f.Name]
		have := p.Companion.Text(f)
		if want == "" || bad[f] {
			continue
		}
		if have != "" && have != want {
			p.Findings = append(p.Findings, finding(kind.ClassBlocks, syncproto.CodeRowCompanion, f,
				"want_zh", f.Format([]byte(want), "zh"), "want_en", f.Format([]byte(want), "en")))
			bad[f] = true
		}
		p.Companion[f.Number] = []byte(want)
	}
	p.Notes = append(p.Notes, k.Complete(p.Companion)...)
	link, _ := k.Field(c.Link) // checked when the set was loaded
	linked := maps.Clone(p.Companion)
	var id syncproto.RecordID // the new record has no id yet: zero stands for it
	linked[link.Number] = id[:]
	env := m.env()
	env.Related = func(name string, of syncproto.RecordID) (kind.Values, bool) {
		if name == m.plan.Kind.Name && of == id {
			return p.Record, true
		}
		if m.options.Related == nil {
			return nil, false
		}
		return m.options.Related(name, of)
	}
	p.add(k.Check(linked, env), bad)
}
