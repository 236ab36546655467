package netspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Enclose runs this program again in a network namespace of its own, which ends with it, and
// gives its exit status. name is a variable of the environment by which the second process
// knows itself; there ok is false and the work is to be done. With mounts the second process
// has a mount namespace too, so that what it mounts is seen by nobody else and ends with it.
func Enclose(ctx context.Context, name string, mounts bool) (status int, ok bool, err error) {
	if os.Getenv(name) != "" {
		if mounts {
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
				return 0, false, fmt.Errorf("make mounts private: %w", err)
			}
		}
		return 0, false, SetUp("lo", [4]byte{127, 0, 0, 1})
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), name+"=1", "NO_PROXY=*", "no_proxy=*")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGTERM}
	if mounts {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNS
	}
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: gid, Size: 1}}
	}
	runtime.LockOSThread() // the parent's death is that of its thread
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), true, nil
	}
	if err != nil {
		err = fmt.Errorf("make a network namespace (as root, or where users may): %w", err)
	}
	return 0, true, err
}
