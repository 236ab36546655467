//go:build linux

package opsdoc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"unionsync/internal/proc"
)

// What stand-ins read of the world around them.
const (
	envBase    = "OPSDOC_BASE"    // folder with a folder for each machine
	envMachine = "OPSDOC_MACHINE" // whose command it is
	envNet     = "OPSDOC_NET"     // the machines' network, as 127.77.5
	envUnits   = "OPSDOC_UNITS"   // folder with the unit files
)

// world are the machines of one run.
type world struct {
	t        *testing.T
	base     string
	net      string // stands for 10.0.0
	bin      string // the two programs and the stand-ins
	programs proc.Programs
	root     string            // of the project
	vars     map[string]string // what earlier blocks printed and later ones name
}

// standIns are the commands that this program takes the place of.
var standIns = map[string]func(args []string) error{
	"sudo": sudo, "systemctl": systemctl, "journalctl": journalctl, "scp": scp, "curl": curl, "apt-get": aptGet, "chown": chown,
}

func TestMain(m *testing.M) {
	if stand := standIns[filepath.Base(os.Args[0])]; stand != nil {
		if err := stand(os.Args[1:]); err != nil {
			var code exitCode
			if errors.As(err, &code) {
				os.Exit(int(code))
			}
			fmt.Fprintln(os.Stderr, filepath.Base(os.Args[0])+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// exitCode ends a stand-in with a status.
type exitCode int

func (e exitCode) Error() string { return "exit " + strconv.Itoa(int(e)) }

func newWorld(t *testing.T) *world {
	t.Helper()
	root, err := proc.Root()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, base: t.TempDir(), root: root, vars: map[string]string{},
		net: fmt.Sprintf("127.%d.%d", 64+os.Getpid()/250%64, os.Getpid()%250), // another one for each run beside this one
	}
	w.bin = filepath.Join(w.base, "bin")
	if err := os.MkdirAll(w.bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if w.programs, err = proc.Build(t.Context(), root, w.bin); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name := range standIns {
		if err := os.Symlink(self, filepath.Join(w.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(w.stopAll)
	return w
}

// stopAll ends what systemctl has started, and shows the end of the logs of a failed run.
func (w *world) stopAll() {
	pids, _ := filepath.Glob(filepath.Join(w.base, "*", "run", "pid"))
	for _, file := range pids {
		if pid, err := readPID(file); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // gone already, or gone now
		}
		if w.t.Failed() {
			b, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "journal"))
			w.t.Logf("--- the end of the journal of %s ---\n%s", filepath.Base(filepath.Dir(filepath.Dir(file))), b[max(0, len(b)-3000):])
		}
	}
}

// mapped are the places of the page that lie in the machine's folder here.
var mapped = regexp.MustCompile(`(^|[\s"'=:])(/(?:var/lib/unionsync|etc/default|usr/share/union-server|tmp)\b)`)

// shared is what all machines mount at the same place.
var shared = regexp.MustCompile(`(^|[\s"'=:])(/srv\b)`)

// local makes a block's text one of this machine: paths and addresses.
func (w *world) local(machine, text string) string {
	text = strings.ReplaceAll(text, "127.0.0.1:7301", w.address(machine)+":7301")
	text = strings.ReplaceAll(text, "10.0.0.", w.net+".")
	text = mapped.ReplaceAllString(text, "${1}@"+machine+"@${2}") // in two steps: the folders lie in /tmp themselves
	text = shared.ReplaceAllString(text, "${1}"+filepath.Join(w.base, "share")+"${2}")
	return strings.ReplaceAll(text, "@"+machine+"@/", filepath.Join(w.base, machine)+"/")
}

// address is that of a machine n1, n2, …; others have none of their own.
func (w *world) address(machine string) string {
	n, ok := strings.CutPrefix(machine, "n")
	if !ok {
		n = "99"
	}
	return w.net + "." + n
}

// run types a block on its machine.
func (w *world) run(ctx context.Context, b block) (status int, output string, err error) {
	home := filepath.Join(w.base, b.machine)
	for _, dir := range []string{"root", "run", "tmp", "var/lib", "etc/default", "../share", "usr/share/union-server"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o755); err != nil {
			return 0, "", err
		}
	}
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", w.local(b.machine, b.text))
	cmd.Dir = filepath.Join(home, "root")
	cmd.Env = []string{
		"PATH=" + w.bin + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + cmd.Dir, "TERM=dumb", "UNIONSYNC_LANG=en",
		"UNIONSYNC_METRICS_ADDRESS=" + w.address(b.machine) + ":7301",
		envBase + "=" + w.base, envMachine + "=" + b.machine, envNet + "=" + w.net, envUnits + "=" + filepath.Join(w.root, "deploy", "systemd"),
	}
	for k, v := range w.vars {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return exit.ExitCode(), out.String(), nil
	}
	return 0, out.String(), err
}
