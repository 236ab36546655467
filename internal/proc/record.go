package proc

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
)

// keptBytes is how much of what a process wrote is kept in memory; the file has it all.
const keptBytes = 256 << 10

// recorder keeps what a process writes.
type recorder struct {
	mu      sync.Mutex
	all     []byte        // guarded by mu: both streams, the newest keptBytes
	lines   []string      // guarded by mu: complete lines of standard output
	changed chan struct{} // guarded by mu: closed and replaced with each new line
	file    *os.File      // may be nil; guarded by mu
}

func newRecorder(log string) (*recorder, error) {
	r := &recorder{changed: make(chan struct{})}
	if log == "" {
		return r, nil
	}
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	r.file = f
	return r, nil
}

// stream is one stream of a process.
type stream struct {
	to    *recorder
	lines bool   // this is standard output
	rest  []byte // an incomplete line; used by the one who copies
}

// Write implements [io.Writer].
func (s *stream) Write(b []byte) (int, error) {
	s.to.add(b)
	if !s.lines {
		return len(b), nil
	}
	s.rest = append(s.rest, b...)
	for {
		line, rest, ok := bytes.Cut(s.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		s.to.addLine(strings.TrimSuffix(string(line), "\r"))
		s.rest = bytes.Clone(rest)
	}
}

func (r *recorder) add(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, b...)
	if over := len(r.all) - keptBytes; over > 0 {
		r.all = bytes.Clone(r.all[over:])
	}
	if r.file != nil {
		_, _ = r.file.Write(b) // the log is a help for people; what matters is in memory
	}
}

func (r *recorder) addLine(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	close(r.changed)
	r.changed = make(chan struct{})
}

// linesFrom gives the lines from the nth, and a channel that is closed with the next one.
func (r *recorder) linesFrom(n int) ([]string, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines[n:], r.changed
}

func (r *recorder) tail(n int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := strings.Split(strings.TrimRight(string(r.all), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func (r *recorder) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}
