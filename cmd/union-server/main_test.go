package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"unionsync/internal/clikit"
)

const patience = 60 * time.Second

// run runs one command and gives its status and what it wrote.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = clikit.Main(t.Context(), build, world1(&out, &errs, args...))
	return status, out.String(), errs.String()
}

func world1(out, errs io.Writer, args ...string) clikit.IO {
	return clikit.IO{
		Args: append([]string{"union-server"}, args...), Stdin: strings.NewReader(""), Stdout: out, Stderr: errs,
		Env: func(string) string { return "" }, Now: time.Now,
	}
}

// want runs a command that must end with a status.
func want(t *testing.T, status int, args ...string) string {
	t.Helper()
	got, out, errs := run(t, args...)
	if got != status {
		t.Fatalf("%v: status %d, want %d\n%s%s", args, got, status, out, errs)
	}
	return out
}

// ask runs a command with --json that must succeed and reads its answer.
func ask(t *testing.T, v any, args ...string) {
	t.Helper()
	out := want(t, clikit.ExitOK, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), v); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// serveNode runs serve beside the test and gives its first line.
func serveNode(t *testing.T, data string, args ...string) (line string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- clikit.Main(ctx, build, world1(w, io.Discard, append([]string{"serve", "--data", data, "--heartbeat", "50ms"}, args...)...))
		_ = w.Close()
	}()
	lines := make(chan string, 1)
	go func() {
		b := make([]byte, 4096)
		n, _ := r.Read(b)
		lines <- string(b[:n])
	}()
	over := false
	stop = func() int {
		if over {
			return 0
		}
		over = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { stop() })
	select {
	case line = <-lines:
		return line, stop
	case <-time.After(patience):
		t.Fatal("serve says nothing")
		return "", nil
	}
}

const org = "编码,名称,级别,上级编码,区划,电话\n1,金华市总工会,市,,SBJ,\n2,婺城区总工会,县,1,婺城区,\n3,第一工会,基层,2,,0579-82000001\n"

// TestOperatorsDay: from an empty disk to counts, as the handbook says, in both languages.
func TestOperatorsDay(t *testing.T) {
	base := t.TempDir()
	data, file := filepath.Join(base, "n1"), filepath.Join(base, "org.csv")
	if err := os.WriteFile(file, []byte(org), 0o600); err != nil {
		t.Fatal(err)
	}
	out := want(t, clikit.ExitOK, "init", "--data", data, "--id", "n1", "--listen", "127.0.0.1:0", "--raft", "127.0.0.1:0")
	if !strings.Contains(out, "cluster.key") {
		t.Fatal(out)
	}
	want(t, clikit.ExitInput, "init", "--data", data, "--id", "n1", "--listen", "127.0.0.1:0", "--raft", "127.0.0.1:0")
	line, stop := serveNode(t, data, "--json")
	var ready struct{ Node, API, Raft string }
	if err := json.Unmarshal([]byte(line), &ready); err != nil || ready.Node != "n1" || !strings.HasPrefix(ready.API, "https://") {
		t.Fatalf("%q: %v", line, err)
	}
	var imported struct{ Added, Changed, Unchanged int }
	if ask(t, &imported, "org", "import", file, "--data", data); imported.Added != 3 {
		t.Fatalf("%+v", imported)
	}
	if ask(t, &imported, "org", "import", file, "--data", data); imported.Unchanged != 3 {
		t.Fatalf("%+v", imported)
	}
	var list struct {
		Units []struct{ Code, County string }
	}
	if ask(t, &list, "org", "list", "--data", data, "--parent", "2"); len(list.Units) != 1 || list.Units[0].County != "330702" {
		t.Fatalf("%+v", list)
	}
	var code struct {
		Code, UnionName string
		Expires         int64
		Addresses       []string
	}
	if ask(t, &code, "enrol", "3", "--data", data, "--valid", "2d"); len(code.Code) != 29 || code.Expires < time.Now().Add(47*time.Hour).Unix() || len(code.Addresses) == 0 {
		t.Fatalf("%+v", code)
	}
	var counts struct {
		Unions struct{ Grassroots, Never int }
	}
	if ask(t, &counts, "counts", "--data", data, "--by", "county,sex"); counts.Unions.Grassroots != 1 || counts.Unions.Never != 1 {
		t.Fatalf("%+v", counts)
	}
	if out := want(t, clikit.ExitOK, "counts", "--data", data, "--csv", "--day", "2026-01-31"); !strings.HasPrefix(out, "\ufeff") || !strings.Contains(out, "2026-01-31") {
		t.Fatalf("%q", out)
	}
	var st struct {
		Node, Role string
		Ready      bool
	}
	if ask(t, &st, "status", "--data", data); st.Node != "n1" || st.Role != "leader" || !st.Ready {
		t.Fatalf("%+v", st)
	}
	for _, lang := range []string{"zh", "en"} {
		for _, args := range [][]string{{"status"}, {"org", "list"}, {"counts", "--by", "union"}, {"enrol", "3"}, {"device", "list"}} {
			if out := want(t, clikit.ExitOK, append(args, "--data", data, "--lang", lang)...); strings.Contains(out, "server.") {
				t.Errorf("%v in %s lacks words:\n%s", args, lang, out)
			}
		}
	}
	if status := stop(); status != clikit.ExitOK {
		t.Fatalf("serve ended with %d", status)
	}
	want(t, clikit.ExitOffline, "status", "--data", data)
}

// TestMistakes: each ends with its status and a sentence, and changes nothing.
func TestMistakes(t *testing.T) {
	base := t.TempDir()
	data := filepath.Join(base, "n1")
	want(t, clikit.ExitOK, "init", "--data", data, "--id", "n1", "--listen", "127.0.0.1:0", "--raft", "127.0.0.1:0")
	line, _ := serveNode(t, data, "--lang", "en")
	if !strings.Contains(line, "node n1 is ready: https://") || strings.Count(line, "\n") != 1 {
		t.Fatalf("%q", line)
	}
	bad, picture := filepath.Join(base, "bad.csv"), filepath.Join(base, "x.csv")
	for name, text := range map[string]string{bad: org + "4,,基层,99,SBJ,12\n", picture: "\x89PNG\x00"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rows := []struct {
		why    string
		status int
		word   string
		args   []string
	}{
		{"no such command", clikit.ExitUsage, "did you mean", []string{"statu"}},
		{"a flag is missing", clikit.ExitUsage, "--id", []string{"init", "--data", base}},
		{"an argument too many", clikit.ExitUsage, "x", []string{"status", "x"}},
		{"no union named", clikit.ExitUsage, "UNION", []string{"enrol"}},
		{"a union that is not there", clikit.ExitInput, "E653", []string{"enrol", "99"}},
		{"a revocation that was not confirmed", clikit.ExitUsage, "E432", []string{"device", "revoke", "00112233", "--reason", "x"}},
		{"a PC that is not there", clikit.ExitInput, "E430", []string{"device", "revoke", "00112233", "--reason", "x", "--yes"}},
		{"no reason", clikit.ExitUsage, "reason", []string{"device", "revoke", "00112233", "--yes"}},
		{"a duration that is none", clikit.ExitInput, "E101", []string{"enrol", "3", "--valid", "week"}},
		{"rows that are wrong", clikit.ExitInput, "E654", []string{"org", "import", bad}},
		{"a file that is no table", clikit.ExitInput, "E665", []string{"org", "import", picture}},
		{"a file that is not there", clikit.ExitInput, "E665", []string{"org", "import", "nowhere.csv"}},
		{"a day that is none", clikit.ExitInput, "E807", []string{"counts", "--day", "2026-02-30"}},
		{"a dimension that is none", clikit.ExitInput, "E804", []string{"counts", "--by", "moon"}},
		{"a position that is none", clikit.ExitInput, "E101", []string{"counts", "--at-least", "x"}},
		{"a filter that is none", clikit.ExitInput, "E101", []string{"counts", "--where", "sex"}},
		{"a node that does not answer", clikit.ExitOffline, "E512", []string{"status", "--node", "127.0.0.1:1"}},
		{"an address that is none", clikit.ExitInput, "E101", []string{"status", "--node", "http://x"}},
		{"a folder that holds no node", clikit.ExitInput, "E659", []string{"status", "--data", filepath.Join(base, "none")}},
		{"serving what is not there", clikit.ExitInput, "E659", []string{"serve", "--data", filepath.Join(base, "none")}},
	}
	for _, r := range rows {
		args := append([]string{"--lang", "en"}, r.args...)
		if !strings.Contains(strings.Join(args, " "), "--data") && r.status != clikit.ExitUsage {
			args = append(args, "--data", data)
		}
		status, out, errs := run(t, args...)
		if status != r.status || !strings.Contains(out+errs, r.word) {
			t.Errorf("%s: status %d, want %d and %q\n%s%s", r.why, status, r.status, r.word, out, errs)
		}
	}
	status, out, _ := run(t, "org", "import", bad, "--data", data, "--json")
	var v struct {
		Problems []struct{ Line, Code int }
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || status != clikit.ExitInput || len(v.Problems) != 3 || v.Problems[0].Line != 5 {
		t.Errorf("status %d, %+v %v\n%s", status, v, err, out)
	}
	var list struct{ Units []any }
	if ask(t, &list, "org", "list", "--data", data); len(list.Units) != 0 {
		t.Errorf("refused rows are there: %v", list.Units)
	}
}

// TestHelpTellsStatuses: they are part of what scripts rely on.
func TestHelpTellsStatuses(t *testing.T) {
	out := want(t, clikit.ExitOK, "--help", "--lang", "en")
	for _, word := range []string{"init", "join", "serve", "enrol", "org", "counts", "status", "EXIT STATUS", "130"} {
		if !strings.Contains(out, word) {
			t.Errorf("no %q in\n%s", word, out)
		}
	}
	if strings.Contains(out, "server.") {
		t.Errorf("words are missing:\n%s", out)
	}
}

// TestClusterCommands: what an operator of a small centre can do with its one node, and what
// is refused, by exit status.
func TestClusterCommands(t *testing.T) {
	data := filepath.Join(t.TempDir(), "n1")
	want(t, clikit.ExitOK, "init", "--data", data, "--id", "n1", "--listen", "127.0.0.1:0", "--raft", "127.0.0.1:0")
	want(t, clikit.ExitInput, "cluster", "recover", "--data", data, "--reason", "nothing is here yet", "--accept-loss")
	_, stop := serveNode(t, data, "--json")
	var st struct {
		Leader      string
		Need, Spare int
		Nodes       []struct {
			Node, Role string
			Answers    bool
		}
	}
	if ask(t, &st, "cluster", "status", "--data", data); st.Leader != "n1" || st.Need != 1 || st.Spare != 0 || len(st.Nodes) != 1 || !st.Nodes[0].Answers {
		t.Fatalf("%+v", st)
	}
	if out := want(t, clikit.ExitOK, "cluster", "status", "--data", data, "--lang", "en"); !strings.Contains(out, "1 nodes vote, 1 must work") {
		t.Fatal(out)
	}
	want(t, clikit.ExitUsage, "cluster", "leave", "--data", data)                // not confirmed
	want(t, clikit.ExitInput, "cluster", "leave", "--data", data, "--yes")       // the last one
	want(t, clikit.ExitInput, "cluster", "leave", "n9", "--data", data, "--yes") // no such node
	want(t, clikit.ExitInput, "cluster", "transfer", "n9", "--data", data)       // no such node
	want(t, clikit.ExitUsage, "cluster", "recover", "--data", data)              // without a reason
	want(t, clikit.ExitStorage, "cluster", "recover", "--data", data, "--reason", "it runs", "--accept-loss")
	if status := stop(); status != clikit.ExitOK {
		t.Fatal(status)
	}
	want(t, clikit.ExitUsage, "cluster", "recover", "--data", data, "--reason", "a drill") // what may be lost is not accepted
	var r struct {
		Generation int
		Lost       []string
	}
	if ask(t, &r, "cluster", "recover", "--data", data, "--reason", "a drill", "--accept-loss"); r.Generation != 2 || len(r.Lost) != 0 {
		t.Fatalf("%+v", r)
	}
	serveNode(t, data, "--json")
	var lives struct{ Generations []struct{ Reason string } }
	if ask(t, &lives, "generation", "list", "--data", data); len(lives.Generations) != 2 || lives.Generations[1].Reason != "a drill" {
		t.Fatalf("%+v", lives)
	}
}
