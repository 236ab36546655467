//go:build !windows

package e2e

import (
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/syncproto/kind"
)

const tooLong = "某某分公司第一装配车间" // times six: longer than the centre takes

// saveTooLong saves what the centre refuses: by a program whose kind file allows more.
func (d *desk) saveTooLong(member, field, value string) {
	d.c.Helper()
	files := map[string][]byte{}
	for _, f := range kind.Embedded().Files() {
		files[f.Name] = f.Data
		if f.Kind == "member" {
			files[f.Name] = []byte(strings.ReplaceAll(string(f.Data), "type: text, max: 60,", "type: text, max: 600,"))
		}
	}
	wide, err := kind.LoadFiles(files)
	d.c.do(err)
	a, err := agent.Open(agent.Config{Dir: d.Data, Kinds: wide, Actor: d.who})
	d.c.do(err)
	u, err := a.Union("")
	d.c.do(err)
	k, err := agent.FindKind(wide, "member")
	d.c.do(err)
	id, err := agent.Resolve(d.c.ctx, u, k, member)
	d.c.do(err)
	_, err = u.Save(d.c.ctx, union.Draft{Kind: "member", ID: id, Text: map[string]string{field: value}})
	d.c.do(err)
	d.c.do(u.Close())
}

// heldValue: the centre sends back three changes, and one that stands behind the first. Both
// ends list them with the reason, who and when, and records that are not concerned go on. Staff accept one record's, the author drops one and puts one right; each
// outcome is seen at the other end, and in the history.
func (c *city) heldValue(union int) {
	a, b := c.newDesk(union, "甲"), c.newDesk(union, "乙")
	a.newRoster(union)
	syncs(a, b)
	b.news()
	accepted, dropped, corrected, other := a.member(0), a.member(1), a.member(2), a.member(3)
	for _, id := range []string{accepted, dropped, corrected} {
		a.saveTooLong(id, "department", strings.Repeat(tooLong, 6))
	}
	a.saveTooLong(accepted, "mobile", "13800000001")
	a.says(0, "set", "member", other, "mobile=13800000002")
	before := a.field(dropped, "department")
	c.mentions(a.says(exitAttention, "sync"), "4 条改动被退回", "union-agent cases")
	c.mentions(a.says(exitAttention, "status"), "被退回", "4 条改动", "值不合规", "排在另一条被退回的改动之后")
	if s := c.statusOf(a); s.Held != 4 || s.Waiting != 0 || s.Delivered != s.Saved-4 {
		c.Errorf("%+v", s)
	}
	b.says(exitAttention, "sync") // what others decide about is shown here too
	if got := b.field(other, "mobile"); got != "13800000002" {
		c.Errorf("a change behind held ones of other records did not arrive: %q", got)
	}
	if got := b.field(accepted, "mobile"); got == "13800000001" {
		c.Error("a change behind a held one was taken")
	}

	all := a.cases(3)
	c.mentions(a.says(exitAttention, "cases"), "被退回", "值不合规", "甲", "--drop", "--resave", tooLong)
	for _, one := range all {
		if one.Type != "held" || one.Kind != "member" || one.Title == "" || one.Held[0].Reason != "value" || one.Held[0].Actor != "甲" ||
			one.Held[0].Time == "" || one.Held[0].Changes[0].Field != "department" || one.Held[0].Changes[0].After != strings.Repeat(tooLong, 6) {
			c.Errorf("%+v", one)
		}
	}
	c.mentions(b.says(exitAttention, "cases"), "被退回", "由修改人或市总工会处理")
	staff := c.staffCases(a.Union, 3)
	c.mentions(c.staffSays(0, "cases", "list", "--union", a.Union), "改动被退回", "值不合规", "排在另一条被退回的改动之后", "甲", tooLong)
	behind := slices.IndexFunc(staff, func(s staffCase) bool { return len(s.Held) == 2 })
	if behind < 0 || staff[behind].Held[0].Reason != "value" || staff[behind].Held[1].Reason != "behind" || staff[behind].Held[1].Edits["mobile"] != "13800000001" {
		c.Fatalf("%+v", staff)
	}
	for _, s := range staff {
		if s.Type != "held" || s.Closed || s.Held[0].Actor != "甲" || s.Held[0].Time == 0 || s.Held[0].Edits["department"] != strings.Repeat(tooLong, 6) {
			c.Errorf("%+v", s)
		}
	}
	c.accept(a, b, staff[behind].ID, accepted)
	c.drop(a, b, dropped, before)
	c.correct(a, b, corrected)
	c.staffCases(a.Union, 0)
	c.staffCases(a.Union, 3, "--closed")
	if s := c.statusOf(a); s.Held != 0 || s.Delivered != s.Saved {
		c.Errorf("when all is decided: %+v", s)
	}
	c.agree(a, b)
}

func (c *city) accept(a, b *desk, number, member string) {
	c.Helper()
	b.news()
	was := map[string]string{"department": b.field(member, "department"), "mobile": b.field(member, "mobile")}
	c.mentions(c.staffSays(0, "cases", "accept", number, "--union", a.Union, "--operator", "市里", "--note", "同意"), "已处理")
	for _, d := range []*desk{a, b} {
		d.says(exitAttention, "sync") // two more wait
		if d.field(member, "department") != strings.Repeat(tooLong, 6) || d.field(member, "mobile") != "13800000001" {
			c.Errorf("%s has not what was accepted", d.who)
		}
		if h := d.history(member); !slices.ContainsFunc(h, func(p past) bool { return p.Actor == "市里" }) {
			c.Errorf("who accepted is not told at %s: %+v", d.who, h)
		}
		c.mentions(d.says(0, "history", "member", member), "退回后已被采纳", "同意")
	}
	want := []string{"department " + was["department"] + "→" + strings.Repeat(tooLong, 6) + " 甲", "mobile " + was["mobile"] + "→13800000001 甲"}
	if diff := cmp.Diff(want, b.news()); diff != "" {
		c.Errorf("news of what was accepted (-want +got)\n%s", diff)
	}
	a.cases(2)
}

// heldCase is the case of a PC about a member.
func (d *desk) heldCase(member string) string {
	d.c.Helper()
	var v struct{ ID string }
	d.asks(&v, 0, "show", "member", member)
	var all []deskCase
	d.asks(&all, exitAttention, "cases")
	i := slices.IndexFunc(all, func(x deskCase) bool { return x.ID == v.ID })
	if i < 0 {
		d.c.Fatalf("no case about %s: %+v", v.ID, all)
	}
	return all[i].Number
}

func (c *city) drop(a, b *desk, member, before string) {
	c.Helper()
	number := a.heldCase(member)
	saved := c.statusOf(a).Saved
	c.mentions(a.says(exitAttention, "resolve", number, "--drop"), "--yes")
	if now := c.statusOf(a).Saved; now != saved {
		c.Errorf("a look at what would be dropped saved %d changes", now-saved)
	}
	a.says(0, "resolve", number, "--drop", "--yes")
	a.says(exitAttention, "sync")
	b.says(exitAttention, "sync")
	for _, d := range []*desk{a, b} {
		if got := d.field(member, "department"); got != b.field(member, "department") || got == strings.Repeat(tooLong, 6) {
			c.Errorf("%s has %q after the drop; was %q", d.who, got, before)
		}
		c.mentions(d.says(0, "history", "member", member), "退回后已放弃", tooLong)
	}
	a.cases(1)
}

func (c *city) correct(a, b *desk, member string) {
	c.Helper()
	a.says(3, "resolve", a.heldCase(member), "--resave", "--yes") // still too long
	a.says(0, "resolve", a.heldCase(member), "--resave", "department=二车间", "--yes")
	a.says(0, "sync")
	b.says(0, "sync")
	for _, d := range []*desk{a, b} {
		if got := d.field(member, "department"); got != "二车间" {
			c.Errorf("%s has %q, which was put right", d.who, got)
		}
		d.cases(0)
	}
}

// revoked: what a revoked PC saves from then on is sent back with that reason, at both ends;
// staff accept it, and the union's other PC gets it. The revoked one keeps all it has.
func (c *city) revoked(union int) {
	lost, other := c.newDesk(union, "甲"), c.newDesk(union, "乙")
	other.newRoster(union)
	syncs(other, lost)
	var devices struct {
		Devices []struct {
			Device  string
			Revoked bool
		}
	}
	c.staffAsks(&devices, 0, "device", "list", "--union", lost.Union)
	device := lost.device()
	if len(devices.Devices) != 2 || !slices.ContainsFunc(devices.Devices, func(d struct {
		Device  string
		Revoked bool
	}) bool {
		return d.Device == device && !d.Revoked
	}) {
		c.Fatalf("%s is not among %+v", device, devices)
	}
	c.staffSays(2, "device", "revoke", device, "--reason", "丢失")
	c.mentions(c.staffSays(0, "device", "revoke", device, "--reason", "丢失", "--yes"), "已停用")
	id := lost.member(0)
	lost.says(0, "set", "member", id, "mobile=13800000003")
	c.mentions(lost.says(7, "sync"), "1 条改动被退回", "E504", "联系市总工会")
	c.mentions(lost.says(exitAttention, "status"), "被退回", "保存它的电脑已停用", "E504")
	if one := lost.cases(1)[0]; one.Type != "held" || one.Held[0].Reason != "revoked" || one.Held[0].Actor != "甲" {
		c.Errorf("%+v", one)
	}
	c.mentions(lost.says(exitAttention, "cases"), "保存它的电脑已停用", "联系市总工会")
	staff := c.staffCases(lost.Union, 1)[0]
	if staff.Held[0].Reason != "revoked" || staff.Held[0].Edits["mobile"] != "13800000003" || staff.Held[0].Actor != "甲" {
		c.Errorf("%+v", staff)
	}
	c.mentions(c.staffSays(0, "cases", "list", "--union", lost.Union), "保存它的电脑已停用", "甲")
	c.mentions(other.says(exitAttention, "sync"), "union-agent cases")
	c.mentions(other.says(exitAttention, "cases"), "由修改人或市总工会处理")
	c.staffSays(0, "cases", "accept", staff.ID, "--union", lost.Union)
	c.mentions(other.says(0, "sync"), "union-agent news")
	if got := other.field(id, "mobile"); got != "13800000003" {
		c.Errorf("what was accepted is %q at the other PC", got)
	}
	lost.says(7, "sync")
	if s := c.statusOf(lost); s.Saved != 1 || s.Waiting != 0 {
		c.Errorf("the revoked PC has %+v", s)
	}
	c.agree(other)
}
