package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"unionsync/internal/atomicfile"
)

// heartbeat is what the loop leaves in the data folder, so that a clock that was set back
// while the PC was off is noticed, and running time adds up over days on which the PC is
// off at night. Nothing in it is needed: one that is lost costs a sync that was not due.
type heartbeat struct {
	Version int              `json:"version"` // one that is newer is not read
	Seen    int64            `json:"seen"`    // when the loop was last known to run, Unix seconds
	Stopped bool             `json:"stopped"` // it ended in good order
	Ran     map[string]int64 `json:"ran"`     // by union: seconds of running time since the newest try
}

const (
	heartbeatFile    = "run.json"
	heartbeatVersion = 1
	heartbeatEvery   = time.Hour
)

func (a *Agent) loadHeartbeat() heartbeat {
	var h heartbeat
	b, err := os.ReadFile(filepath.Join(a.c.Dir, heartbeatFile))
	if err == nil {
		err = json.Unmarshal(b, &h)
	}
	if err == nil && h.Version > heartbeatVersion {
		err = fmt.Errorf("version %d", h.Version)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.c.Log.Warn("the note of the running loop cannot be read", "error", err)
		return heartbeat{}
	}
	return h
}

func (a *Agent) saveHeartbeat(h heartbeat) {
	h.Version = heartbeatVersion
	b, err := json.MarshalIndent(h, "", "  ")
	if err == nil {
		err = atomicfile.Write(filepath.Join(a.c.Dir, heartbeatFile), append(b, '\n'), 0o600)
	}
	if err != nil {
		a.c.Log.Warn("the note of the running loop cannot be written", "error", err)
	}
}

// Running reports whether the loop is up, as far as its note tells: a PC that lost its power
// a moment ago still counts.
func (a *Agent) Running() bool {
	h := a.loadHeartbeat()
	since := a.c.Now().Sub(time.Unix(h.Seen, 0))
	return h.Seen > 0 && !h.Stopped && since.Abs() < 2*heartbeatEvery
}
