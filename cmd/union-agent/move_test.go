package main

import (
	"os"
	"path/filepath"
	"testing"

	"unionsync/internal/clikit"
	"unionsync/syncproto"
)

// TestMove: the new PC goes on where the old one stopped, with what was not sent yet; nothing
// is lost, nothing doubled, and the old PC says that it has moved.
func TestMove(t *testing.T) {
	d := enrolled(t)
	number := citizen("33070219900101123")
	d.member("张三", number)
	d.run("sync").ok()
	d.run("set", "member", number, "部门=装配车间").ok()
	stick := t.TempDir()
	var out struct{ File, Code string }
	d.run("move", "export", "--to", stick, "--json").ok().read(&out)
	d.run("set", "member", number, "部门=质检科").fails(clikit.ExitRefused, syncproto.CodeMoved)
	d.run("sync").fails(clikit.ExitRefused, syncproto.CodeMoved)
	d.run("bundle", "export", "--to", stick).fails(clikit.ExitRefused, syncproto.CodeMoved)
	d.run("show", "member", number).ok().says("装配车间")

	b := &desk{t: t, centre: d.centre, dir: filepath.Join(t.TempDir(), "new", "data")}
	b.run("move", "import", out.File, "--code", out.Code[:len(out.Code)-1]).fails(clikit.ExitRefused, syncproto.CodeMoveCode)
	b.run("move", "import", out.File, "--code", "00000-00000-00000-00000-00006").fails(clikit.ExitRefused, syncproto.CodeMoveCode)
	b.run("move", "import", out.File, "--code", out.Code).ok().says(unionA)
	b.run("move", "import", out.File, "--code", out.Code).fails(clikit.ExitInput, syncproto.CodeMoveTarget)
	b.run("show", "member", number).ok().says("装配车间")
	b.run("status").ok().says("1 条改动")
	b.run("set", "member", number, "部门=质检科").ok()
	b.run("sync").ok().says("发送 2 条改动", "一致")
	if n := len(d.centre.Union(unionA).Records()); n != 2 {
		t.Errorf("%d records at the centre", n)
	}
	b.run("doctor").ok()

	d.run("move", "cancel").fails(clikit.ExitUsage, syncproto.CodeUsage)
	d.run("move", "export", "--to", stick).ok().says("可以安全拔出") // the stick was lost on the way
}

// TestMoveFails: a move that was not written leaves the old PC as it was; one that is damaged
// leaves the new folder as it was.
func TestMoveFails(t *testing.T) {
	d := enrolled(t)
	number := citizen("33070219900101123")
	d.member("张三", number)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.run("move", "export", "--to", filepath.Join(file, "x")).fails(clikit.ExitStorage, syncproto.CodeStickWrite)
	d.run("set", "member", number, "部门=装配车间").ok()
	var out struct{ File, Code string }
	d.run("move", "export", "--to", t.TempDir(), "--json").ok().read(&out)
	good, err := os.ReadFile(out.File)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		why  string
		file []byte
		want syncproto.Code
	}{
		{"another file", []byte("PK"), syncproto.CodeBundleForm},
		{"cut", good[:len(good)-1], syncproto.CodeBundleDamaged},
		{"cut in its head", good[:20], syncproto.CodeBundleTruncated},
		{"changed in the middle", append(append(append([]byte{}, good[:len(good)-99]...), good[len(good)-99]^1), good[len(good)-98:]...), syncproto.CodeBundleDamaged},
	} {
		bad := filepath.Join(t.TempDir(), "bad.move")
		if err := os.WriteFile(bad, row.file, 0o600); err != nil {
			t.Fatal(err)
		}
		b := &desk{t: t, centre: d.centre, dir: filepath.Join(t.TempDir(), "data")}
		if r := b.run("move", "import", bad, "--code", out.Code, "--json"); r.status == 0 {
			t.Errorf("%s was imported", row.why)
		} else {
			r.fails1(clikit.ExitInput, row.want)
		}
		if r := b.run("status"); r.status == 0 {
			t.Errorf("%s: the folder counts as enrolled", row.why)
		}
		b.run("move", "import", out.File, "--code", out.Code).ok() // the right one, into the same folder
		b.run("show", "member", number).ok().says("装配车间")
	}
	d.run("move", "cancel", "--not-imported").ok()
	d.run("set", "member", number, "部门=质检科").ok()
}
