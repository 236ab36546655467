//go:build linux

package opsdoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a service may take to start or to stop.
const patience = 2 * time.Minute

func home() string { return filepath.Join(os.Getenv(envBase), os.Getenv(envMachine)) }

// sudo runs a command, as whoever runs the test.
func sudo(args []string) error {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if args[0] == "-u" {
			args = args[1:]
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return errors.New("no command")
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, args, os.Environ())
}

// systemctl does with union-server what its unit file says.
func systemctl(args []string) error {
	if len(args) == 0 {
		return errors.New("no verb")
	}
	verb := args[0]
	if verb == "daemon-reload" {
		return nil
	}
	if name := args[len(args)-1]; name != "union-server" && name != "union-server.service" {
		return fmt.Errorf("unknown unit %s", name)
	}
	switch verb {
	case "enable":
		if slices.Contains(args, "--now") {
			return startUnit()
		}
		return nil
	case "start":
		return startUnit()
	case "stop":
		return stopUnit()
	case "restart":
		return errors.Join(stopUnit(), startUnit())
	case "is-active", "status":
		if _, err := running(); err != nil {
			fmt.Println("inactive")
			return exitCode(3)
		}
		fmt.Println("active")
		return nil
	}
	return fmt.Errorf("unknown verb %s", verb)
}

func pidFile() string { return filepath.Join(home(), "run", "pid") }

func readPID(file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// running gives the process of the unit, if it lives. A process that ended and that nobody
// has asked about is gone too.
func running() (int, error) {
	pid, err := readPID(pidFile())
	if err != nil {
		return 0, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	if len(rest) == 0 || rest[0] == 'Z' {
		return 0, errors.New("it has ended")
	}
	return pid, nil
}

// unitCommand reads ExecStart, and wants Type=notify and a watchdog.
func unitCommand() ([]string, error) {
	b, err := os.ReadFile(filepath.Join(os.Getenv(envUnits), "union-server.service"))
	if err != nil {
		return nil, err
	}
	unit := string(b)
	for _, line := range []string{"\nType=notify\n", "\nWatchdogSec="} {
		if !strings.Contains(unit, line) {
			return nil, fmt.Errorf("the unit lacks %q", line)
		}
	}
	_, rest, ok := strings.Cut(unit, "\nExecStart=")
	line, _, _ := strings.Cut(rest, "\n")
	words := strings.Fields(line)
	if !ok || len(words) == 0 {
		return nil, errors.New("the unit starts nothing")
	}
	words[0] = filepath.Base(words[0]) // from PATH here
	for i, w := range words {
		if strings.HasPrefix(w, "/var/lib/") {
			words[i] = filepath.Join(home(), w)
		}
	}
	return words, nil
}

// environment is that of the service: the file's lines over the rest.
func environment(socket string) []string {
	env := append(os.Environ(), "NOTIFY_SOCKET="+socket)
	b, err := os.ReadFile(filepath.Join(home(), "etc", "default", "union-server"))
	if err != nil {
		return env
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			env = append(env, line)
		}
	}
	return env
}

// startUnit starts the service and waits until it says that it is ready.
func startUnit() error {
	if _, err := running(); err == nil {
		return nil
	}
	words, err := unitCommand()
	if err != nil {
		return err
	}
	socket := filepath.Join(os.TempDir(), fmt.Sprintf("opsdoc-%d", os.Getpid())) // short: a socket's path is bounded
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(socket) }()
	journal, err := os.OpenFile(filepath.Join(home(), "run", "journal"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env, cmd.Dir = environment(socket), "/"
	cmd.Stdout, cmd.Stderr = journal, journal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := os.WriteFile(pidFile(), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		return err
	}
	if err := notify.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	b := make([]byte, 100)
	n, err := notify.Read(b)
	if err != nil || string(b[:n]) != "READY=1" {
		return fmt.Errorf("the service says %q: %w", b[:n], err)
	}
	return nil
}

// stopUnit ends the service and waits until it is gone.
func stopUnit() error {
	pid, err := running()
	if err != nil {
		return nil //nolint:nilerr // it does not run
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		if _, err := running(); err != nil {
			return nil //nolint:nilerr // it has stopped
		}
	}
	return errors.New("the service does not stop")
}

// journalctl prints what the service wrote.
func journalctl([]string) error {
	b, err := os.ReadFile(filepath.Join(home(), "run", "journal"))
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(b)
	return err
}

// scp copies a file to or from another machine: the address says which.
func scp(args []string) error {
	if len(args) != 2 {
		return errors.New("want from and to")
	}
	b, err := os.ReadFile(elsewhere(args[0]))
	if err != nil {
		return err
	}
	to := elsewhere(args[1])
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		to = filepath.Join(to, filepath.Base(args[0]))
	}
	return os.WriteFile(to, b, 0o600)
}

// elsewhere gives the path of user@address:path here.
func elsewhere(name string) string {
	host, path, remote := strings.Cut(name, ":")
	if !remote {
		return name
	}
	_, host, _ = strings.Cut(host, "@")
	machine := "n" + strings.TrimPrefix(host, os.Getenv(envNet)+".")
	if !filepath.IsAbs(path) { // in the user's own folder
		return filepath.Join(os.Getenv(envBase), machine, "root", path)
	}
	return filepath.Join(os.Getenv(envBase), machine, strings.TrimPrefix(path, home()))
}

// curl fetches a page; with -f it fails on an error status.
func curl(args []string) error {
	fails := slices.ContainsFunc(args[:len(args)-1], func(a string) bool { return strings.HasPrefix(a, "-") && strings.Contains(a, "f") })
	r, err := http.Get(args[len(args)-1])
	if err != nil {
		return exitCode(7)
	}
	defer func() { _ = r.Body.Close() }()
	if r.StatusCode >= 400 && fails {
		return exitCode(22)
	}
	_, err = io.Copy(os.Stdout, r.Body)
	return err
}

// aptGet installs one of our packages: the programs are on PATH already, so it only looks
// that they are ours.
func aptGet(args []string) error {
	for _, a := range args {
		if strings.HasSuffix(a, ".deb") && !strings.HasPrefix(filepath.Base(a), "union-server_") && !strings.HasPrefix(filepath.Base(a), "union-agent_") {
			return fmt.Errorf("no such package: %s", a)
		}
	}
	return nil
}

// chown gives files to the service's user; here all belongs to whoever runs the test.
func chown(args []string) error {
	if len(args) != 3 || args[0] != "-R" || args[1] != "unionsync:" {
		return fmt.Errorf("not understood: %v", args)
	}
	_, err := os.Stat(args[2])
	return err
}
