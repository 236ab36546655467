package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"unionsync/internal/bundlefile"
	"unionsync/internal/clikit"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
)

// workIn takes the requests of a folder to the centre and puts the answers beside them.
func (d *desk) workIn(dir string) {
	d.t.Helper()
	paths, err := bundlefile.Find(dir)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, p := range paths {
		h, err := bundlefile.Inspect(p)
		if err != nil || h.Kind != bundle.KindRequest {
			continue
		}
		file, err := bundlefile.Read(p)
		if err == nil {
			file, err = d.centre.WorkIn(context.Background(), file)
		}
		if err == nil {
			h, _, err = bundle.DecodeFile(file)
		}
		if err == nil {
			_, err = bundlefile.Write(filepath.Join(dir, h.Name()), file)
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

// TestBundleCommands goes the way of a stick: the clerk exports, somebody else carries, the
// centre answers, the answer is carried back.
func TestBundleCommands(t *testing.T) {
	d := enrolled(t)
	d.member("张三", citizen("33070219900101123"))
	mine, stick := filepath.Join(t.TempDir(), "U盘"), filepath.Join(t.TempDir(), "stick")
	d.run("bundle", "export").fails(clikit.ExitUsage, syncproto.CodeUsage)
	d.run("bundle", "export", "--to", mine).ok().says("2 条改动", "可以安全拔出").silent("张三")
	d.run("bundle", "status").ok().says("请保留 U 盘")
	d.run("status").ok().says("1 个导出的数据包还没有回执")
	d.run("bundle", "carry", "--from", mine, "--to", stick).ok().says("请求包，已复制", "可以安全拔出")
	d.run("bundle", "carry", "--from", mine, "--to", stick).ok().says("对方已有")
	d.workIn(stick)
	d.run("bundle", "import", mine).ok().says("不是给本机的")
	d.run("bundle", "carry", "--from", stick, "--to", mine).ok().says("回执包，已复制")
	d.run("bundle", "import", mine).ok().says("2 条改动送达")
	d.run("bundle", "import", mine).ok().says("以前已经导入过")
	d.run("bundle", "status").ok().says("已有回执").silent("请保留")
	d.run("status").ok().silent("还没有回执").says("本机与中心的记录一致")

	paths, err := bundlefile.Find(mine)
	if err != nil || len(paths) != 2 {
		t.Fatal(paths, err)
	}
	var seen struct{ Kind, ID, City, To string }
	d.run("bundle", "inspect", paths[0], "--json").ok().read(&seen)
	if seen.Kind != "answer" || len(seen.ID) != 16 || len(seen.City) != 16 || len(seen.To) != 32 {
		t.Errorf("%+v", seen)
	}
	d.run("bundle", "inspect", paths[1]).ok().says("请求包", "centre")
	b, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.bundle")
	if err := os.WriteFile(cut, b[:len(b)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	d.run("bundle", "inspect", cut).fails(clikit.ExitInput, syncproto.CodeBundleTruncated)
	if r := d.run("bundle", "import", cut); r.status != clikit.ExitInput {
		t.Errorf("a cut answer: %d\n%s%s", r.status, r.out, r.err)
	} else {
		r.says("cut.bundle", "不完整")
	}
	if r := d.run("bundle", "import", paths[1]); r.status != clikit.ExitRefused {
		t.Errorf("a request named as a file: %d\n%s%s", r.status, r.out, r.err)
	}
	d.run("bundle", "import", t.TempDir()).fails(clikit.ExitInput, syncproto.CodeBundleNone)
	d.run("bundle", "carry", "--from", filepath.Join(stick, "gone"), "--to", mine).fails(clikit.ExitStorage, syncproto.CodeStickRead)
	d.run("bundle", "export", "--to", filepath.Join(cut, "x")).fails(clikit.ExitStorage, syncproto.CodeStickWrite)
}
