package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"unionsync/agent/schedule"
	"unionsync/agent/union"
	"unionsync/internal/atomicfile"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// contact is what stands beside a union's records: its name, its slot, how the newest syncs
// went. It can be read while another program has the union open. Nothing in it is needed:
// one that is lost costs a sync that was not due.
type contact struct {
	Version  int           `json:"version"` // one that is newer is not read
	Name     string        `json:"name"`
	Slot     schedule.Slot `json:"slot"`
	Complete int64         `json:"complete"` // when the newest complete sync ended, Unix seconds; 0: never
	Tried    int64         `json:"tried"`    // when the newest sync ended
	Failures int           `json:"failures"` // in a row
	Wait     int64         `json:"wait"`     // seconds that the centre asked to wait
	Error    int           `json:"error"`    // code of the newest failure; 0: it went well
}

func (a *Agent) loadContact(union string) contact {
	var c contact
	name := filepath.Join(a.unionDir(union), contactFile)
	b, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err == nil && c.Version > contactVersion {
		err = fmt.Errorf("version %d", c.Version)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.c.Log.Warn("the note of the newest syncs cannot be read", "union", union, "error", err)
		return contact{}
	}
	return c
}

const contactVersion = 1

func (a *Agent) saveContact(union string, c contact) error {
	c.Version = contactVersion
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(a.unionDir(union), contactFile), append(b, '\n'), 0o600); err != nil {
		return a.writeError(err)
	}
	return nil
}

func slotOf(s *syncpb.Slot) schedule.Slot {
	return schedule.Slot{Minute: int(s.GetMinute()), WindowStart: int(s.GetWindowStart()), WindowEnd: int(s.GetWindowEnd())}
}

// state is what the schedule decides by.
func (c contact) state(awake time.Time, jitter float64) schedule.State {
	return schedule.State{
		Slot: c.Slot, Complete: unixTime(c.Complete), Tried: unixTime(c.Tried), Failures: c.Failures,
		Wait: time.Duration(c.Wait) * time.Second, Awake: awake, Jitter: jitter,
	}
}

func unixTime(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0)
}

// ended notes how a sync went. One that got on before it failed is the first failure in a
// row: a bad line bears the night's work in pieces, soon after each other.
func (c *contact) ended(now time.Time, r union.Result, err error) {
	c.Tried, c.Wait, c.Error = now.Unix(), 0, 0
	if r.Complete && err == nil {
		c.Complete, c.Failures = now.Unix(), 0
		return
	}
	if c.Failures++; r.Sent+r.Received > 0 {
		c.Failures = 1
	}
	if err != nil {
		c.Error = int(syncproto.CodeOf(err))
		c.Wait = retryAfter(err)
	}
}

// Asked gives how long the centre asked to wait, where that is all that an error says: it
// has more to do than it takes at once, and nothing is wrong.
func Asked(err error) (wait time.Duration, ok bool) {
	if err == nil || !syncproto.Later(syncproto.CodeOf(err)) {
		return 0, false
	}
	s := retryAfter(err)
	return time.Duration(s) * time.Second, s > 0
}

// retryAfter is how many seconds the centre asked to wait; 0 if it did not.
func retryAfter(err error) int64 {
	var coded *syncproto.Error
	if !errors.As(err, &coded) {
		return 0
	}
	d, err := time.ParseDuration(coded.Args["seconds"] + "s")
	if err != nil || d < 0 {
		return 0
	}
	return int64(d / time.Second)
}
