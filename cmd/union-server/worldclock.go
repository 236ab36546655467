//go:build !faultclock

package main

import "time"

// worldClock is the system's.
func worldClock() func() time.Time { return time.Now }
