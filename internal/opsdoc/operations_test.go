//go:build linux

package opsdoc

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// codes and ids that a reader copies from what was printed into the next command.
var printed = map[string]*regexp.Regexp{
	"CODE":   regexp.MustCompile(`\b(?:[0-9A-Z]{5}-){4}[0-9A-Z]{5}\b`),
	"DEVICE": regexp.MustCompile(`(?m)^([0-9a-f]{12}) `),
}

// TestOperations follows the page from its first block to its last. Broken off at a block,
// nothing after it is run: it would stand on what is not there.
func TestOperations(t *testing.T) {
	blocks := readPage(t)
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	copyFile(t, filepath.Join(w.root, "examples", "units.csv"), filepath.Join(w.base, "n1", "root", "units.csv"))
	for _, b := range blocks {
		began := time.Now()
		status, out, err := w.run(ctx, b)
		t.Logf("%s, line %d, on %s: status %d, %v\n%s%s", b.section, b.line, b.machine, status, time.Since(began).Round(time.Millisecond), indent("$ ", b.text), indent("  ", out))
		if err != nil || status != b.status {
			t.Fatalf("docs/operations.md:%d (%s): status %d, want %d: %v", b.line, b.section, status, b.status, err)
		}
		for name, form := range printed {
			if m := form.FindStringSubmatch(out); m != nil {
				w.vars[name] = m[len(m)-1]
			}
		}
	}
	if len(blocks) < 15 {
		t.Errorf("only %d blocks were run", len(blocks))
	}
}

func indent(prefix, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(prefix + line)
	}
	return b.String()
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestUnitIsGood: systemd itself reads the unit where it is installed; the product's own
// rules are looked at everywhere.
func TestUnitIsGood(t *testing.T) {
	path := filepath.Join("..", "..", "deploy", "systemd", "union-server.service")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"Type=notify", "WatchdogSec=60", "User=unionsync", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=",
		"StateDirectory=unionsync", "StateDirectoryMode=0700", "UMask=0077", "Restart=always", "TimeoutStartSec=infinity",
	} {
		if !strings.Contains(string(b), "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("there is no systemd-analyze here")
		return
	}
	unit := filepath.Join(t.TempDir(), "union-server.service")
	text := strings.ReplaceAll(string(b), "/usr/bin/union-server", "/bin/true")
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "union-server.service:") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
