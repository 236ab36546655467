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
	lookUp   = time.Minute
	busyWait = time.Minute
)

// Watch is told what the loop does; any of its functions may be nil.
type Watch struct {
	Waiting  func(union string, next time.Time, why schedule.Why) // once for each new time
	Progress func(union string, r union.Result)                   // see [Agent.Sync]
	Synced   func(union string, r union.Result, err error)
}

// Run syncs every union in its slot until ctx ends, which is no error. A union is open only
// while it syncs, so that other commands can work meanwhile.
func (a *Agent) Run(ctx context.Context, w Watch) error {
	if _, err := a.Which(""); err != nil && syncproto.CodeOf(err) != syncproto.CodeWhichUnion {
		return err
	}
	return a.newLoop(w).run(ctx)
}

func (a *Agent) newLoop(w Watch) *loop {
	return &loop{a: a, w: w, try: a.Sync, at: a.clocks(), turns: map[string]*turn{}, before: a.loadHeartbeat()}
}

func (l *loop) run(ctx context.Context) error {
	l.beat(false)
	defer l.beat(true)
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
	try    func(ctx context.Context, code string, progress func(union.Result)) (union.Result, error) // [Agent.Sync]
	at     clocks                                                                                    // at the newest look
	turns  map[string]*turn
	before heartbeat // of the run before
	beaten time.Time // by the running time: when the note was written last
}

// step syncs the union that is due, or sleeps.
func (l *loop) step(ctx context.Context) error {
	code, err := l.look()
	if err != nil {
		return err
	}
	wait := lookUp
	if code != "" {
		next := l.turns[code].next
		if !next.After(l.at.wall) {
			l.sync(ctx, code)
			return nil
		}
		wait = min(wait, next.Sub(l.at.wall))
	}
	sleep(ctx, wait)
	return nil
}

// look reads clocks and notes and gives the union that is due first; empty: there is none.
func (l *loop) look() (first string, err error) {
	codes, err := l.a.Unions()
	if err != nil {
		return "", err
	}
	now := l.a.clocks()
	jump, passed := now.jumped(l.at), now.running.Sub(l.at.running)
	l.at = now
	for _, c := range codes {
		note, t := l.a.loadContact(c), l.turns[c]
		if t == nil {
			t = l.begin(c, note)
		} else if t.run(passed, note); jump != 0 {
			t.jump(now.wall, jump, unixTime(note.Complete))
		}
		l.decide(c, t, note)
		if first == "" || t.next.Before(l.turns[first].next) {
			first = c
		}
	}
	if now.running.Sub(l.beaten) >= heartbeatEvery {
		l.beat(false)
	}
	return first, nil
}

// begin is a union's first turn in this run. A clock that is behind what the run before saw,
// or behind the newest complete sync, was set back, or has forgotten the time: then nobody
// knows how long ago that sync was.
func (l *loop) begin(code string, note contact) *turn {
	t := &turn{awake: l.at.wall, tried: note.Tried, jitter: l.a.c.Jitter(), ran: time.Duration(l.before.Ran[code]) * time.Second}
	t.doubt = max(l.before.Seen, note.Complete) > l.at.wall.Unix()
	l.turns[code] = t
	return t
}

// decide works out when the union is synced next.
func (l *loop) decide(code string, t *turn, note contact) {
	t.next, t.why = schedule.Next(l.at.wall, t.state(note))
	if held := l.at.wall.Add(t.held.Sub(l.at.running)); !t.held.IsZero() && held.After(t.next) {
		t.next, t.why = held, schedule.Retry
	}
	// A catch-up of a clock that is set moves along with it: that is told once.
	if l.w.Waiting != nil && t.next.After(l.at.wall) && t.next.Sub(t.told).Abs() >= time.Second {
		t.told = t.next
		l.w.Waiting(code, t.next, t.why)
	}
}

func (l *loop) sync(ctx context.Context, code string) {
	r, err := l.try(ctx, code, func(r union.Result) {
		if l.w.Progress != nil {
			l.w.Progress(code, r)
		}
	})
	if ctx.Err() != nil {
		return
	}
	t := l.turns[code]
	if syncproto.CodeOf(err) == syncproto.CodeInUse && err != nil {
		t.held = time.Now().Add(busyWait) // somebody works with it: no failure
		return
	}
	t.ended(l.a.c.Jitter(), err == nil && r.Complete)
	if wait, asked := Asked(err); asked {
		l.a.c.Log.Info("the centre asked to come again", "union", code, "after", wait)
	} else if err != nil && !errors.Is(err, context.Canceled) {
		l.a.c.Log.Warn("sync failed", "union", code, "error", err)
	}
	if l.w.Synced != nil {
		l.w.Synced(code, r, err)
	}
}

// beat leaves a note that the loop runs, or that it has ended.
func (l *loop) beat(stopped bool) {
	now := l.a.clocks()
	h := heartbeat{Seen: now.wall.Unix(), Stopped: stopped, Ran: map[string]int64{}}
	if len(l.turns) == 0 { // it has just begun: what the run before counted still holds
		h.Ran = l.before.Ran
	}
	for code, t := range l.turns {
		h.Ran[code] = int64(t.ran / time.Second)
	}
	l.beaten = now.running
	l.a.saveHeartbeat(h)
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

// Next is when the union is synced next, and what it waits for, as far as can be told from
// outside of the loop: for a program that runs from now on.
func (a *Agent) Next(code string) (time.Time, schedule.Why) {
	now := a.clocks().wall
	note := a.loadContact(code)
	s := note.state(now, 0)
	s.Doubt = note.Complete > now.Unix()
	return schedule.Next(now, s)
}
