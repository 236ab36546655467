package proc

import (
	"os"
	"os/exec"
	"syscall"
)

// detach puts the process into a group of its own.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// quit ends the process: it cannot be asked where it is.
func quit(p *os.Process) error { return p.Kill() }
