package proc

import (
	"os"
	"os/exec"
	"syscall"
)

// detach puts the process into a group of its own and has it killed should this process
// die without being able to.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// quit tells a Go program to write down where each of its goroutines is, and to end.
func quit(p *os.Process) error { return p.Signal(syscall.SIGQUIT) }
