package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// insideName is set in the environment of the process that has the namespace for itself.
const insideName = "UNIONSYNC_NETLAB_INSIDE"

// enclose runs this program again in a network namespace of its own, which ends with it, and
// gives its exit status. ok is false in the process that is inside already.
func enclose(ctx context.Context) (status int, ok bool, err error) {
	if os.Getenv(insideName) != "" {
		return 0, false, setUp("lo", [4]byte{127, 0, 0, 1})
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), insideName+"=1", "NO_PROXY=*", "no_proxy=*")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGTERM}
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

// room is a second namespace: a PC's, which reaches the centre over a wire only.
type room struct {
	wire  *wire
	jobs  chan func()
	inner [4]byte // the PC's address
	outer string  // ours, as the PC sees it
}

// newRoom makes the number-th room, with a wire from it to the namespace of the process.
func newRoom(g *errgroup.Group, number byte) (*room, error) {
	r := &room{wire: &wire{}, jobs: make(chan func()), inner: [4]byte{10, 77, number, 2}, outer: fmt.Sprintf("10.77.%d.1", number)}
	var err error
	name := fmt.Sprintf("wire%d", number)
	if r.wire.ends[0], err = openTun(name, [4]byte{10, 77, number, 1}); err != nil {
		return nil, err
	}
	made := make(chan error, 1)
	g.Go(func() error {
		runtime.LockOSThread() // never unlocked: the thread, and the namespace with it, end here
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			r.wire.ends[1], err = openTun(name, r.inner)
		}
		made <- err
		for job := range r.jobs {
			job()
		}
		return nil
	})
	if err := <-made; err != nil {
		close(r.jobs)
		return nil, errors.Join(fmt.Errorf("make the PC's namespace: %w", err), r.wire.ends[0].Close())
	}
	return r, nil
}

// do runs a job in the room; processes that it starts live there.
func (r *room) do(job func() error) error {
	done := make(chan error, 1)
	r.jobs <- func() { done <- job() }
	return <-done
}

// close ends the room.
func (r *room) close() { close(r.jobs) }
