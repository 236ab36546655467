package proc

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// envRole makes this test's own program play a role: the processes of these tests are
// copies of it.
const envRole = "UNIONSYNC_PROC_TEST"

func TestMain(m *testing.M) {
	if role := os.Getenv(envRole); role != "" {
		os.Exit(play(role))
	}
	os.Exit(m.Run())
}

// play is what the processes of these tests do.
func play(role string) int {
	switch role {
	case "serve":
		fmt.Println("starting")
		fmt.Fprintln(os.Stderr, "a log line")
		fmt.Println(`{"ready":true}`)
		select {} // until killed; a signal to end ends it too
	case "dies":
		fmt.Println("starting")
		fmt.Fprintln(os.Stderr, "the disk is full")
		return 6
	case "refuses":
		fmt.Println(`{"error":{"code":405,"sentence":"used","hint":"ask for another"}}`)
		return 7
	default:
		fmt.Printf("{\"args\":%d}\n", len(os.Args)-1)
		return 0
	}
}

func self(t *testing.T, role string) string {
	t.Helper()
	t.Setenv(envRole, role)
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func isJSON(line string) bool { return strings.HasPrefix(line, "{") }

// TestKill: a process is waited for, killed, and gone; what it wrote is kept.
func TestKill(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p, err := Start("node", log, self(t, "serve"))
	if err != nil {
		t.Fatal(err)
	}
	line, err := p.Line(soon(t), isJSON)
	if err != nil || line != `{"ready":true}` {
		t.Fatalf("line %q, %v", line, err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if p.Status() != -1 {
		t.Errorf("status %d of a killed process", p.Status())
	}
	if err := p.Kill(); err != nil {
		t.Errorf("killing it twice: %v", err)
	}
	kept, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(kept), "a log line") || !strings.Contains(p.Tail(3), "a log line") {
		t.Errorf("log %q, tail %q, %v", kept, p.Tail(3), err)
	}
}

// TestStop: a process that ends when asked to is no error.
func TestStop(t *testing.T) {
	p, err := Start("node", "", self(t, "serve"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Line(soon(t), isJSON); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Ended():
	default:
		t.Error("it has been stopped and has not ended")
	}
}

// TestLineOfADeadProcess: who waits for a line of a process that dies learns why.
func TestLineOfADeadProcess(t *testing.T) {
	p, err := Start("node", "", self(t, "dies"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Line(soon(t), isJSON)
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "exit status 6") {
		t.Errorf("error %v", err)
	}
}

// TestRun: status, JSON and errors of commands.
func TestRun(t *testing.T) {
	r, err := Run(soon(t), self(t, "echo"), "one", "two words")
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Args int }
	if err := r.asked(&v); err != nil || v.Args != 2 {
		t.Errorf("%d args, %v", v.Args, err)
	}
	if !strings.HasSuffix(r.Command, " one 'two words'") {
		t.Errorf("command %q", r.Command)
	}
	r, err = Run(soon(t), self(t, "refuses"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Want(0, 5); err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("want 0 or 5: %v", err)
	}
	if diff := cmp.Diff(Failed{Code: 405, Sentence: "used", Hint: "ask for another"}, r.Failure()); diff != "" {
		t.Error(diff)
	}
	if _, err := Run(soon(t), filepath.Join(t.TempDir(), "nothing")); err == nil {
		t.Error("a program that does not exist was run")
	}
}

// TestRunIsCutShort: a command that takes too long is ended, and the error shows what it said.
func TestRunIsCutShort(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := Run(ctx, self(t, "serve"))
	if err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("error %v", err)
	}
}

// TestPoll: the error says what was waited for and what was seen last.
func TestPoll(t *testing.T) {
	n := 0
	err := Poll(soon(t), "three", func() error {
		if n++; n < 3 {
			return fmt.Errorf("only %d", n)
		}
		return nil
	})
	if err != nil || n != 3 {
		t.Errorf("%d looks, %v", n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err = Poll(ctx, "never", func() error { return fmt.Errorf("the moon") })
	if err == nil || !strings.Contains(err.Error(), "never") || !strings.Contains(err.Error(), "the moon") {
		t.Errorf("error %v", err)
	}
}

// TestFreePorts: they differ and can be listened on.
func TestFreePorts(t *testing.T) {
	ports, err := FreePorts(6)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ports {
		l, err := net.Listen("tcp", p) // all at once: none is given twice
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
	}
}

// TestLine: what is printed can be pasted into a shell.
func TestLine(t *testing.T) {
	got := Line("/opt/my programs/union-agent", "set", "member", "mobile=138", "note=it's", "")
	want := `'/opt/my programs/union-agent' set member mobile=138 'note=it'\''s' ''`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestRoot finds the module from a folder inside it.
func TestRoot(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "internal", "proc", "doc.go")); err != nil {
		t.Error(err)
	}
	t.Chdir(t.TempDir())
	if _, err := Root(); err == nil {
		t.Error("found a module outside of one")
	}
}
