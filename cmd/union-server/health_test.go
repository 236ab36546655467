package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"unionsync/internal/clikit"
)

// TestTellingHowANodeIs: status, doctor, config and debug, of a node that runs and of one
// that does not, in both languages.
func TestTellingHowANodeIs(t *testing.T) {
	base := t.TempDir()
	data := filepath.Join(base, "n1")
	want(t, clikit.ExitOK, "init", "--data", data, "--id", "n1", "--listen", "127.0.0.1:0", "--raft", "127.0.0.1:0")
	if out := want(t, clikit.ExitOffline, "status", "--data", data, "--json"); !strings.Contains(out, `"code": 501`) && !strings.Contains(out, `"error"`) {
		t.Error(out)
	}
	var checks struct {
		OK     bool
		Checks []struct {
			Name string
			OK   bool
			Code int
		}
	}
	read := func(out string) map[string]int {
		t.Helper()
		if err := json.Unmarshal([]byte(out), &checks); err != nil {
			t.Fatal(err, out)
		}
		bad := map[string]int{}
		for _, c := range checks.Checks {
			if !c.OK {
				bad[c.Name] = c.Code
			}
		}
		return bad
	}
	if bad := read(want(t, clikit.ExitAttention, "doctor", "--data", data, "--json")); bad["node"] != 640 || bad["secrets"] != 0 || bad["identity"] != 0 {
		t.Errorf("a stopped node: %v", bad)
	}
	line, stop := serveNode(t, data, "--json", "--metrics-address", "127.0.0.1:0")
	var ready struct{ API, Health string }
	if err := json.Unmarshal([]byte(line), &ready); err != nil || ready.Health == "" {
		t.Fatal(line, err)
	}
	if err := os.WriteFile(filepath.Join(data, "nodes.txt"), []byte(ready.API+"\n"), 0o600); err != nil { // port 0 is another each time
		t.Fatal(err)
	}
	var status struct {
		State, Health string
		Checks        []struct{ Name, For string }
	}
	if ask(t, &status, "counts", "--data", data); true { // waits until it counts
		status.State = ""
	}
	_, out, _ := run(t, "status", "--data", data, "--json") // a small or full disk is the machine's own business
	if err := json.Unmarshal([]byte(out), &status); err != nil || status.State == "" || status.State == "not_ready" || status.Health != ready.Health || len(status.Checks) < 10 {
		t.Errorf("%+v: %v", status, err)
	}
	if err := os.Chmod(filepath.Join(data, "node.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if bad := read(want(t, clikit.ExitAttention, "doctor", "--data", data, "--json")); bad["secrets"] != 638 || bad["node"] != 0 || bad["answers"] != 0 || bad["clocks"] != 0 {
		t.Errorf("a key that others can read: %v", bad)
	}
	for _, lang := range []string{"zh", "en"} {
		for _, args := range [][]string{{"status"}, {"doctor"}, {"config", "print", "--origins"}, {"config", "check"}, {"debug", "--profile", "0", "--out", filepath.Join(base, lang+".tar.gz")}} {
			_, out, errs := run(t, append(args, "--data", data, "--lang", lang)...)
			if out == "" || strings.Contains(out+errs, "server.") && !strings.Contains(out+errs, "server.yaml") || strings.Contains(out+errs, "config.i") {
				t.Errorf("%v in %s lacks words:\n%s%s", args, lang, out, errs)
			}
		}
	}
	if out := want(t, clikit.ExitInput, "debug", "--profile", "0", "--out", filepath.Join(base, "zh.tar.gz"), "--data", data, "--json"); !strings.Contains(out, "error") {
		t.Error(out)
	}
	want(t, clikit.ExitInput, "device", "show", "00112233", "--data", data)
	want(t, clikit.ExitInput, "config", "print", "lissten", "--data", data)
	want(t, clikit.ExitInput, "config", "check", "--heartbeat", "fast", "--data", data)
	if got := stop(); got != 0 {
		t.Errorf("serve ended with %d", got)
	}
}
