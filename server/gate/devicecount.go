package gate

import (
	"strconv"
	"strings"
	"time"

	"unionsync/server/census"
	"unionsync/server/ledger/entrypb"
)

// Bounds by which PCs are sorted for metrics and the help desk.
const (
	silentAfter = 7 * 24 * time.Hour
	clockWrong  = 10 * time.Minute // by which a PC's clock may differ from the centre's
)

// Conns is how many connections this node takes at once.
func (g *Gate) Conns() int { return g.cfg.Capacity.Conns }

// CountDevices counts the devices by state and by what is wrong with them, in the words of
// server/health, and the changes that stand on them alone.
func (g *Gate) CountDevices() (states, alarms map[string]int, waiting uint64, err error) {
	heard, err := g.allHeard()
	if err != nil {
		return nil, nil, 0, err
	}
	states, alarms = map[string]int{}, map[string]int{}
	now := g.cfg.Now()
	err = g.cfg.Ledger.EachDevice(func(id []byte, d *entrypb.Device) error {
		h := heard[string(id)]
		states[h.state(now, d.GetRevoked())]++
		if d.GetRevoked() {
			return nil
		}
		if h == nil {
			return nil
		}
		waiting += uint64(h.waiting)
		for what, wrong := range map[string]bool{
			"clock_wrong": h.clockWrong(), "old_version": older(h.version, g.cfg.Version), "alarms": h.alarms > 0,
		} {
			if wrong {
				alarms[what]++
			}
		}
		return nil
	})
	return states, alarms, waiting, err
}

// heardOf is what a device said when it was last heard of, in all of its unions.
type heardOf struct {
	heard, complete  int64
	waiting, alarms  uint32
	version          string
	clock            int64 // seconds by which the PC's clock is ahead of the centre's
	everSaidItsClock bool
}

func (h *heardOf) add(s *entrypb.ContactState) {
	last := s.GetLast()
	h.complete = max(h.complete, s.GetComplete())
	h.waiting, h.alarms = h.waiting+last.GetWaiting(), max(h.alarms, last.GetAlarms())
	if s.GetHeard() < h.heard {
		return
	}
	h.heard, h.version = s.GetHeard(), last.GetVersion()
	if t := last.GetClientTime(); t != 0 {
		h.clock, h.everSaidItsClock = t-s.GetHeard(), true
	}
}

func (h *heardOf) clockWrong() bool {
	limit := int64(clockWrong / time.Second)
	return h.everSaidItsClock && (h.clock > limit || h.clock < -limit)
}

func (h *heardOf) state(now time.Time, revoked bool) string {
	switch {
	case revoked:
		return "revoked"
	case h == nil || h.heard == 0:
		return "never"
	case now.Unix()-h.heard > int64(silentAfter/time.Second):
		return "silent"
	case now.Unix()-h.complete > int64(census.DefaultFreshWithin/time.Second):
		return "late"
	}
	return "fresh"
}

// allHeard gives what is known of every device's contacts, by its id.
func (g *Gate) allHeard() (map[string]*heardOf, error) {
	out := map[string]*heardOf{}
	err := g.cfg.Ledger.Contacts(func(_ string, device []byte, s *entrypb.ContactState) error {
		h := out[string(device)]
		if h == nil {
			h = new(heardOf)
			out[string(device)] = h
		}
		h.add(s)
		return nil
	})
	return out, err
}

// older reports whether a program's version is below another: numbers between dots, compared
// one by one. What cannot be read is not called old.
func older(version, than string) bool {
	a, okA := numbers(version)
	b, okB := numbers(than)
	if !okA || !okB {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

func numbers(version string) (out [3]int, ok bool) {
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "v"), "-")
	parts := strings.Split(version, ".")
	if len(parts) > len(out) {
		return out, false
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil {
			return out, false
		}
		out[i] = n
	}
	return out, true
}
