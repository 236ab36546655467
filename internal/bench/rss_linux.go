package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

var errNoPeak = errors.New("the system does not tell a process's peak memory")

// peakKiB reads the largest resident memory that a process has had since it began. The
// rusage of a child cannot be taken for it: a child of this process begins with this
// process's own peak.
func peakKiB(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read peak memory: %w", err)
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			fields := bytes.Fields(rest)
			if len(fields) == 2 && string(fields[1]) == "kB" {
				return strconv.Atoi(string(fields[0]))
			}
		}
	}
	return 0, errNoPeak // of a process that has just ended, too
}
