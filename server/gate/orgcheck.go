package gate

import (
	"maps"
	"slices"
	"strconv"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// orgCheck reads the rows of an import against the tree as it stands.
type orgCheck struct {
	tree     *tree
	today    string
	rows     []*orgRow
	byCode   map[string]*orgRow
	problems []*unionrpc.OrgProblem
}

// orgRow is one unit as it will stand: what the row gives, over what is there.
type orgRow struct {
	line   uint32
	code   string
	values kind.Values
	set    map[syncproto.FieldNumber]bool // fields that the row, or a rule of ours, sets
	filled bool
}

func newOrgCheck(t *tree, today string) *orgCheck {
	return &orgCheck{tree: t, today: today, byCode: map[string]*orgRow{}}
}

// check reads all rows and notes all problems.
func (c *orgCheck) check(rows []*unionrpc.OrgRow) {
	for _, r := range rows {
		if row := c.read(r); row != nil {
			c.rows = append(c.rows, row)
			c.byCode[row.code] = row
		}
	}
	for _, row := range c.rows {
		c.parents(row)
	}
	for _, row := range c.rows {
		c.fill(row)
		for _, f := range c.tree.kind.Check(row.values, kind.Env{Today: c.today}) {
			if f.Class == kind.ClassBlocks {
				c.problem(row.line, f.Err())
			}
		}
	}
	slices.SortStableFunc(c.problems, func(a, b *unionrpc.OrgProblem) int { return int(a.GetLine()) - int(b.GetLine()) })
	c.order()
}

func (c *orgCheck) problem(line uint32, err *syncproto.Error) {
	c.problems = append(c.problems, &unionrpc.OrgProblem{Line: line, Code: uint32(err.Code), Args: err.Args})
}

// read turns a row's texts into canonical values; nil when it names no unit.
func (c *orgCheck) read(r *unionrpc.OrgRow) *orgRow {
	row := &orgRow{line: r.GetLine(), values: kind.Values{}, set: map[syncproto.FieldNumber]bool{}}
	bad := len(c.problems)
	for _, name := range slices.Sorted(maps.Keys(r.GetValues())) {
		f, err := c.tree.kind.Find(name)
		if err != nil {
			c.problem(row.line, &syncproto.Error{Code: syncproto.CodeUnknownName, Args: map[string]string{
				"kind": kindUnit, "field": clip(name, maxName)}})
			continue
		}
		value, _, problem := f.Parse(r.GetValues()[name])
		if problem != nil {
			c.problem(row.line, problem.Err())
			continue
		}
		if row.set[f.Number] = true; len(value) > 0 {
			row.values[f.Number] = value
		}
	}
	row.code = row.values.Text(c.tree.code)
	first := c.byCode[row.code]
	switch {
	case row.code == "" && len(c.problems) == bad:
		c.problem(row.line, (&kind.Problem{Code: syncproto.CodeMissing, Field: c.tree.code}).Err())
	case row.code == syncproto.CityUnion:
		c.problem(row.line, syncproto.Fail(syncproto.CodeOrgCode, "read row", nil, "code", row.code))
	case first != nil:
		c.problem(row.line, syncproto.Fail(syncproto.CodeOrgTwice, "read row", nil,
			"code", row.code, "line", strconv.Itoa(int(first.line))))
	case row.code != "":
		return row
	}
	return nil
}

const maxName = 60 // bytes of a column's name in a message

// parents checks that the unit's way up exists and ends.
func (c *orgCheck) parents(row *orgRow) {
	seen := map[string]bool{row.code: true}
	for at := c.above(row.code); at != ""; at = c.above(at) {
		if seen[at] {
			if at == row.code {
				c.problem(row.line, syncproto.Fail(syncproto.CodeOrgCycle, "read row", nil, "code", row.code))
			}
			return
		}
		seen[at] = true
		if c.byCode[at] == nil && c.tree.units[at] == nil {
			if at == c.above(row.code) {
				c.problem(row.line, syncproto.Fail(syncproto.CodeOrgParent, "read row", nil, "parent", at))
			}
			return
		}
	}
}

// above gives the parent that a unit will have.
func (c *orgCheck) above(code string) string {
	if row := c.byCode[code]; row != nil && row.set[c.tree.above.Number] {
		return row.values.Text(c.tree.above)
	}
	return c.tree.units[code].Text(c.tree.above)
}

// fill completes a row: what it does not name stays as it is, the reporting unit is that of
// the parent, and grassroots unions are those of the level of that name.
func (c *orgCheck) fill(row *orgRow) {
	if row.filled {
		return
	}
	row.filled = true // before going up: a circle ends here
	for n, v := range c.tree.units[row.code] {
		if !row.set[n] {
			row.values[n] = v
		}
	}
	if f, ok := c.tree.kind.Field("county"); ok && row.values.Text(f) == "" {
		if v := c.countyAbove(row, f); v != "" {
			row.values[f.Number], row.set[f.Number] = []byte(v), true
		}
	}
	level, ok := c.tree.kind.Field("level")
	if f, is := c.tree.kind.Field("grassroots"); ok && is && row.values.Text(f) == "" {
		row.values[f.Number], row.set[f.Number] = []byte("0"), true
		if row.values.Text(level) == "union" {
			row.values[f.Number] = []byte("1")
		}
	}
}

func (c *orgCheck) countyAbove(row *orgRow, county *kind.Field) string {
	above := c.above(row.code)
	if r := c.byCode[above]; r != nil {
		c.fill(r)
		return r.values.Text(county)
	}
	return c.tree.units[above].Text(county)
}

// order puts parents before the units below them, and else keeps the file's order.
func (c *orgCheck) order() {
	if len(c.problems) > 0 {
		return
	}
	placed := map[string]bool{}
	out := make([]*orgRow, 0, len(c.rows))
	var place func(*orgRow)
	place = func(row *orgRow) {
		if placed[row.code] {
			return
		}
		placed[row.code] = true
		if r := c.byCode[c.above(row.code)]; r != nil {
			place(r)
		}
		out = append(out, row)
	}
	for _, row := range c.rows {
		place(row)
	}
	c.rows = out
}
