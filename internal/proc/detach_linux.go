package proc

import (
	"os/exec"
	"syscall"
)

// detach puts the process into a group of its own and has it killed should this process
// die without being able to.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
