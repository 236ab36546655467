package ledger

import (
	"bytes"
	"path/filepath"
	"testing"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// older makes this program one that knows only a level, until the test ends.
func older(t *testing.T, level string) {
	t.Helper()
	levelLimit = level
	t.Cleanup(func() { levelLimit = "" })
}

func wantCode(t *testing.T, why string, err any, want syncproto.Code) {
	t.Helper()
	e, ok := err.(error)
	if !ok || syncproto.CodeOf(e) != want {
		t.Errorf("%s: %v, want E%d", why, err, want)
	}
}

// TestLevelBegins: an entry of a level has no effect before the level begins, on any replica
// alike, and a level never falls.
func TestLevelBegins(t *testing.T) {
	n := begun(t, Config{Memory: true})
	c := &entrypb.Check{Voters: []string{"n1"}, Keys: 10}
	wantCode(t, "before its level", n.apply(c), syncproto.CodeLevelEarly)
	if n.l.Level() != 1 || n.l.Applied() != n.index {
		t.Fatalf("level %d, applied %d of %d", n.l.Level(), n.l.Applied(), n.index)
	}
	n.apply(&entrypb.Level{Level: 2})
	n.apply(&entrypb.Level{Level: 1})
	if n.l.Level() != 2 {
		t.Fatalf("level %d", n.l.Level())
	}
	if _, ok := n.apply(c).(*Checked); !ok {
		t.Fatal("still refused")
	}
}

// TestOlderProgram: a program that does not know a level neither begins it, nor opens or
// takes a state of it, nor applies what belongs to it; its own state stays what it was.
func TestOlderProgram(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	n := &node{t: t}
	var err error
	if n.l, err = Open(Config{Dir: dir, Key: testKey}); err != nil {
		t.Fatal(err)
	}
	n.apply(genesis())
	n.apply(&entrypb.Level{Level: 2})
	dump := n.dump()
	check, err := Entry(&entrypb.Check{Voters: []string{"n1"}})
	if err != nil {
		t.Fatal(err)
	}
	level, err := Entry(&entrypb.Level{Level: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.l.Close(); err != nil {
		t.Fatal(err)
	}
	older(t, "1")
	_, err = Open(Config{Dir: dir, Key: testKey})
	wantCode(t, "open", err, syncproto.CodeLevelUnknown)
	old := begun(t, Config{Dir: filepath.Join(t.TempDir(), "old"), Key: testKey})
	before := old.dump()
	_, err = old.l.Apply(2, level)
	wantCode(t, "begin", err, syncproto.CodeLevelUnknown)
	_, err = old.l.Apply(2, check)
	wantCode(t, "apply", err, syncproto.CodeLedgerEntry)
	wantCode(t, "restore", old.l.Restore(bytes.NewReader(dump)), syncproto.CodeLevelUnknown)
	if !bytes.Equal(before, old.dump()) {
		t.Error("the state has changed")
	}
	levelLimit = ""
	if n.l, err = Open(Config{Dir: dir, Key: testKey}); err != nil {
		t.Fatal(err)
	}
	if err := n.l.Close(); err != nil {
		t.Fatal(err)
	}
}
