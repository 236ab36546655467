package agent_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"unionsync/agent"
	"unionsync/agent/union"
	"unionsync/agent/union/uniontest"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// watched is a PC whose loop is written down, inside a bubble of virtual time.
type watched struct {
	*home
	lines []string
}

// startLoop runs the loop for a while of virtual time and gives what it did, one line a
// sync, with the time since the start.
func (w *watched) startLoop(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	began := time.Now()
	a, err := agent.Open(agent.Config{Dir: w.dir, Timeout: time.Millisecond, Jitter: func() float64 { return 0 },
		Dial: func(*tls.Config, []string) (agent.Line, error) { return w.centre.Line(), nil }})
	if err != nil {
		w.t.Fatal(err)
	}
	err = a.Run(ctx, agent.Watch{Synced: func(code string, r union.Result, err error) {
		w.lines = append(w.lines, fmt.Sprintf("%s %s sent %d E%d", time.Since(began).Round(time.Second), code, r.Sent, codeOf(err)))
	}})
	if err != nil {
		w.t.Errorf("the loop ended with %v", err)
	}
}

func codeOf(err error) syncproto.Code {
	if err == nil {
		return 0
	}
	return syncproto.CodeOf(err)
}

func (w *watched) want(lines ...string) {
	w.t.Helper()
	if fmt.Sprint(w.lines) != fmt.Sprint(lines) {
		w.t.Errorf("the loop did\n%q, want\n%q", w.lines, lines)
	}
	w.lines = nil
}

// bubble runs a test in virtual time, from a midnight on; the zone is set so that
// the slot, 23:00 local, means the same everywhere.
func bubble(t *testing.T, do func(t *testing.T, w *watched)) {
	t.Helper()
	warmUp(t)
	old := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = old })
	synctest.Test(t, func(t *testing.T) {
		elapse(time.Until(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))) // bubbles begin in 2000
		w := &watched{home: newHome(t, 1)}
		w.enrol(unionA)
		do(t, w)
	})
}

// warmUp makes the store's compressors, which it shares in the whole process, outside of any
// bubble: what a bubble has made cannot be used in another.
func warmUp(t *testing.T) {
	t.Helper()
	h := newHome(t, 1)
	h.enrol(unionA)
	for range 2 {
		u, err := h.agent().Union("")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := uniontest.Members(context.Background(), u, int(u.Head().Seq), 1); err != nil {
			t.Fatal(err)
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRunNightly: three days, three syncs, each in the slot.
func TestRunNightly(t *testing.T) {
	bubble(t, func(_ *testing.T, w *watched) {
		w.startLoop(70 * time.Hour)
		w.want("23h0m0s 330702-00001 sent 0 E0", "47h0m0s 330702-00001 sent 0 E0")
	})
}

// TestRunLetsOthersWork: while the loop waits, other programs open the union; what they
// save goes at night.
func TestRunLetsOthersWork(t *testing.T) {
	bubble(t, func(t *testing.T, w *watched) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.startLoop(30 * time.Hour)
		}()
		time.AfterFunc(9*time.Hour, func() {
			u, err := w.agent().Union("")
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := uniontest.Members(context.Background(), u, 0, 2); err != nil {
				t.Error(err)
			}
			if err := u.Close(); err != nil {
				t.Error(err)
			}
		})
		<-done
		w.want("23h0m0s 330702-00001 sent 4 E0")
	})
}

// TestRunCatchesUp: a PC that was off at night syncs soon after the start.
func TestRunCatchesUp(t *testing.T) {
	bubble(t, func(_ *testing.T, w *watched) {
		elapse(32 * time.Hour) // eight in the morning of the second day
		w.startLoop(time.Hour)
		w.want("1m0s 330702-00001 sent 0 E0")
	})
}

// elapse lets virtual time pass.
func elapse(d time.Duration) { <-time.After(d) }

// TestRunBacksOff: failures are spaced out, the centre's own wish is heard, and a success
// ends them.
func TestRunBacksOff(t *testing.T) {
	bubble(t, func(_ *testing.T, w *watched) {
		n := 0
		w.centre.Fault = func(q *syncpb.Request, answered bool) error {
			if q == nil || answered {
				return nil
			}
			switch n++; n {
			case 1, 2, 3:
				return syncproto.Fail(syncproto.CodeUnreachable, "test", nil)
			case 4:
				return syncproto.Fail(syncproto.CodeBusy, "test", nil, "seconds", "1800")
			}
			return nil
		}
		w.startLoop(30 * time.Hour)
		w.want(
			"23h0m0s 330702-00001 sent 0 E512",
			"23h0m30s 330702-00001 sent 0 E512",
			"23h1m30s 330702-00001 sent 0 E512",
			"23h3m30s 330702-00001 sent 0 E513",
			"23h33m30s 330702-00001 sent 0 E0",
		)
	})
}

// TestRunWaitsForOthers: a union that somebody has open is no failure; the loop comes back.
func TestRunWaitsForOthers(t *testing.T) {
	bubble(t, func(t *testing.T, w *watched) {
		var u *union.Union
		time.AfterFunc(22*time.Hour+59*time.Minute, func() {
			var err error
			if u, err = w.agent().Union(""); err != nil {
				t.Error(err)
			}
		})
		time.AfterFunc(23*time.Hour+3*time.Minute, func() {
			if err := u.Close(); err != nil {
				t.Error(err)
			}
		})
		w.startLoop(30 * time.Hour)
		if len(w.lines) != 1 || w.lines[0] < "23h3m0s" || w.lines[0] > "23h5m" {
			t.Errorf("the loop did %q", w.lines)
		}
	})
}

// TestRunSurvivesItsNote: a note of the newest syncs that is damaged costs a sync that was
// not due, and nothing else; one that cannot be written does not make the loop race.
func TestRunSurvivesItsNote(t *testing.T) {
	bubble(t, func(t *testing.T, w *watched) {
		note := filepath.Join(w.dir, "unions", unionA, "agent.json")
		if err := os.WriteFile(note, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.startLoop(10 * time.Minute)
		w.want("1m0s 330702-00001 sent 0 E0")
		if err := os.Remove(note); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(note, 0o700); err != nil {
			t.Fatal(err)
		}
		w.startLoop(10 * time.Minute)
		if len(w.lines) == 0 || len(w.lines) > 20 {
			t.Errorf("%d syncs in ten minutes", len(w.lines))
		}
	})
}

// TestRunTwoUnions: each has its own slot and its own luck.
func TestRunTwoUnions(t *testing.T) {
	bubble(t, func(_ *testing.T, w *watched) {
		w.centre.Slot = &syncpb.Slot{Minute: 22*60 + 30, WindowStart: 22 * 60, WindowEnd: 5 * 60}
		w.enrol(unionB)
		w.centre.Slot = nil
		w.startLoop(24 * time.Hour)
		w.want("22h30m0s 330782-00001 sent 0 E0", "23h0m0s 330702-00001 sent 0 E0")
	})
}

func TestRunNeedsAUnion(t *testing.T) {
	h := newHome(t, 1)
	if err := h.agent().Run(context.Background(), agent.Watch{}); syncproto.CodeOf(err) != syncproto.CodeNotEnrolled {
		t.Errorf("%v", err)
	}
}

// TestRunResumes: a night's work whose line breaks after every round goes on where it was,
// soon after each break, and nothing goes twice.
func TestRunResumes(t *testing.T) {
	bubble(t, func(t *testing.T, w *watched) {
		u, err := w.agent().Union("")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := uniontest.Members(context.Background(), u, 0, 600); err != nil {
			t.Fatal(err)
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		carried, broken := 0, false
		w.centre.Fault = func(q *syncpb.Request, answered bool) error {
			if q == nil {
				return nil
			}
			if !answered {
				if broken = !broken; !broken {
					return syncproto.Fail(syncproto.CodeUnreachable, "test", nil)
				}
				for _, s := range q.GetBatch() {
					carried += len(s.GetChanges())
				}
			}
			return nil
		}
		w.startLoop(24 * time.Hour)
		sent := 0
		for _, l := range w.lines {
			var at, code string
			var n, e int
			if _, err := fmt.Sscanf(l, "%s %s sent %d E%d", &at, &code, &n, &e); err != nil {
				t.Fatal(err)
			}
			if d, err := time.ParseDuration(at); err != nil || d > 23*time.Hour+15*time.Minute {
				t.Errorf("late: %s", l)
			}
			sent += n
		}
		if sent != 1200 || carried != 1200 || len(w.lines) < 3 {
			t.Errorf("%d of 1200 changes, %d over the line\n%q", sent, carried, w.lines)
		}
	})
}

// slowLine takes a while for each round, and its bytes grow meanwhile.
type slowLine struct {
	agent.Line
	began time.Time
}

func (l *slowLine) Exchange(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	elapse(4*time.Second + time.Millisecond)
	return l.Line.Exchange(ctx, q)
}

func (l *slowLine) Bytes() (sent, received int64) {
	return int64(time.Since(l.began).Seconds()) * 1000, 7
}

// TestProgressInsideARound: on a slow line a round takes minutes; people see the bytes move.
func TestProgressInsideARound(t *testing.T) {
	bubble(t, func(t *testing.T, w *watched) {
		a, err := agent.Open(agent.Config{Dir: w.dir, Dial: func(*tls.Config, []string) (agent.Line, error) {
			return &slowLine{w.centre.Line(), time.Now()}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		u, err := a.Union("")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := uniontest.Members(context.Background(), u, 0, 3); err != nil {
			t.Fatal(err)
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		var told []string
		_, err = a.Sync(context.Background(), "", func(r union.Result) {
			told = append(told, fmt.Sprintf("%s %d/%d %d", r.Elapsed.Round(time.Second), r.Sent, r.Sent+r.Left, r.BytesSent))
		})
		want := "[0s 0/6 0 1s 0/6 1000 2s 0/6 2000 3s 0/6 3000 4s 0/6 4000 4s 6/6 4000]"
		if err != nil || fmt.Sprint(told) != want {
			t.Errorf("%v, %v, want %s", told, err, want)
		}
	})
}
