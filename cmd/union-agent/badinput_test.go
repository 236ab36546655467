package main

import (
	"bytes"
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"unionsync/agent/agenttest"
	"unionsync/internal/clikit"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// saved is what must not change: the journal's head and what is shown of every kind.
func (d *desk) saved() string {
	d.t.Helper()
	var out []string
	var status []statusOut
	d.run("status", "--json").read(&status)
	for _, s := range status {
		out = append(out, itoa(int(s.Saved)), itoa(int(s.Delivered)), itoa(int(s.Held)), itoa(int(s.Waiting)))
	}
	for _, k := range []string{"member", "membership-event", "disclosure"} {
		out = append(out, d.run("list", k, "--json", "--reveal").out)
	}
	return strings.Join(out, "\n")
}

// TestBadInput: each gets a clear sentence with a code and a status, and nothing changes.
func TestBadInput(t *testing.T) {
	d := enrolled(t)
	number := citizen("33070219900101123")
	other := citizen("33070219910101124")
	id := d.member("张三", number)
	d.member("李四", other)
	picture := write(t, "照片.xlsx", append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte{0, 1, 2}, 200)...))
	html := write(t, "名册.xls", []byte("<html><body><table><tr><td>姓名</td></tr></table></body></html>"))
	broken := write(t, "坏.xlsx", []byte("PK\x03\x04"+strings.Repeat("x", 500)))
	empty := write(t, "空.csv", nil)
	list := write(t, "别的.csv", []byte("品名,数量\n螺丝,3\n"))
	before := d.saved()
	for _, row := range []struct {
		why    string
		args   []string
		status int
		code   syncproto.Code
	}{
		{"no such command", []string{"lst"}, clikit.ExitUsage, syncproto.CodeUsage},
		{"no such flag", []string{"list", "member", "--al"}, clikit.ExitUsage, syncproto.CodeUsage},
		{"an argument too few", []string{"show", "member"}, clikit.ExitUsage, syncproto.CodeUsage},
		{"an argument too many", []string{"status", "x"}, clikit.ExitUsage, syncproto.CodeUsage},
		{"unknown kind", []string{"list", "memver"}, clikit.ExitInput, syncproto.CodeUnknownKind},
		{"unknown kind of an import", []string{"import", list, "--apply", "--kind", "螺丝"}, clikit.ExitInput, syncproto.CodeUnknownKind},
		{"unknown field", []string{"set", "member", id, "身高=180"}, clikit.ExitInput, syncproto.CodeUnknownName},
		{"unknown field of a new record", []string{"add", "disclosure", "颜色=红"}, clikit.ExitInput, syncproto.CodeUnknownName},
		{"unknown column of a list", []string{"list", "member", "--fields", "身高"}, clikit.ExitInput, syncproto.CodeUnknownName},
		{"not field=value", []string{"set", "member", id, "部门"}, clikit.ExitUsage, syncproto.CodeFieldPair},
		{"a record that does not exist", []string{"set", "member", "00000000-0000-7000-8000-000000000000", "部门=甲"}, clikit.ExitInput, syncproto.CodeRecordUnknown},
		{"an id that is too short to mean one", []string{"show", "member", id[:3]}, clikit.ExitInput, syncproto.CodeRecordUnknown},
		{"an id that fits two", []string{"show", "member", id[:4]}, clikit.ExitInput, syncproto.CodeRecordUnclear},
		{"a word that is in no table", []string{"set", "member", id, "民族=火星族"}, clikit.ExitInput, syncproto.CodeRefused},
		{"a number that fails its check", []string{"set", "member", id, "证件号码=330702199001011230"}, clikit.ExitInput, syncproto.CodeRefused},
		{"required fields missing", []string{"add", "member", "姓名=王五"}, clikit.ExitInput, syncproto.CodeRefused},
		{"nothing that differs", []string{"set", "member", id, "姓名=张三"}, clikit.ExitInput, syncproto.CodeNothingChanged},
		{"no such file", []string{"import", filepath.Join(t.TempDir(), "没有.xlsx"), "--apply"}, clikit.ExitInput, syncproto.CodeFileUnread},
		{"a folder", []string{"import", t.TempDir(), "--apply"}, clikit.ExitInput, syncproto.CodeFileUnread},
		{"a picture", []string{"import", picture, "--apply"}, clikit.ExitInput, syncproto.CodeNotSheet},
		{"a web page", []string{"import", html, "--apply"}, clikit.ExitInput, syncproto.CodeSheetHTML},
		{"a broken workbook", []string{"import", broken, "--apply"}, clikit.ExitInput, syncproto.CodeSheetDamaged},
		{"an empty file", []string{"import", empty, "--apply"}, clikit.ExitInput, syncproto.CodeSheetEmpty},
		{"a list of something else", []string{"import", list, "--apply"}, clikit.ExitInput, syncproto.CodeSheetNoHeader},
		{"an export to nowhere", []string{"export", "member", filepath.Join(t.TempDir(), "a", "b.csv")}, clikit.ExitInput, syncproto.CodeSheetWrite},
		{"an export of no format", []string{"export", "member", "a.pdf"}, clikit.ExitUsage, syncproto.CodeExportFormat},
		{"an export over a file", []string{"export", "member", list}, clikit.ExitInput, syncproto.CodeExportExists},
		{"a union that is not here", []string{"list", "member", "--union", "999"}, clikit.ExitInput, syncproto.CodeUnionNotHere},
		{"a mistyped code", []string{"enrol", "--centre", agenttest.Address, "--code", "AAAAA-AAAAA-AAAAA-AAAAA-AAAAB"}, clikit.ExitRefused, syncproto.CodeEnrolChecksum},
		{"half a code", []string{"enrol", "--centre", agenttest.Address, "--code", "AAAAA"}, clikit.ExitRefused, syncproto.CodeEnrolLength},
		{"no code", []string{"enrol", "--centre", agenttest.Address}, clikit.ExitUsage, syncproto.CodeUsage},
		{"no centre", []string{"enrol", "--code", "AAAAA"}, clikit.ExitUsage, syncproto.CodeUsage},
		{"an address that is none", []string{"enrol", "--centre", "http://x", "--code", d.code(unionB)}, clikit.ExitUsage, syncproto.CodeAddress},
		{"a data folder that is a file", []string{"status", "--data", list}, clikit.ExitStorage, syncproto.CodeDataDir},
		{"a data folder that is empty", []string{"list", "member", "--data", t.TempDir()}, clikit.ExitInput, syncproto.CodeNotEnrolled},
	} {
		t.Run(row.why, func(t *testing.T) {
			r := d.run(row.args...).fails(row.status, row.code)
			if r.out != "" {
				t.Errorf("an error on standard output:\n%s", r.out)
			}
			if after := d.saved(); after != before {
				t.Errorf("something changed:\n%s\nwas\n%s", after, before)
			}
			d.run(append(slices.Clone(row.args), "--json")...).fails1(row.status, row.code)
		})
	}
}

// TestBadCodes: what the centre says of a code comes through, and the PC stays as it was.
func TestBadCodes(t *testing.T) {
	d := newDesk(t)
	expired, err := d.centre.Code(unionA, true)
	if err != nil {
		t.Fatal(err)
	}
	used := d.code(unionA)
	first := &desk{t: t, centre: d.centre, dir: filepath.Join(t.TempDir(), "data")}
	first.run("enrol", "--centre", agenttest.Address, "--code", used).ok()
	d.run("enrol", "--centre", agenttest.Address, "--code", expired).fails(clikit.ExitRefused, syncproto.CodeEnrolExpired)
	d.run("enrol", "--centre", agenttest.Address, "--code", used).fails(clikit.ExitRefused, syncproto.CodeEnrolUsed)
	d.run("status").fails(clikit.ExitInput, syncproto.CodeNotEnrolled)
	// The same code from the PC that used it is no fault: its answer may have been lost.
	first.run("enrol", "--centre", agenttest.Address, "--code", used).ok()

	stranger, err := agenttest.New(2)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := stranger.Code(unionA, false)
	if err != nil {
		t.Fatal(err)
	}
	first.run("enrol", "--centre", agenttest.Address, "--code", foreign).fails(clikit.ExitRefused, syncproto.CodeOtherCity)
}

// TestRefusedSyncs: a centre that does not take this PC is told by its reason; what is saved
// stays, and goes when the reason is gone.
func TestRefusedSyncs(t *testing.T) {
	d := enrolled(t)
	d.member("张三", citizen("33070219900101123"))
	for _, row := range []struct {
		why    string
		code   syncproto.Code
		status int
	}{
		{"another city's centre", syncproto.CodeWrongCentre, clikit.ExitRefused},
		{"another city's CA in the answer", syncproto.CodeOtherCentre, clikit.ExitRefused},
		{"the certificate is refused", syncproto.CodeCertRefused, clikit.ExitRefused},
		{"not this device's union", syncproto.CodeNotYourUnion, clikit.ExitRefused},
		{"the device is unknown", syncproto.CodeDeviceUnknown, clikit.ExitRefused},
		{"the device is revoked", syncproto.CodeDeviceRevoked, clikit.ExitRefused},
		{"the request is too large", syncproto.CodeTooLarge, clikit.ExitInput},
		{"the centre is busy", syncproto.CodeBusy, clikit.ExitBusy},
		{"the centre has no leader", syncproto.CodeNoLeader, clikit.ExitBusy},
		{"the line is cut", syncproto.CodeCut, clikit.ExitOffline},
	} {
		d.centre.Fault = func(*syncpb.Request, bool) error { return syncproto.Fail(row.code, "test", nil) }
		d.run("sync").fails(row.status, row.code)
		words, want := []string{"待发送", "2 条改动", "没有成功"}, row.status
		if syncproto.Later(row.code) { // nothing has failed
			words, want = []string{"待发送", "2 条改动", "无需处理"}, clikit.ExitOK
		}
		if r := d.run("status").says(words...); r.status != want {
			t.Errorf("%s: status exits with %d, want %d", row.why, r.status, want)
		}
	}
	d.centre.Fault = nil
	d.run("sync").ok().says("发送 2 条改动", "一致")
}

// TestAskedToWait: a sync by hand waits when the centre asks for it, and ends well.
func TestAskedToWait(t *testing.T) {
	d := enrolled(t)
	d.member("张三", citizen("33070219900101123"))
	asked := 0
	d.centre.Fault = func(*syncpb.Request, bool) error {
		if asked++; asked > 1 {
			return nil
		}
		return syncproto.Fail(syncproto.CodeQueueFull, "test", nil, "seconds", "1")
	}
	d.run("sync").ok().says("发送 2 条改动", "一致")
	if asked < 2 {
		t.Fatal("the centre was not asked again")
	}
}

// TestFullDisk: nothing is saved, nothing is lost, and looking goes on.
func TestFullDisk(t *testing.T) {
	d := enrolled(t)
	number := citizen("33070219900101123")
	d.member("张三", number)
	before := d.saved()
	plain := filepath.Join("..", "..", "agent", "sheet", "testdata", "roster-plain.xlsx")
	d.free = 32<<20 + 512<<10 // enough to look, not enough to save
	d.run("set", "member", number, "部门=装配车间").fails(clikit.ExitStorage, syncproto.CodeDiskFull)
	d.run("import", plain, "--apply").fails(clikit.ExitStorage, syncproto.CodeDiskFull).says("111 行中已保存 0 行")
	d.run("sync").fails(clikit.ExitStorage, syncproto.CodeDiskFull)
	d.run("list", "member").ok().says("张三")
	d.free = 1
	d.run("list", "member").fails(clikit.ExitStorage, syncproto.CodeDiskFull)
	d.free = 0
	if after := d.saved(); after != before {
		t.Errorf("something changed:\n%s\nwas\n%s", after, before)
	}
	d.run("import", plain, "--apply").ok().says("已保存 111 行")
	d.run("sync").ok().says("发送 224 条改动", "一致")
}

// TestRefusalsWriteNothing: a command that is refused before anything is opened leaves not
// even a folder.
func TestRefusalsWriteNothing(t *testing.T) {
	d := newDesk(t)
	d.run("enrol", "--centre", agenttest.Address, "--code", "ABC")
	d.run("status")
	d.run("sync")
	if _, err := os.Lstat(d.dir); !os.IsNotExist(err) {
		t.Errorf("there is a data folder: %v", err)
	}
}

// TestReadingChangesNothing: what only looks leaves identity and journal byte for byte.
func TestReadingChangesNothing(t *testing.T) {
	d := enrolled(t)
	d.member("张三", citizen("33070219900101123"))
	sum := func() map[string][32]byte {
		out := map[string][32]byte{}
		err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || strings.Contains(path, "store") {
				return err
			}
			b, err := os.ReadFile(path)
			out[path] = sha256.Sum256(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := sum()
	for _, args := range [][]string{{"list", "member"}, {"show", "member", citizen("33070219900101123")}, {"find", "张"}, {"status"}, {"doctor"},
		{"import", filepath.Join("..", "..", "agent", "sheet", "testdata", "roster-plain.xlsx")}} {
		d.run(args...).ok()
	}
	after := sum()
	for path, want := range before {
		if after[path] != want {
			t.Errorf("%s changed", filepath.Base(path))
		}
	}
}

// TestTerminalIsSafe: what somebody typed somewhere never reaches the terminal as an order.
func TestTerminalIsSafe(t *testing.T) {
	d := enrolled(t)
	number := citizen("33070219900101123")
	d.member("张三", number)
	d.run("set", "member", number, "部门=甲", "--as", "\x1b[31m王", "--note", "a\x1b]0;x\x07b").ok()
	list := write(t, "名册.csv", []byte("姓名,证件号码,民族\n\x1b[2J李四,1234,汉族\n"))
	for _, args := range [][]string{{"history", "member", number}, {"import", list}, {"list", "member"}, {"show", "member", number}} {
		d.run(args...).silent("\x1b", "\x07")
	}
}
