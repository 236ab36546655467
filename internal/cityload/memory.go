package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const kibPerMiB = 1 << 10

// memory watches the nodes' processes. VmHWM, the peak of what is resident, is what is printed: it
// counts pages of mapped files too, which the system can take back. The rest is for people.
type memory struct {
	mu    sync.Mutex
	procs []*process
}

// process is one that is watched; a node that is started again is another one.
type process struct {
	name            string
	pid             int
	high            int // VmHWM in KiB
	anonymous, file int // the largest seen, in KiB
	cpu             time.Duration
}

func newMemory() *memory { return new(memory) }

func (m *memory) add(name string, pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.procs = append(m.procs, &process{name: name, pid: pid})
}

// watch looks until ctx ends. A peak never falls, so that none is missed but in the last moment
// of a process.
func (m *memory) watch(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			m.look()
		}
	}
}

func (m *memory) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.procs {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
		if err != nil {
			continue // it has ended
		}
		p.high = max(p.high, kib(b, "VmHWM:"))
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid)); err == nil {
			p.cpu = cpuTime(b)
		}
		p.anonymous, p.file = max(p.anonymous, kib(b, "RssAnon:")), max(p.file, kib(b, "RssFile:"))
	}
}

// cpuTime reads the processor time of a process from its stat line: the 12th and 13th number
// behind its name, in hundredths of a second.
func cpuTime(stat []byte) time.Duration {
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const user, system = 11, 12
	if len(f) <= system {
		return 0
	}
	var sum int
	for _, i := range []int{user, system} {
		n, _ := strconv.Atoi(string(f[i])) // 0: not a number
		sum += n
	}
	return time.Duration(sum) * 10 * time.Millisecond
}

// kib reads a line of a process's status, 0 if it is not there.
func kib(status []byte, name string) int {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			if f := bytes.Fields(rest); len(f) == 2 {
				n, _ := strconv.Atoi(string(f[0])) // 0: not a number
				return n
			}
		}
	}
	return 0
}

// peak is the largest of all, in KiB.
func (m *memory) peak() (int, error) {
	m.look()
	m.mu.Lock()
	defer m.mu.Unlock()
	peak := 0
	for _, p := range m.procs {
		peak = max(peak, p.high)
	}
	if peak == 0 {
		return 0, fmt.Errorf("peak memory is read on Linux only")
	}
	return peak, nil
}

// costs tells how much processor time each process has taken for so many records.
func (m *memory) costs(records int) string {
	m.look()
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, p := range m.procs {
		out = append(out, fmt.Sprintf("%s %.1f us", p.name, float64(p.cpu.Microseconds())/float64(records)))
	}
	return strings.Join(out, ", ")
}

// String tells of every process: its peak, and the largest parts of it.
func (m *memory) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, p := range m.procs {
		out = append(out, fmt.Sprintf("%s %d MiB (anonymous %d, files %d)", p.name, p.high/kibPerMiB, p.anonymous/kibPerMiB, p.file/kibPerMiB))
	}
	return strings.Join(out, ", ")
}
