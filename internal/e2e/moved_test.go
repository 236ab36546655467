//go:build !windows

package e2e

import (
	"os"
	"path/filepath"
	"slices"

	"unionsync/internal/proc"
)

// movedAndUsed: a PC is moved by stick with work that was not sent yet. The old one saves and
// sends nothing, until somebody takes the mark away by mistake: then both go on with one
// journal. Both branches arrive, and the fork is seen at both PCs and at the centre, with who
// and when, until people have closed it; from then on nobody is told of it again.
func (c *city) movedAndUsed(union int) {
	from := c.newDesk(union, "甲")
	from.newRoster(union)
	syncs(from)
	waiting, here, there := from.member(0), from.member(1), from.member(2)
	from.says(0, "set", "member", waiting, "mobile=13800000001")
	var moved struct {
		File, Code string
		Unions     []string
	}
	stick := filepath.Join(c.TempDir(), "stick")
	from.asks(&moved, 0, "move", "export", "--to", stick)
	for _, args := range [][]string{
		{"set", "member", here, "mobile=13800000002"},
		{"sync"},
		{"bundle", "export", "--to", stick},
	} {
		c.mentions(from.says(7, args...), "E577", "请在新电脑上工作")
	}
	to := &desk{Agent: proc.NewAgent(programs, from.Union, filepath.Join(c.TempDir(), "new")), c: c, who: "乙"}
	c.mentions(to.says(7, "move", "import", moved.File, "--code", "AAAAA"+moved.Code[5:]), "E578", "迁移码")
	c.refuseHalf(to, moved.File, moved.Code)
	c.mentions(to.says(0, "move", "import", moved.File, "--code", moved.Code), "已导入")
	c.mentions(to.says(3, "move", "import", moved.File, "--code", moved.Code), "E579")
	to.says(0, "set", "member", there, "mobile=13800000003")
	to.says(0, "sync")

	c.mentions(from.says(0, "move", "cancel", "--not-imported"), "已取消")
	from.says(0, "set", "member", here, "mobile=13800000004")
	from.says(0, "set", "member", there, "mobile=13800000005")
	c.mentions(from.says(exitAttention, "sync"), "E515", "双方的改动都已保留")
	c.mentions(to.says(exitAttention, "sync"), "E515")
	want := map[string]string{waiting: "13800000001", here: "13800000004", there: "13800000005"}
	for _, d := range []*desk{from, to} {
		for id, mobile := range want {
			if got := d.field(id, "mobile"); got != mobile {
				c.Errorf("%s has %s, want %s", d.who, got, mobile)
			}
		}
		if h := dots(d.history(there)); len(h) != 3 {
			c.Errorf("%s: the record that both branches changed has the history %v", d.who, h)
		}
		one := d.cases(1)[0]
		if one.Type != "fork" || len(one.Branches) != 2 || !slices.ContainsFunc(one.Branches, func(a author) bool { return a.Actor == "甲" && a.Time != "" }) ||
			!slices.ContainsFunc(one.Branches, func(a author) bool { return a.Actor == "乙" && a.Time != "" }) {
			c.Errorf("%s sees %+v", d.who, one)
		}
		c.mentions(d.says(exitAttention, "cases"), "分支", "甲", "乙", "只有一台电脑", "resolve "+one.Number)
		c.mentions(d.says(exitAttention, "status"), "E515")
	}
	staff := c.staffCases(from.Union, 1)[0]
	if staff.Type != "fork" || len(staff.Branches) != 2 || staff.Journal == "" || staff.Branches[0].Actor == staff.Branches[1].Actor || staff.Branches[0].Time == 0 {
		c.Errorf("the centre sees %+v", staff)
	}
	c.mentions(c.staffSays(0, "cases", "list", "--union", from.Union), "日志分成两支", "甲", "乙")

	to.says(3, "resolve", to.cases(1)[0].Number, "--drop", "--yes")
	to.says(0, "resolve", to.cases(1)[0].Number, "--choose", "1")
	for range 2 {
		to.says(0, "sync")
		from.says(0, "sync")
	}
	c.staffCases(from.Union, 0)
	for _, d := range []*desk{from, to} {
		d.cases(0)
		d.says(0, "set", "member", here, "mobile=13800000006") // and still both go on
		d.says(0, "sync")
		d.says(0, "status")
	}
	c.agree(from, to)
}

// refuseHalf takes a file that was cut in the middle to a new PC: it is refused by name, and
// the whole one can be taken afterwards.
func (c *city) refuseHalf(to *desk, file, code string) {
	c.Helper()
	b, err := os.ReadFile(file)
	c.do(err)
	half := filepath.Join(c.TempDir(), filepath.Base(file))
	c.do(os.WriteFile(half, b[:len(b)/2], 0o600))
	c.mentions(to.says(3, "move", "import", half, "--code", code), "（E5")
}
