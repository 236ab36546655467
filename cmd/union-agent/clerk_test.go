package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"unionsync/agent/agenttest"
	"unionsync/agent/union"
	"unionsync/internal/clikit"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// TestClerksDay goes through a clerk's day: enrol, add, edit, look, find, sync, export.
func TestClerksDay(t *testing.T) {
	d := enrolled(t)
	number := citizen("33070219900101123")
	id := d.member("张三", number)
	if m, e := d.count("member"), d.count("会籍变动"); m != 1 || e != 1 {
		t.Fatalf("%d members with %d events: adding a member is joining too", m, e)
	}
	masked := number[:6] + "********" + number[14:]
	tail := id[len(id)-8:]

	d.run("list", "member").ok().says("张三", masked, "138****2345", "编号", "共 1 条", tail).silent(number, mobile)
	d.run("list", "会员", "--reveal").ok().says(number, mobile)
	d.run("list", "member", "--fields", "姓名,mobile").ok().says("姓名", "移动电话").silent("学历")
	d.run("show", "member", tail).ok().says(id, "张三", masked, "男", "1990-01-01", "大学本科").silent(number, mobile)
	d.run("show", "member", number).ok().says("张三")
	d.run("show", "member", "33070219900101123"+"9", "--json").fails1(clikit.ExitInput, syncproto.CodeRecordUnknown)

	d.run("set", "member", tail, "移动电话=13900000000", "部门=装配车间").ok().says("已保存", "张三")
	d.run("set", "member", number, "部门=").ok()
	d.run("show", "member", id).ok().says("139****0000").silent("装配车间")
	d.run("history", "member", tail).ok().says("王芳", "装配车间", "待发送", "姓名 张三").silent(number, mobile)

	d.run("status").ok().says("待发送", "4 条改动", "已送达（有回执）")
	d.run("sync").ok().says("发送 4 条改动", "您这里的 2 条与中心的 2 条一致")
	d.run("status").ok().says("本机与中心的记录一致")
	d.run("history", "member", tail).ok().says("已送达（有回执）").silent("待发送")
	d.run("sync").ok().says("发送 0 条改动", "一致")

	d.run("find", "张").ok().says("会员", "张三", tail)
	d.run("find", number[10:]).ok().says("张三").silent(number)
	if r := d.run("find", "不存在的"); r.status != clikit.ExitInput || r.err != "" {
		t.Errorf("nothing found: %d, %s", r.status, r.err)
	}
	file := filepath.Join(t.TempDir(), "名册.xlsx")
	d.run("export", "member", file).ok().says("1 条", "妥善保管")
	d.run("import", file).ok().says("无变化 1 行", "这是试导入")
	d.run("doctor").ok().says("没有发现问题")
}

// fails1 is fails for an error that stands in JSON.
func (r ran) fails1(status int, code syncproto.Code) {
	r.t.Helper()
	var out struct {
		Error struct {
			Code     syncproto.Code
			Sentence string
		}
	}
	r.read(&out)
	if r.status != status || out.Error.Code != code || out.Error.Sentence == "" {
		r.t.Errorf("%s: status %d, %+v", r.line, r.status, out)
	}
}

func (d *desk) count(kindName string) int {
	d.t.Helper()
	var out struct{ Total int }
	d.run("list", kindName, "--json").ok().read(&out)
	return out.Total
}

// TestVoid: what never was is taken out by saying so; an event cannot be edited otherwise.
func TestVoid(t *testing.T) {
	d := enrolled(t)
	d.member("张三", citizen("33070219900101123"))
	var events struct{ Records []recordOut }
	d.run("list", "membership-event", "--json").ok().read(&events)
	id := events.Records[0].ID
	d.run("set", "membership-event", id, "日期=2024-04-01").fails(clikit.ExitInput, syncproto.CodeUnknownName)
	d.run("set", "membership-event", id, "变动日期=2024-04-01").fails(clikit.ExitInput, syncproto.CodeAppendOnly)
	d.run("set", "membership-event", id, "作废=录错人").ok().says("已作废")
	d.run("list", "membership-event").ok().says("共 0 条")
	d.run("list", "membership-event", "--void").ok().says("已作废", "共 1 条", "张三")
	d.run("add", "membership-event", "会员="+citizen("33070219900101123"), "变动类型=入会", "变动日期=2024-05-01").ok()
	if n := d.count("membership-event"); n != 1 {
		t.Errorf("%d events", n)
	}
}

// TestConflict: two PCs change one field; a person sees both values and decides by setting
// the field.
func TestConflict(t *testing.T) {
	a := enrolled(t)
	number := citizen("33070219900101123")
	a.member("张三", number)
	a.run("sync").ok()
	b := &desk{t: t, centre: a.centre, dir: filepath.Join(t.TempDir(), "data")}
	b.run("enrol", "--centre", agenttest.Address, "--code", a.code(unionA)).ok().says("已取得 2 条记录")
	a.run("set", "member", number, "学历=博士后的").fails(clikit.ExitInput, syncproto.CodeRefused)
	a.run("set", "member", number, "学历=博士研究生").ok()
	b.run("set", "member", number, "学历=硕士研究生").ok()
	a.run("sync").ok()
	if r := b.run("sync"); r.status != clikit.ExitAttention || !strings.Contains(r.out, "冲突") {
		t.Fatalf("a conflict: %d\n%s%s", r.status, r.out, r.err)
	}
	if r := b.run("status"); r.status != clikit.ExitAttention {
		t.Errorf("status with a conflict: %d\n%s", r.status, r.out)
	}
	b.run("list", "member", "--conflicts").ok().says("有冲突", "共 1 条")
	b.run("show", "member", number).ok().says("冲突：学历 第 1 个值", "冲突：学历 第 2 个值")
	b.run("set", "member", number, "学历=硕士研究生").ok()
	b.run("sync").ok()
	a.run("sync").ok()
	a.run("list", "member", "--conflicts").ok().says("共 0 条")
	a.run("show", "member", number).ok().says("硕士").silent("博士", "冲突")
}

// TestImport: a dry run shows everything in one pass; --apply saves the good rows.
func TestImport(t *testing.T) {
	d := enrolled(t)
	messy := filepath.Join("..", "..", "agent", "sheet", "testdata", "roster-messy.xlsx")
	dry := d.run("import", messy)
	if dry.status != clikit.ExitInput || dry.err != "" {
		t.Fatalf("refused rows: %d, %s", dry.status, dry.err)
	}
	dry.says("不能导入的", "已按规范改写的", "这是试导入", "行")
	if n := d.count("member"); n != 0 {
		t.Fatalf("a dry run saved %d members", n)
	}
	var out importOut
	applied := d.run("import", messy, "--apply", "--json")
	applied.read(&out)
	if applied.status != clikit.ExitInput || out.Saved == 0 || out.Saved != out.Accept+out.Normalise || d.count("member") != out.Saved {
		t.Errorf("%d: %+v", applied.status, out)
	}
	for _, row := range out.Verdicts {
		if row.Verdict == "refuse" && len(row.Findings) == 0 {
			t.Errorf("row %d is refused without a reason", row.Row)
		}
		if row.Verdict == "normalise" && len(row.Notes) == 0 {
			t.Errorf("row %d is normalised without a word", row.Row)
		}
	}
	d.run("import", messy, "--apply", "--kind", "会员").says("已保存 0 行")
}

// TestOutputHidesNumbers: no command but with --reveal prints a whole document or telephone
// number, in words or in JSON.
func TestOutputHidesNumbers(t *testing.T) {
	d := enrolled(t)
	number := citizen("33070219900101123")
	id := d.member("张三", number)
	for _, args := range [][]string{
		{"list", "member"}, {"show", "member", id}, {"history", "member", id}, {"find", "张三"}, {"find", number},
		{"set", "member", id, "备注=好"}, {"status"}, {"sync"}, {"doctor"},
	} {
		d.run(args...).silent(number, mobile)
		d.run(append(args, "--json")...).silent(number, mobile)
	}
	csv := write(t, "a.csv", []byte("姓名,证件号码,民族,学历,移动电话,工作单位,入会日期\n李四, "+citizen("33070219910101123")+" ,汉族,大学本科,1 3 8 5 7 9 1 2 3 4 5,某某公司,2024.3.1\n"))
	d.run("import", csv).silent(citizen("33070219910101123"), mobile)
	d.run("import", csv, "--json").silent(citizen("33070219910101123"), mobile)
}

// TestJSON: every command speaks JSON, errors too.
func TestJSON(t *testing.T) {
	d := enrolled(t)
	id := d.member("张三", citizen("33070219900101123"))
	for _, args := range [][]string{
		{"list", "member"}, {"show", "member", id}, {"history", "member", id}, {"find", "张"}, {"sync"}, {"status"}, {"doctor"},
		{"set", "member", id, "备注=好"}, {"export", "member", filepath.Join(t.TempDir(), "a.csv")},
	} {
		if r := d.run(append(args, "--json")...).ok(); !json.Valid([]byte(r.out)) {
			t.Errorf("%s: %s", r.line, r.out)
		}
	}
	var status []statusOut
	d.run("status", "--json").ok().read(&status)
	if len(status) != 1 || status[0].Saved != 3 || status[0].Delivered != 2 || status[0].Waiting != 1 || status[0].Records["member"] != 1 {
		t.Errorf("%+v", status)
	}
	d.run("show", "member", "ffffffff", "--json").fails1(clikit.ExitInput, syncproto.CodeRecordUnknown)
}

// TestEnglish: the same commands in the other language.
func TestEnglish(t *testing.T) {
	d := enrolled(t)
	d.member("张三", citizen("33070219900101123"))
	d.run("--lang", "en", "list", "Member").ok().says("Name", "1 rows")
	d.run("--lang", "en", "sync").ok().says("Your 2 records here are the 2 at the centre.")
	d.run("status", "--lang", "en").ok().says("delivered (receipt)", "saved on this PC")
	d.run("--help", "--lang", "en").ok().says("EXIT STATUS", "enrol", "doctor")
}

// TestTwoUnions: --union is needed where records are meant, not for syncs and status.
func TestTwoUnions(t *testing.T) {
	d := enrolled(t)
	d.stdin = d.code(unionB) + "\n"
	d.run("enrol", "--centre", agenttest.Address, "--code", "-").ok().says(unionB)
	d.run("list", "member").fails(clikit.ExitUsage, syncproto.CodeWhichUnion)
	d.run("list", "member", "--union", unionB).ok()
	d.run("list", "member", "--union", "1").fails(clikit.ExitInput, syncproto.CodeUnionNotHere)
	d.run("sync").ok().says(unionA, unionB)
	d.run("status").ok().says(unionA, unionB)
}

// TestTwoUnionsOneFails: the error of any union is told, whatever another left to a person.
func TestTwoUnionsOneFails(t *testing.T) {
	d := enrolled(t)
	d.run("enrol", "--centre", agenttest.Address, "--code", d.code(unionB)).ok()
	d.run("add", "disclosure", "--union", unionA, "标题=食堂账目", "公开日期=2024-03-01").says()
	d.centre.Union(unionA).Hold = func(*syncproto.Change) syncproto.HeldReason { return syncproto.HeldValue }
	d.centre.Fault = func(q *syncpb.Request, _ bool) error {
		if q.GetUnion() == unionB {
			return syncproto.Fail(syncproto.CodeDeviceRevoked, "test", nil)
		}
		return nil
	}
	d.run("sync").fails(clikit.ExitRefused, syncproto.CodeDeviceRevoked).says(unionA, unionB)
}

// TestRun: it stays until it is stopped, and that is no error.
func TestRun(t *testing.T) {
	d := enrolled(t)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	r := d.runContext(ctx, "run")
	if r.status != 0 {
		t.Errorf("status %d\n%s%s", r.status, r.out, r.err)
	}
	r.says("下次同步", unionA)
}

// TestRunEvents: with --json each line is an event, and says what the next sync waits for.
func TestRunEvents(t *testing.T) {
	d := enrolled(t)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	r := d.runContext(ctx, "run", "--json")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	for _, line := range lines {
		var event struct{ Union, Next, Why string }
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Union != unionA || event.Next == "" || event.Why != "slot" {
			t.Errorf("%v: %s", err, line)
		}
	}
	if r.status != 0 || len(lines) == 0 {
		t.Errorf("status %d: %q", r.status, r.out)
	}
}

// TestRunProgress: a sync that takes long tells on one line after the other, each an event.
func TestRunProgress(t *testing.T) {
	var out bytes.Buffer
	o := &runOut{s: &clikit.Session{IO: clikit.IO{Stdout: &out, Stderr: io.Discard, Now: time.Now}, Lang: "en", JSON: true}}
	for _, s := range []int{0, 1, 2, 3, 5} {
		o.progress(unionA, union.Result{Sent: s, Left: 9 - s, BytesSent: int64(s) * 100, Elapsed: time.Duration(s) * time.Second})
	}
	o.synced(unionA, union.Result{Sent: 9, Complete: true}, nil)
	var told []string
	for line := range strings.Lines(out.String()) {
		var event struct {
			Union          string
			Progress, Sync *syncedOut
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if p := event.Progress; p != nil {
			told = append(told, fmt.Sprintf("%d+%d %d", p.Sent, p.Left, p.BytesOut))
		} else if event.Sync != nil {
			told = append(told, fmt.Sprint("end ", event.Sync.Sent))
		}
	}
	if want := "[2+7 200 5+4 500 end 9]"; fmt.Sprint(told) != want {
		t.Errorf("%v, want %s", told, want)
	}
}

// TestOffline: without the centre everything but syncing works, and says so.
func TestOffline(t *testing.T) {
	d := enrolled(t)
	d.centre.Fault = func(*syncpb.Request, bool) error { return syncproto.Fail(syncproto.CodeUnreachable, "test", nil) }
	d.member("张三", citizen("33070219900101123"))
	d.run("sync").fails(clikit.ExitOffline, syncproto.CodeUnreachable)
	if r := d.run("status").says("2 条改动", "没有成功"); r.status != clikit.ExitOffline {
		t.Errorf("status %d", r.status)
	}
	d.centre.Fault = nil
	d.run("sync").ok().says("发送 2 条改动")
	d.run("status").ok()
}

// TestSentBack: what the centre holds is told as such, never as delivered.
func TestSentBack(t *testing.T) {
	d := enrolled(t)
	number := citizen("33070219900101123")
	d.member("张三", number)
	d.centre.Union(unionA).Hold = func(c *syncproto.Change) syncproto.HeldReason {
		if c.Kind == 2 {
			return syncproto.HeldValue
		}
		return syncproto.HeldNot
	}
	if r := d.run("sync").says("其中 1 条改动被退回"); r.status != clikit.ExitAttention {
		t.Errorf("sync: %d", r.status)
	}
	var status []statusOut
	if r := d.run("status", "--json").read(&status); r.status != clikit.ExitAttention || len(status[0].Back) != 1 {
		t.Fatalf("status: %d\n%s", r.status, r.out)
	}
	back := status[0].Back[0]
	d.run("status").says("被退回：会员（编号 "+back.ID[len(back.ID)-8:], "值不合规")
	d.run("history", "member", back.ID[len(back.ID)-8:]).ok().says("被退回 (值不合规)").silent("已送达")
	d.run("set", "member", back.ID, "--drop-held").ok().says("可以重新录入")
	d.run("set", "member", back.ID, "--drop-held").fails(clikit.ExitInput, syncproto.CodeRecordUnknown)
	if r := d.run("status").says("被退回"); strings.Contains(r.out, "被退回：") {
		t.Errorf("still sent back:\n%s", r.out)
	}
}

// TestDamage: commands on a damaged folder say what is wrong, and change nothing.
func TestDamage(t *testing.T) {
	d := enrolled(t)
	path := filepath.Join(d.dir, "unions", unionA, "journal.db")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run("list", "member").fails(clikit.ExitStorage, syncproto.CodeJournalDamaged)
	d.run("sync").fails(clikit.ExitStorage, syncproto.CodeJournalDamaged)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d.run("status").fails(clikit.ExitStorage, syncproto.CodeJournalMissing)
}
