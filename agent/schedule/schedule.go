// Package schedule decides when a PC syncs next: in the slot that the centre gave, within
// the night window; soon after the next start if the PC was off; with back-off after
// failures. It is pure: clock and random numbers come in, a time goes out. Whatever clock
// and notes say, a PC that runs is never further from its next sync than [Longest] of
// running time. It imports nothing of this project.
package schedule

import "time"

// Slot is when the centre wants this union, in minutes after local midnight.
type Slot struct {
	Minute      int `json:"minute"`
	WindowStart int `json:"window_start"`
	WindowEnd   int `json:"window_end"` // below WindowStart: the window goes over midnight
}

// Default is the slot of a union that the centre has told none.
var Default = Slot{Minute: 22 * 60, WindowStart: 20 * 60, WindowEnd: 6 * 60}

// State is what the decision depends on beside the clock.
type State struct {
	Slot     Slot
	Complete time.Time     // when the newest complete sync ended; zero: never
	Tried    time.Time     // when the newest sync ended, however it ended
	Failures int           // syncs in a row that did not become complete
	Wait     time.Duration // how long the centre asked to wait, with the newest failure
	Awake    time.Time     // since when this PC runs: program start, or end of a standby
	Doubt    bool          // the clock was set back since Complete was noted: how long ago that was is not known
	Ran      time.Duration // running time since the newest try, by a clock that nobody can set
	Jitter   float64       // drawn anew after each try, from [0, 1)
}

// Why says what a sync waits for.
type Why string

// Reasons for the time of the next sync.
const (
	InSlot  Why = "slot"     // the slot that the centre gave
	First   Why = "first"    // none was ever complete
	CatchUp Why = "catch-up" // the slot went by while the PC was off, or its clock cannot be believed
	Retry   Why = "retry"    // the newest one failed
	Asked   Why = "asked"    // the newest one failed, and the centre asked to wait
)

// Longest is how much running time there is between two tries at most: a day from slot to
// slot, and the longest delay behind it.
const Longest = 24*time.Hour + backoffDay

// Delays of a PC that has missed its slot: offices open at the same minute, so they spread.
const (
	catchUpAfter  = time.Minute
	catchUpSpread = 15 * time.Minute
)

// Back-off after failures. In the night window there is little time, by day little hurry.
const (
	backoffFirst = time.Minute
	backoffNight = 30 * time.Minute
	backoffDay   = 2 * time.Hour
)

// tolerance is how far a noted time may lie in the future before the clock must have been
// set back.
const tolerance = 10 * time.Minute

const minutesPerDay = 24 * 60

// Next gives the time of the next sync, now or earlier if it is due, and what it waits for.
// Equal arguments give equal times, so it may be asked as often as one likes.
func Next(now time.Time, s State) (time.Time, Why) {
	s = s.sound(now)
	due, dueWhy := s.due(now)
	if s.Failures == 0 {
		return due, dueWhy
	}
	wait, why, asked := s.backoff(now), Retry, s.asked()
	if asked >= wait {
		wait, why = asked, Asked
	}
	again := s.Tried.Add(wait)
	if due.After(again) { // mostly a slot that is still to come: by then the failure is history
		return due, dueWhy
	}
	return again, why
}

// sound leaves out times that a clock set back has put into the future.
func (s State) sound(now time.Time) State {
	limit := now.Add(tolerance)
	if s.Complete.After(limit) {
		s.Doubt = true
	}
	if s.Tried.After(limit) {
		s.Tried, s.Failures = time.Time{}, 0
	}
	if s.Awake.After(now) {
		s.Awake = now
	}
	s.Slot = s.Slot.valid()
	return s
}

func (l Slot) valid() Slot {
	for _, m := range []int{l.Minute, l.WindowStart, l.WindowEnd} {
		if m < 0 || m >= minutesPerDay {
			return Default
		}
	}
	if l == (Slot{}) {
		return Default
	}
	if !l.holds(l.Minute) {
		l.Minute = l.WindowStart
	}
	return l
}

// holds reports whether a minute of the day lies in the window. A window that ends where it
// starts is the whole day.
func (l Slot) holds(minute int) bool {
	if l.WindowStart == l.WindowEnd {
		return true
	}
	length := (l.WindowEnd - l.WindowStart + minutesPerDay) % minutesPerDay
	return (minute-l.WindowStart+minutesPerDay)%minutesPerDay < length
}

// due is when the next sync should be if none had failed: the first slot after the newest
// complete one, or a while after the PC woke if that slot has gone by meanwhile.
func (s State) due(now time.Time) (time.Time, Why) {
	catchUp := s.Awake.Add(catchUpAfter + time.Duration(s.Jitter*float64(catchUpSpread)))
	switch {
	case s.Ran >= Longest:
		return now, CatchUp
	case s.Complete.IsZero():
		return catchUp, First
	case s.Doubt:
		return catchUp, CatchUp
	}
	// Complete may lie a little ahead of a clock that was corrected.
	from := s.Complete
	if from.After(now) {
		from = now
	}
	if slot := s.Slot.after(from.In(now.Location())); !slot.Before(s.Awake) || slot.After(now) {
		return slot, InSlot
	}
	return catchUp, CatchUp
}

// after is the first time strictly after t at which the slot begins.
func (l Slot) after(t time.Time) time.Time {
	y, m, d := t.Date()
	for add := 0; ; add++ {
		slot := time.Date(y, m, d+add, l.Minute/60, l.Minute%60, 0, 0, t.Location())
		if slot.After(t) {
			return slot
		}
	}
}

// asked is how long the centre asked to wait, and up to half as long again: it may have
// asked many at the same moment.
func (s State) asked() time.Duration {
	asked := min(s.Wait, backoffDay)
	return asked + time.Duration(s.Jitter*float64(min(asked/2, backoffDay-asked)))
}

// backoff doubles with each failure up to a limit, and is spread over its upper half so
// that PCs which failed together do not come back together.
func (s State) backoff(now time.Time) time.Duration {
	limit := backoffDay
	if s.Slot.holds(now.Hour()*60 + now.Minute()) {
		limit = backoffNight
	}
	wait := backoffFirst
	for range s.Failures - 1 {
		if wait *= 2; wait >= limit {
			wait = limit
			break
		}
	}
	return wait/2 + time.Duration(s.Jitter*float64(wait/2))
}
