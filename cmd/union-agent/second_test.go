package main

import (
	"os"
	"path/filepath"
	"testing"

	"unionsync/agent/journal"
	"unionsync/internal/clikit"
	"unionsync/syncproto"
)

// TestSecond: a clerk names a stick, saves, loses the journal and gets it back.
func TestSecond(t *testing.T) {
	d := enrolled(t)
	stick := t.TempDir()
	d.run("second", "set", filepath.Join(stick, "none")).fails(clikit.ExitInput, syncproto.CodeSecondDir)
	d.run("second", "set", stick).ok().says(stick)
	d.member("张三", citizen("33070219900101123"))
	var status []statusOut
	d.run("status", "--json").read(&status)
	if s := status[0]; s.OnlyHere != 0 || s.Waiting != 2 || s.Second != stick {
		t.Errorf("status %+v", s)
	}
	d.run("status").ok().says("只在本机", "0 条改动", stick)
	name := filepath.Join(d.dir, "unions", unionA, journal.FileName)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	d.run("status").fails(clikit.ExitStorage, syncproto.CodeJournalMissing)
	d.run("second", "restore").ok().says("已取回 2 条")
	d.run("list", "member").ok().says("张三")
	d.run("second", "restore").ok().says("已取回 0 条")
	d.run("sync").ok().says("一致")
	d.run("second", "set", "off").ok()
	d.run("second", "restore").fails(clikit.ExitInput, syncproto.CodeSecondDir)
	d.run("second", "restore", "--from", t.TempDir()).ok().says("已取回 0 条")
}
