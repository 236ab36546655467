package schedule

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var zone = time.FixedZone("CST", 8*3600)

func at(day, hour, minute int) time.Time {
	return time.Date(2026, 6, day, hour, minute, 0, 0, zone)
}

var night = Slot{Minute: 23*60 + 17, WindowStart: 22 * 60, WindowEnd: 5 * 60}

func TestNext(t *testing.T) {
	morning := at(2, 8, 30)
	for _, row := range []struct {
		why   string
		now   time.Time
		state State
		want  time.Time
	}{
		{"synced last night: the next slot", morning, State{Slot: night, Complete: at(1, 23, 18), Awake: at(1, 8, 0)}, at(2, 23, 17)},
		{"synced by hand an hour ago: the slot all the same", at(2, 22, 30), State{Slot: night, Complete: at(2, 21, 30), Awake: morning}, at(2, 23, 17)},
		{"slot over midnight: it belongs to the day in which it stands", at(2, 1, 0), State{Slot: Slot{Minute: 30, WindowStart: 22 * 60, WindowEnd: 300}, Complete: at(1, 23, 0), Awake: at(1, 8, 0)}, at(2, 0, 30)},
		{"never synced: soon after the start", morning, State{Slot: night, Awake: morning}, at(2, 8, 31)},
		{"never synced, with jitter: a quarter of an hour apart", morning, State{Slot: night, Awake: morning, Jitter: 0.5}, at(2, 8, 31).Add(7*time.Minute + 30*time.Second)},
		{"off during the slot: soon after the start", morning, State{Slot: night, Complete: at(1, 17, 0), Awake: morning}, at(2, 8, 31)},
		{"off for weeks", at(30, 8, 0), State{Slot: night, Complete: at(1, 23, 20), Awake: at(30, 8, 0)}, at(30, 8, 1)},
		{"on during the slot, and it is due now", at(2, 23, 18), State{Slot: night, Complete: at(1, 23, 18), Awake: morning}, at(2, 23, 17)},
		{"first failure: after half a minute at least", at(2, 23, 18), State{Slot: night, Complete: at(1, 23, 18), Awake: morning, Tried: at(2, 23, 18), Failures: 1}, at(2, 23, 18).Add(30 * time.Second)},
		{"third failure: four minutes, the upper half of it by lot", at(2, 23, 30), State{Slot: night, Complete: at(1, 23, 18), Awake: morning, Tried: at(2, 23, 30), Failures: 3, Jitter: 0.5}, at(2, 23, 33)},
		{"many failures at night: half an hour at most", at(2, 23, 50), State{Slot: night, Complete: at(1, 23, 18), Awake: morning, Tried: at(2, 23, 50), Failures: 40, Jitter: 0.999999999}, at(3, 0, 20).Add(-900 * time.Nanosecond)},
		{"many failures by day: two hours at most", at(3, 9, 0), State{Slot: night, Complete: at(1, 23, 18), Awake: morning, Tried: at(3, 9, 0), Failures: 40}, at(3, 10, 0)},
		{"the centre asked for ten minutes", at(2, 23, 18), State{Slot: night, Complete: at(1, 23, 18), Awake: morning, Tried: at(2, 23, 18), Failures: 1, Wait: 10 * time.Minute}, at(2, 23, 28)},
		{"many were asked for ten minutes: they come back apart", at(2, 23, 18), State{Slot: night, Complete: at(1, 23, 18), Awake: morning, Tried: at(2, 23, 18), Failures: 1, Wait: 10 * time.Minute, Jitter: 0.5}, at(2, 23, 30).Add(30 * time.Second)},
		{"the centre asked for a year: it cannot", at(2, 23, 18), State{Slot: night, Complete: at(1, 23, 18), Awake: morning, Tried: at(2, 23, 18), Failures: 1, Wait: 9000 * time.Hour}, at(3, 1, 18)},
		{"a failure before the slot does not bring it forward", at(2, 12, 0), State{Slot: night, Complete: at(1, 23, 18), Awake: morning, Tried: at(2, 12, 0), Failures: 1}, at(2, 23, 17)},
		{"the clock was set back by a year: nothing is known, so catch up", morning, State{Slot: night, Complete: at(2, 8, 0).AddDate(1, 0, 0), Tried: at(2, 8, 0).AddDate(1, 0, 0), Failures: 9, Awake: at(2, 8, 0).AddDate(1, 0, 0)}, at(2, 8, 31)},
		{"the clock was corrected by a minute", at(2, 23, 17), State{Slot: night, Complete: at(2, 23, 18), Awake: morning}, at(3, 23, 17)},
		{"the centre told no slot", morning, State{Complete: at(1, 23, 18), Awake: at(1, 8, 0)}, at(2, 22, 0)},
		{"a slot outside the window: its start", morning, State{Slot: Slot{Minute: 720, WindowStart: 1320, WindowEnd: 300}, Complete: at(1, 23, 18), Awake: at(1, 8, 0)}, at(2, 22, 0)},
		{"a slot that is no time of day", morning, State{Slot: Slot{Minute: 7000, WindowStart: 1, WindowEnd: 2}, Complete: at(1, 23, 18), Awake: at(1, 8, 0)}, at(2, 22, 0)},
		{"a window of the whole day", morning, State{Slot: Slot{Minute: 720}, Complete: at(1, 23, 18), Awake: at(1, 8, 0)}, at(2, 12, 0)},
	} {
		if got, _ := Next(row.now, row.state); !got.Equal(row.want) {
			t.Errorf("%s: %s, want %s", row.why, got, row.want)
		}
	}
}

// TestNextIsNeverFar: whatever the files say and the clock does, a sync comes within a day
// and a bit; and waiting for it does not move it away.
func TestNextIsNeverFar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minutes := rapid.IntRange(-100*24*60, 100*24*60)
		now := at(15, 12, 0)
		when := func(name string) time.Time {
			if rapid.Bool().Draw(t, name+" known") {
				return now.Add(time.Duration(minutes.Draw(t, name)) * time.Minute)
			}
			return time.Time{}
		}
		m := rapid.IntRange(-10, 2000)
		s := State{
			Slot:     Slot{Minute: m.Draw(t, "minute"), WindowStart: m.Draw(t, "start"), WindowEnd: m.Draw(t, "end")},
			Complete: when("complete"), Tried: when("tried"), Awake: now.Add(-time.Duration(rapid.IntRange(0, 100000).Draw(t, "awake")) * time.Minute),
			Failures: rapid.IntRange(0, 100).Draw(t, "failures"), Jitter: rapid.Float64Range(0, 0.999).Draw(t, "jitter"),
			Wait: time.Duration(rapid.IntRange(0, 10000).Draw(t, "wait")) * time.Minute,
		}
		next, _ := Next(now, s)
		if next.After(now.Add(24*time.Hour + backoffDay + tolerance)) {
			t.Fatalf("now %s, next %s", now, next)
		}
		if !next.After(now) || s.Complete.After(now) || s.Tried.After(now) {
			return // due, or by notes that only become credible while waiting
		}
		half := now.Add(next.Sub(now) / 2)
		if again, _ := Next(half, s); again.Sub(next) > backoffDay {
			t.Fatalf("at %s: %s; at %s: %s", now, next, half, again)
		}
	})
}
