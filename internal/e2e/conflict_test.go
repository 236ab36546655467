//go:build !windows

package e2e

import (
	"slices"
	"strconv"

	"github.com/google/go-cmp/cmp"
)

// conflict: two PCs of one union name a member differently, offline. Both and the centre list
// both names, with who and when; one decides; the others see the outcome after their next
// sync, and every version stays in the history.
func (c *city) conflict(union int) {
	a, b := c.newDesk(union, "甲"), c.newDesk(union, "乙")
	a.newRoster(union)
	syncs(a, b)
	id := a.member(0)
	old := a.field(id, "name")
	if old == "" {
		c.Fatal("a member without a name")
	}
	a.says(0, "set", "member", id, "name=李一")
	b.says(0, "set", "member", id, "name=王二")
	b.news() // the roster
	a.says(0, "sync")
	c.mentions(b.says(exitAttention, "sync"), "冲突", "union-agent cases")
	c.mentions(a.says(exitAttention, "sync"), "union-agent cases")

	number := ""
	for _, d := range []*desk{a, b} {
		one := d.cases(1)[0]
		if one.Type != "conflict" || one.Field != "name" || len(one.Choices) != 2 {
			c.Fatalf("%s sees %+v", d.who, one)
		}
		for i, want := range []struct{ value, who string }{{"李一", "甲"}, {"王二", "乙"}} {
			x := one.Choices[i]
			if x.Value != want.value || x.Current != (i == 0) || len(x.By) != 1 || x.By[0].Actor != want.who || x.By[0].Time == "" || x.By[0].Own != (want.who == d.who) {
				c.Errorf("%s sees the value %+v, want %v", d.who, x, want)
			}
		}
		number = one.Number
		c.mentions(d.says(exitAttention, "cases"), "有冲突", "李一", "甲", "王二", "乙", "union-agent resolve "+number)
		c.mentions(d.says(exitAttention, "status"), "待处理事项")
	}
	staff := c.staffCases(a.Union, 1)[0]
	if staff.Type != "conflict" || staff.Field != "name" || len(staff.Values) != 2 || staff.Values[0].Value != "李一" || staff.Values[1].Value != "王二" {
		c.Fatalf("the centre sees %+v", staff)
	}
	for i, who := range []string{"甲", "乙"} {
		if by := staff.Values[i].By; len(by) != 1 || by[0].Actor != who || by[0].Time == 0 {
			c.Errorf("the centre says that value %d is by %+v", i, by)
		}
	}
	c.mentions(c.staffSays(0, "cases", "list", "--union", a.Union), "有不同的值", "李一", "甲", "王二", "乙")

	c.mentions(b.says(3, "resolve", "0000", "--choose", "2"), "union-agent cases")
	b.says(3, "resolve", number, "--choose", "3")
	b.says(2, "resolve", number)
	var done struct {
		Done bool
		Left int
		Seq  int
	}
	b.asks(&done, 0, "resolve", number, "--choose", "2")
	if !done.Done || done.Left != 0 || done.Seq == 0 {
		c.Errorf("decided: %+v", done)
	}
	b.cases(0)
	a.cases(1) // knows nothing yet
	b.says(0, "sync")
	c.staffCases(a.Union, 0)
	if closed := c.staffCases(a.Union, 1, "--closed")[0]; !closed.Closed || closed.ID != staff.ID {
		c.Errorf("the centre's closed case: %+v", closed)
	}
	c.mentions(a.says(0, "sync"), "union-agent news")
	a.cases(0)
	c.mentions(a.says(0, "news", "--keep"), "被修改", "李一", "王二", "乙")
	if diff := cmp.Diff([]string{"name 李一→王二 乙"}, a.news()); diff != "" {
		c.Errorf("news (-want +got)\n%s", diff)
	}
	if again := a.news(); len(again) != 0 {
		c.Errorf("news that was seen is told again: %q", again)
	}
	for _, d := range []*desk{a, b} {
		var got []string
		for _, p := range d.history(id) {
			i := slices.IndexFunc(p.Changes, func(x struct{ Field, Before, After string }) bool { return x.Field == "name" })
			got = append(got, p.Actor+" "+p.Changes[i].Before+"→"+p.Changes[i].After+" "+p.Verdict)
		}
		want := []string{"甲 →" + old + " applied", "甲 " + old + "→李一 applied", "乙 " + old + "→王二 conflict", "乙 李一→王二 applied"}
		if diff := cmp.Diff(want, got); diff != "" {
			c.Errorf("the history at %s (-want +got)\n%s", d.who, diff)
		}
		c.mentions(d.says(0, "history", "member", id), old+" → 李一", "王二", "有冲突")
		if d.field(id, "name") != "王二" {
			c.Errorf("%s has %s", d.who, d.field(id, "name"))
		}
	}
	c.lateDecision(a, b)
	c.agree(a, b)
}

// lateDecision: both decide, differently and without knowing of each other: that is a question
// again, and nobody's decision is lost; staff decide it.
func (c *city) lateDecision(a, b *desk) {
	id := a.member(1)
	a.says(0, "set", "member", id, "name=李三")
	b.says(0, "set", "member", id, "name=王四")
	syncs(a, b)
	for i, d := range []*desk{a, b} {
		d.says(0, "resolve", d.cases(1)[0].Number, "--choose", strconv.Itoa(i+1))
		d.cases(0)
	}
	syncs(a, b)
	for _, d := range []*desk{a, b} {
		if one := d.cases(1)[0]; len(one.Choices) != 2 {
			c.Errorf("%s sees %+v", d.who, one)
		}
	}
	one := c.staffCases(a.Union, 1)[0]
	c.staffSays(2, "cases", "choose", one.ID, "2")
	c.staffSays(3, "cases", "choose", one.ID, "7", "--union", a.Union)
	c.staffSays(3, "cases", "accept", one.ID, "--union", a.Union)
	c.mentions(c.staffSays(0, "cases", "choose", one.ID, "2", "--union", a.Union, "--operator", "市里"), "已处理")
	c.staffSays(3, "cases", "choose", one.ID, "2", "--union", a.Union)
	want := one.Values[1].Value
	for _, d := range []*desk{a, b} {
		d.says(0, "sync")
		d.cases(0)
		if got := d.field(id, "name"); got != want {
			c.Errorf("%s has %s, want %s", d.who, got, want)
		}
	}
}
