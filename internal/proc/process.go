package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Process is a program that stays up, such as a node.
type Process struct {
	name  string
	cmd   *exec.Cmd
	out   *recorder
	wait  errgroup.Group
	ended chan struct{} // closed by the one who waits for the process
}

// errEnded says that a process ended while something was expected of it.
var errEnded = errors.New("the process ended")

// Start starts a program with the environment of this one. What it writes is kept in memory and added to the file log, if
// one is named. The process is in a group of its own, so that Ctrl-C reaches only the one
// who started it.
func Start(name, log, path string, args ...string) (*Process, error) {
	return startIn(nil, name, log, path, args...)
}

// startIn is [Start] with more variables in the environment, as NAME=value.
func startIn(env []string, name, log, path string, args ...string) (*Process, error) {
	out, err := newRecorder(log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{name: name, cmd: exec.Command(path, args...), out: out, ended: make(chan struct{})}
	p.cmd.Stdout = &stream{to: out, lines: true}
	p.cmd.Stderr = &stream{to: out}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.WaitDelay = time.Second // nobody else may keep the pipes open
	detach(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), out.close())
	}
	p.wait.Go(func() error {
		defer close(p.ended)
		return errors.Join(p.cmd.Wait(), out.close())
	})
	return p, nil
}

// Name is the name given to [Start].
func (p *Process) Name() string { return p.name }

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Line waits for the first line on standard output that ok accepts, and gives it.
func (p *Process) Line(ctx context.Context, ok func(line string) bool) (string, error) {
	for next := 0; ; {
		lines, changed := p.out.linesFrom(next)
		for _, l := range lines {
			if ok(l) {
				return l, nil
			}
		}
		next += len(lines)
		if len(lines) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-p.ended:
			if more, _ := p.out.linesFrom(next); len(more) == 0 {
				return "", fmt.Errorf("%s: %w: %s\n%s", p.name, errEnded, p.cmd.ProcessState, p.Tail(20))
			}
		case <-ctx.Done():
			return "", fmt.Errorf("%s: no such line yet: %w\n%s", p.name, ctx.Err(), p.Tail(20))
		}
	}
}

// Ended is closed once the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Status is the exit status of a process that has ended; -1 if a signal ended it.
func (p *Process) Status() int { return p.cmd.ProcessState.ExitCode() }

// Kill ends the process as a power cut would (SIGKILL) and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.ended
	return nil
}

// Signal sends the process a signal, as one that stops it for a while.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// Stop asks the process to end and waits; after patience it is killed, which is an error.
func (p *Process) Stop(patience time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Join(fmt.Errorf("stop %s: %w", p.name, err), p.Kill())
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("stop %s: still up after %v", p.name, patience), p.dump(), p.Kill())
	}
}

// dump lets a process that hangs say where, if its system can tell it to: in its log.
func (p *Process) dump() error {
	const writing = 2 * time.Second
	if err := quit(p.cmd.Process); err != nil {
		return fmt.Errorf("dump %s: %w", p.name, err)
	}
	select {
	case <-p.ended:
	case <-time.After(writing):
	}
	return nil
}

// Tail gives the last n lines that the process wrote.
func (p *Process) Tail(n int) string { return p.out.tail(n) }
