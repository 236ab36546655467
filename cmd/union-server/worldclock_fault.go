//go:build faultclock

package main

import (
	"os"
	"strings"
	"time"
)

// clockVariable names a file with an offset to the system's clock, as 2h or -36h. Only a
// program built for the fault tests looks at it: no release has this file in it.
const clockVariable = "UNIONSYNC_FAULT_CLOCK"

// worldClock is the system's, with the offset that the file has at the moment; none without it.
func worldClock() func() time.Time {
	path := os.Getenv(clockVariable)
	return func() time.Time {
		text, err := os.ReadFile(path)
		if err != nil {
			return time.Now()
		}
		offset, err := time.ParseDuration(strings.TrimSpace(string(text)))
		if err != nil {
			return time.Now()
		}
		return time.Now().Add(offset)
	}
}
