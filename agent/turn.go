package agent

import (
	"time"

	"unionsync/agent/schedule"
)

// turn is what the loop knows of one union's next sync beside the note on disk.
type turn struct {
	awake  time.Time     // since when the PC runs, as this union counts it
	doubt  bool          // the clock was set back since the newest complete sync
	tried  int64         // the newest try that the note told
	ran    time.Duration // running time since then
	jitter float64       // drawn anew after each try
	fails  int           // tries in a row of this run that did not become complete
	held   time.Time     // not before, by the clock that nobody can set; zero: at any time
	told   time.Time     // the time of the next sync as it was told last
	next   time.Time
	why    schedule.Why
}

// clocks are two readings at one moment: the wall clock, which people and time servers set
// and which goes on in standby, and the running time, which only grows.
type clocks struct{ wall, running time.Time }

func (a *Agent) clocks() clocks {
	// Round takes off the running time that time.Now adds, by which Go compares where it can:
	// then neither a clock that was set nor a standby would ever be seen.
	return clocks{wall: a.c.Now().Round(0), running: time.Now()}
}

// standbyGap is from where on a difference between the clocks is a standby, or a clock that
// was set, and no busy PC.
const standbyGap = 2 * time.Minute

// jumped is how far the wall clock went beyond the running time since before: a standby or
// a clock set forward, or below zero a clock set back; 0 if the two agree.
func (c clocks) jumped(before clocks) time.Duration {
	d := c.wall.Sub(before.wall) - c.running.Sub(before.running)
	if d.Abs() <= standbyGap {
		return 0
	}
	return d
}

// jump follows a wall clock that jumped to now. A union that does not wait for its slot
// keeps its delay, or a PC that naps every few minutes would never come to the end of it.
func (t *turn) jump(now time.Time, by time.Duration, complete time.Time) {
	if t.awake = t.awake.Add(by); t.why == schedule.InSlot {
		t.awake = now
	}
	if by < 0 && complete.After(now) {
		t.doubt = true
	}
}

// run counts running time, and forgets what a newer try has settled.
func (t *turn) run(d time.Duration, note contact) {
	if t.ran += d; note.Tried == t.tried {
		return
	}
	t.tried, t.ran = note.Tried, 0
	t.doubt = t.doubt && note.Failures > 0
}

// state is what the schedule decides by.
func (t *turn) state(note contact) schedule.State {
	s := note.state(t.awake, t.jitter)
	s.Doubt, s.Ran = t.doubt, t.ran
	return s
}

// ended follows a try. Whatever the note says, and if it could not be written: none is ever
// made again at once. (A clock that begins anew at each start can give two tries the very
// same second, so that the note looks as it did before.)
func (t *turn) ended(jitter float64, complete bool) {
	t.jitter, t.ran = jitter, 0
	t.held = time.Now().Add(min(heldFirst<<min(t.fails, 16), heldMost))
	if t.fails++; complete {
		t.fails, t.doubt = 0, false
	}
}

// How long the loop itself waits after a try at least; it doubles with each failure.
const (
	heldFirst = 30 * time.Second
	heldMost  = 15 * time.Minute
)
