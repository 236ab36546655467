//go:build unix && !linux

package proc

import (
	"os/exec"
	"syscall"
)

// detach puts the process into a group of its own.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
