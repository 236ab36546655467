package agent

import (
	"context"
	"errors"
	"time"

	"unionsync/agent/schedule"
	"unionsync/agent/union"
	"unionsync/syncproto"
)

// Bounds of the loop's sleep. It looks up at least once in lookUp: a PC that was in standby
// or whose clock was set shows then, and so does a sync that was made by hand.
const (
	lookUp     = time.Minute
	busyWait   = time.Minute
	standbyGap = 2 * time.Minute
)

// Watch is told what the loop does; any of its functions may be nil.
type Watch struct {
	Waiting func(union string, next time.Time) // once for each new time
	Synced  func(union string, r union.Result, err error)
}

// Run syncs every union in its slot until ctx ends, which is no error. A union is open only
// while it syncs, so that other commands can work meanwhile.
func (a *Agent) Run(ctx context.Context, w Watch) error {
	if _, err := a.Which(""); err != nil && syncproto.CodeOf(err) != syncproto.CodeWhichUnion {
		return err
	}
	l := &loop{a: a, w: w, awake: a.c.Now(), told: map[string]time.Time{}, held: map[string]time.Time{}, jitter: map[string]float64{}}
	for ctx.Err() == nil {
		if err := l.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// loop is one run of [Agent.Run].
type loop struct {
	a      *Agent
	w      Watch
	awake  time.Time
	told   map[string]time.Time // the time of the next sync as it was told last
	held   map[string]time.Time // not before
	jitter map[string]float64   // drawn anew after each try
}

// step syncs the union that is due, or sleeps.
func (l *loop) step(ctx context.Context) error {
	code, next, err := l.first()
	if err != nil {
		return err
	}
	now := l.a.c.Now()
	if code != "" && !next.After(now) {
		l.sync(ctx, code)
		return nil
	}
	wait := lookUp
	if code != "" {
		wait = min(wait, next.Sub(now))
	}
	if !sleep(ctx, wait) {
		return nil
	}
	if l.a.c.Now().Sub(now) > wait+standbyGap {
		l.awake = l.a.c.Now() // it was in standby: many were, and must not all come at once
	}
	return nil
}

// first gives the union that is due first, and when.
func (l *loop) first() (code string, at time.Time, err error) {
	codes, err := l.a.Unions()
	if err != nil {
		return "", at, err
	}
	for _, c := range codes {
		if _, ok := l.jitter[c]; !ok {
			l.jitter[c] = l.a.c.Jitter()
		}
		next := schedule.Next(l.a.c.Now(), l.a.loadContact(c).state(l.awake, l.jitter[c]))
		if l.held[c].After(next) {
			next = l.held[c]
		}
		if l.w.Waiting != nil && next.After(l.a.c.Now()) && !next.Equal(l.told[c]) {
			l.told[c] = next
			l.w.Waiting(c, next)
		}
		if code == "" || next.Before(at) {
			code, at = c, next
		}
	}
	return code, at, nil
}

func (l *loop) sync(ctx context.Context, code string) {
	r, err := l.a.Sync(ctx, code, nil)
	if ctx.Err() != nil {
		return
	}
	delete(l.jitter, code)
	// Whatever the note says, and if it could not be written: never at once again.
	if err != nil || !r.Complete {
		l.held[code] = l.a.c.Now().Add(busyWait / 2)
	}
	if syncproto.CodeOf(err) == syncproto.CodeInUse && err != nil {
		l.held[code] = l.a.c.Now().Add(busyWait) // somebody works with it: no failure
		return
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		l.a.c.Log.Warn("sync failed", "union", code, "error", err)
	}
	if l.w.Synced != nil {
		l.w.Synced(code, r, err)
	}
}

// sleep waits; it tells false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Next is when the union would be synced by a program that runs from now on.
func (a *Agent) Next(code string) time.Time {
	now := a.c.Now()
	return schedule.Next(now, a.loadContact(code).state(now, 0))
}
