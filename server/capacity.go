package server

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"unionsync/server/gate"
)

// Bounds of the setting max_wait. An agent gives a line up on which nothing has moved for 90 seconds.
const (
	leastWait = time.Second
	mostWait  = 2 * time.Minute
)

// memoryUnit is what max_memory is counted in.
const memoryUnit = "MiB"

// capacity reads what a node does at once; fields that base sets win, and what nobody sets
// has the gate's default.
func (c *Config) capacity(base gate.Capacity) (gate.Capacity, error) {
	mib := 0
	for _, f := range []struct {
		name, value string
		least, most int
		to          *int
	}{
		{"max_connections", c.MaxConnections, 16, 100_000, &base.Conns},
		{"max_requests", c.MaxRequests, 1, 10_000, &base.Requests},
		{"max_memory", strings.TrimSuffix(c.MaxMemory, memoryUnit), 2, 4096, &mib},
		{"device_at_once", c.DeviceAtOnce, 1, 100, &base.DeviceAtOnce},
		{"device_rate", c.DeviceRate, 10, 100_000, &base.DeviceRate},
	} {
		if f.value == "" {
			continue
		}
		n, err := strconv.Atoi(f.value)
		if err != nil || n < f.least || n > f.most || f.to == &mib && !strings.HasSuffix(c.MaxMemory, memoryUnit) {
			return base, fmt.Errorf("%s: want a number from %d to %d%s", f.name, f.least, f.most, unitOf(f.to == &mib))
		}
		if *f.to == 0 {
			*f.to = n
		}
	}
	if base.Memory == 0 {
		base.Memory = mib << 20
	}
	if c.MaxWait == "" {
		return base, nil
	}
	d, err := time.ParseDuration(c.MaxWait)
	if err != nil || d < leastWait || d > mostWait {
		return base, fmt.Errorf("max_wait: want a time from %v to %v", leastWait, mostWait)
	}
	if base.Queue == 0 {
		base.Queue = d
	}
	return base, nil
}

func unitOf(memory bool) string {
	if memory {
		return " with " + memoryUnit + " behind it"
	}
	return ""
}
