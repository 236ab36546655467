package gate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

func row(line uint32, pairs ...string) *unionrpc.OrgRow {
	r := &unionrpc.OrgRow{Line: line, Values: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		r.Values[pairs[i]] = pairs[i+1]
	}
	return r
}

// standing is a tree that stands: the city and one county.
func standing(t *testing.T) *tree {
	t.Helper()
	tr, err := newTree(kind.Embedded())
	if err != nil {
		t.Fatal(err)
	}
	c := newOrgCheck(tr, "2026-06-30")
	c.check([]*unionrpc.OrgRow{
		row(2, "code", "1", "name", "市总", "level", "city", "county", "SBJ"),
		row(3, "code", "2", "name", "婺城", "level", "县级", "parent", "1", "county", "婺城区"),
	})
	if len(c.problems) > 0 {
		t.Fatal(c.problems)
	}
	for _, r := range c.rows {
		tr.units[r.code] = r.values
	}
	return tr
}

// TestOrgProblems: every fault of a file in one pass, each with its line.
func TestOrgProblems(t *testing.T) {
	type fault struct {
		Line uint32
		Code syncproto.Code
	}
	good := row(9, "code", "u9", "name", "好", "level", "union", "parent", "2")
	rows := []struct {
		why  string
		rows []*unionrpc.OrgRow
		want []fault
	}{
		{"nothing wrong", []*unionrpc.OrgRow{good}, nil},
		{"a code with a blank in it is one without", []*unionrpc.OrgRow{row(2, "code", " u 1 ", "name", "a", "level", "union", "parent", "2")}, nil},
		{"a code of other characters", []*unionrpc.OrgRow{row(2, "code", "工会1", "name", "a", "level", "union", "parent", "2"), good},
			[]fault{{2, syncproto.CodeNotReference}}},
		{"no code", []*unionrpc.OrgRow{row(2, "code", "", "name", "a"), good}, []fault{{2, syncproto.CodeMissing}}},
		{"the code of the city's own records", []*unionrpc.OrgRow{row(2, "code", "city", "name", "a", "level", "union", "parent", "2")},
			[]fault{{2, syncproto.CodeOrgCode}}},
		{"a code twice", []*unionrpc.OrgRow{good, row(10, "code", "u9", "name", "b", "level", "union", "parent", "2")},
			[]fault{{10, syncproto.CodeOrgTwice}}},
		{"a parent that is nowhere", []*unionrpc.OrgRow{row(2, "code", "u1", "name", "a", "level", "union", "parent", "zz", "county", "SBJ")},
			[]fault{{2, syncproto.CodeOrgParent}}},
		{"a parent further down in the file", []*unionrpc.OrgRow{
			row(2, "code", "u1", "name", "a", "level", "union", "parent", "t1"),
			row(3, "code", "t1", "name", "t", "level", "town", "parent", "2")}, nil},
		{"a circle", []*unionrpc.OrgRow{
			row(2, "code", "a", "name", "a", "level", "town", "parent", "b", "county", "SBJ"),
			row(3, "code", "b", "name", "b", "level", "town", "parent", "a", "county", "SBJ"),
			row(4, "code", "c", "name", "c", "level", "union", "parent", "a", "county", "SBJ")},
			[]fault{{2, syncproto.CodeOrgCycle}, {3, syncproto.CodeOrgCycle}}},
		{"a unit of the tree put below its own child", []*unionrpc.OrgRow{
			row(2, "code", "t", "name", "t", "level", "town", "parent", "2"),
			row(3, "code", "2", "parent", "t")}, []fault{{2, syncproto.CodeOrgCycle}, {3, syncproto.CodeOrgCycle}}},
		{"its own parent", []*unionrpc.OrgRow{row(2, "code", "u1", "name", "a", "level", "union", "parent", "u1", "county", "SBJ")},
			[]fault{{2, syncproto.CodeOrgCycle}, {2, syncproto.CodeRule}}},
		{"no parent below the city", []*unionrpc.OrgRow{row(2, "code", "u1", "name", "a", "level", "union", "county", "SBJ")},
			[]fault{{2, syncproto.CodeRule}}},
		{"several faults of one row", []*unionrpc.OrgRow{row(2, "code", "u1", "name", "", "level", "?", "parent", "2", "phone", "12"), good},
			[]fault{{2, syncproto.CodeNotInTable}, {2, syncproto.CodeNotPhone}, {2, syncproto.CodeMissing}, {2, syncproto.CodeMissing}}},
		{"a column that the kind does not have", []*unionrpc.OrgRow{row(2, "code", "u1", "name", "a", "level", "union", "parent", "2", "moon", "x")},
			[]fault{{2, syncproto.CodeUnknownName}}},
		{"a unit that is there may be named by its code alone", []*unionrpc.OrgRow{row(2, "code", "2")}, nil},
	}
	for _, r := range rows {
		t.Run(r.why, func(t *testing.T) {
			c := newOrgCheck(standing(t), "2026-06-30")
			c.check(r.rows)
			var got []fault
			for _, p := range c.problems {
				got = append(got, fault{p.GetLine(), syncproto.Code(p.GetCode())})
			}
			if d := cmp.Diff(r.want, got); d != "" {
				t.Fatal(d)
			}
		})
	}
}

// TestOrgFill: what a short file leaves out follows from the tree, and what staff set
// stays.
func TestOrgFill(t *testing.T) {
	c := newOrgCheck(standing(t), "2026-06-30")
	c.check([]*unionrpc.OrgRow{
		row(2, "code", "u1", "name", "厂工会", "level", "基层", "parent", "t1"),
		row(3, "code", "t1", "name", "街道", "level", "town", "parent", "2"),
	})
	if len(c.problems) > 0 {
		t.Fatal(c.problems)
	}
	r := new(unionrpc.ImportOrgResponse)
	changes := c.changes(r)
	if r.GetAdded() != 2 || len(changes) != 2 {
		t.Fatal(r)
	}
	if c.rows[0].code != "t1" {
		t.Fatal("a parent comes behind its child")
	}
	text := func(row *orgRow, name string) string {
		f, ok := c.tree.kind.Field(name)
		if !ok {
			t.Fatalf("no field %s", name)
		}
		return row.values.Text(f)
	}
	for i, want := range []struct{ county, grassroots string }{{"330702", "0"}, {"330702", "1"}} {
		if got := c.rows[i]; text(got, "county") != want.county || text(got, "grassroots") != want.grassroots {
			t.Errorf("%s: county %q, grassroots %q", got.code, text(got, "county"), text(got, "grassroots"))
		}
	}
	for _, x := range c.rows {
		c.tree.units[x.code] = x.values
	}
	again := newOrgCheck(c.tree, "2026-06-30")
	again.check([]*unionrpc.OrgRow{row(2, "code", "u1", "name", "厂工会", "level", "基层", "parent", "t1", "phone", "")})
	if r = new(unionrpc.ImportOrgResponse); len(again.changes(r)) != 0 || r.GetUnchanged() != 1 {
		t.Fatalf("the same again: %v", r)
	}
	again = newOrgCheck(c.tree, "2026-06-30")
	again.check([]*unionrpc.OrgRow{row(2, "code", "t1", "name", "新街道")})
	if r = new(unionrpc.ImportOrgResponse); len(again.changes(r)) != 1 || r.GetChanged() != 1 {
		t.Fatalf("a new name: %v", r)
	}
}

// TestOrgCheckEnds: whatever a file says of parents, the check ends, and what it lets pass
// is a tree.
func TestOrgCheckEnds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		codes := []string{"a", "b", "c", "d", "e", "1", "2", ""}
		var rows []*unionrpc.OrgRow
		for i := range rapid.IntRange(1, 8).Draw(rt, "rows") {
			rows = append(rows, row(uint32(i), "code", rapid.SampledFrom(codes).Draw(rt, "code"), "name", "x", "level", "town",
				"county", "SBJ", "parent", rapid.SampledFrom(codes).Draw(rt, "parent")))
		}
		c := newOrgCheck(standing(t), "2026-06-30")
		c.check(rows)
		if len(c.problems) > 0 {
			return
		}
		placed := map[string]bool{"1": true, "2": true}
		for _, r := range c.rows {
			if above := c.above(r.code); !placed[above] && above != "" {
				rt.Fatalf("%s comes before its parent %s", r.code, above)
			}
			placed[r.code] = true
		}
	})
}
