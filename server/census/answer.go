package census

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Answer is a count and what it knows. Its JSON form is stable: fields are added, never
// renamed or given another meaning.
type Answer struct {
	Day      string      `json:"day"`      // as of the end of this day
	Position string      `json:"position"` // with what the centre knew at this position
	By       []Dimension `json:"by"`
	Filter   []Condition `json:"filter"`
	Rows     []Row       `json:"rows"`
	Total    Numbers     `json:"total"`
	Unions   Unions      `json:"unions"`
}

// Row is one group and its numbers.
type Row struct {
	Keys []Key `json:"keys"` // one for each dimension of By
	Numbers

	// Of a group of one union: a device of it may still send again what the centre lost.
	Reconfirming bool `json:"reconfirming,omitempty"`
}

// Key is a code and what it means.
type Key struct {
	Dimension Dimension `json:"dimension"`
	Code      string    `json:"code"` // "" where the record has none
	Zh        string    `json:"zh"`
	En        string    `json:"en"`
}

// Numbers are the numbers of a group. Members are people, each once; the others say what is
// in that number and what was left out of it.
type Numbers struct {
	Members      int `json:"members"`       // 会员数: in force, each person once
	InTransfer   int `json:"in_transfer"`   // 转移中: of these, left for another union that has not taken them in
	Retained     int `json:"retained"`      // 保留会籍: people, not in members
	Duplicates   int `json:"duplicates"`    // 重复: claims on people who are counted elsewhere
	WithoutEvent int `json:"without_event"` // 无会籍变动: records that no event makes a member
}

// Unions says how far the unions have been heard of.
type Unions struct {
	Grassroots  int     `json:"grassroots"` // grassroots unions that the answer is about
	Fresh       int     `json:"fresh"`      // heard of within WithinHours
	Late        int     `json:"late"`       // heard of, but not since
	Never       int     `json:"never"`      // never heard of
	Proved      int     `json:"proved"`     // of the fresh: known to hold the same records as the centre
	WithinHours float64 `json:"within_hours"`
	AskedAt     int64   `json:"asked_at"` // Unix seconds

	// Unions, of those that the answer is about, of which a device that was there before the
	// newest life of the centre has not said since that both ends are equal: it may send again
	// what a restore lost. Above 0, the total is not certain either.
	Reconfirming      int   `json:"reconfirming"`
	ReconfirmingSince int64 `json:"reconfirming_since,omitempty"` // when that life began, Unix seconds; 0: nothing is re-confirmed
}

// WriteJSON writes the answer as one JSON object.
func (a *Answer) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	out := *a
	if out.By == nil {
		out.By = []Dimension{}
	}
	if out.Filter == nil {
		out.Filter = []Condition{}
	}
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("write count: %w", err)
	}
	return nil
}

// WriteCSV writes the answer as a table in UTF-8 with a byte order mark, in language "zh" or
// "en": codes and words, then the total, then what the count knows.
func (a *Answer) WriteCSV(w io.Writer, lang string) error {
	var b strings.Builder
	b.WriteString("\ufeff")
	out := csv.NewWriter(&b)
	out.UseCRLF = true
	head, rows := a.table(lang, true)
	for _, line := range append([][]string{head}, rows...) {
		for i := range line {
			line[i] = inert(line[i])
		}
		_ = out.Write(line) // a strings.Builder never fails
	}
	_ = out.Write(nil) // likewise
	for _, f := range a.Facts(lang) {
		_ = out.Write([]string{inert(f[0]), inert(f[1])}) // likewise
	}
	out.Flush()
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write count: %w", err)
	}
	return nil
}

// inert keeps a spreadsheet from taking a text for a formula.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// words are the headings of a table in both languages.
var words = map[string][]string{
	"zh": {"会员数", "其中转移中", "保留会籍", "重复未计", "无会籍变动", "合计", "代码", "恢复后重新确认", "确认中"},
	"en": {"members", "of these in transfer", "retained", "duplicates left out", "without event", "total", "code", "re-confirming", "yes"},
}

func wordsOf(lang string) []string {
	if lang == "en" {
		return words["en"]
	}
	return words["zh"]
}

// Table gives head and rows for people, the total last.
func (a *Answer) Table(lang string) (head []string, rows [][]string) { return a.table(lang, false) }

func (a *Answer) table(lang string, codes bool) (head []string, rows [][]string) {
	text, marks := wordsOf(lang), a.Unions.Reconfirming > 0 && slices.Contains(a.By, ByUnion)
	last := []string{}
	for i, d := range a.By {
		if codes || d == ByUnion { // two unions may have one name
			head, last = append(head, d.Label().In(lang)+" "+text[6]), append(last, "")
		}
		head, last = append(head, d.Label().In(lang)), append(last, "")
		if i == 0 {
			last[0] = text[5]
		}
	}
	if len(a.By) == 0 {
		head, last = []string{""}, []string{text[5]}
	}
	head = append(head, text[:5]...)
	mark := func(line []string, word string) []string {
		if marks {
			return append(line, word)
		}
		return line
	}
	head = mark(head, text[7])
	for _, r := range a.Rows {
		line := []string{}
		for _, k := range r.Keys {
			if codes || k.Dimension == ByUnion {
				line = append(line, k.Code)
			}
			line = append(line, k.in(lang))
		}
		word := ""
		if r.Reconfirming {
			word = text[8]
		}
		rows = append(rows, mark(append(line, r.cells()...), word))
	}
	return head, append(rows, mark(append(last, a.Total.cells()...), strconv.Itoa(a.Unions.Reconfirming)))
}

func (k Key) in(lang string) string {
	if lang == "en" && k.En != "" {
		return k.En
	}
	return k.Zh
}

func (n Numbers) cells() []string {
	out := []string{}
	for _, v := range []int{n.Members, n.InTransfer, n.Retained, n.Duplicates, n.WithoutEvent} {
		out = append(out, strconv.Itoa(v))
	}
	return out
}

// Facts gives what the count knows as pairs of label and value, for below a table. That some
// of it is being re-confirmed comes first.
func (a *Answer) Facts(lang string) [][2]string {
	return append(a.reconfirming(lang), a.known(lang)...)
}

// reconfirming says that the centre may still lack what devices send again; empty: it does not.
func (a *Answer) reconfirming(lang string) [][2]string {
	u := a.Unions
	if u.Reconfirming == 0 {
		return nil
	}
	since := time.Unix(u.ReconfirmingSince, 0).In(china).Format("2006-01-02 15:04")
	if lang == "en" {
		return [][2]string{{"unions being re-confirmed since the centre was restored on " + since, strconv.Itoa(u.Reconfirming)}}
	}
	return [][2]string{{"市中心于" + since + "恢复后重新确认中的工会", strconv.Itoa(u.Reconfirming)}}
}

func (a *Answer) known(lang string) [][2]string {
	u, n := a.Unions, strconv.Itoa
	if lang == "en" {
		return [][2]string{
			{"as of", a.Day}, {"known at position", a.Position}, {"grassroots unions", n(u.Grassroots)},
			{fmt.Sprintf("fresh (within %g h)", u.WithinHours), n(u.Fresh)}, {"late", n(u.Late)},
			{"never heard of", n(u.Never)}, {"of the fresh, proved equal", n(u.Proved)},
		}
	}
	return [][2]string{
		{"统计时点", a.Day}, {"数据位置", a.Position}, {"基层工会", n(u.Grassroots)},
		{fmt.Sprintf("%g小时内已同步", u.WithinHours), n(u.Fresh)}, {"同步滞后", n(u.Late)},
		{"从未同步", n(u.Never)}, {"已同步且已核对一致", n(u.Proved)},
	}
}
