//go:build unix && !linux

package proc

import (
	"os"
	"os/exec"
	"syscall"
)

// detach puts the process into a group of its own.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// quit tells a Go program to write down where each of its goroutines is, and to end.
func quit(p *os.Process) error { return p.Signal(syscall.SIGQUIT) }
