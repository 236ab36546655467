package census

import (
	"cmp"
	"slices"
)

// EventKind is what happens to a membership: the codes of the kind membership-event.
type EventKind uint8

// Kinds of events.
const (
	EventJoin        EventKind = 1 // 入会
	EventTransferIn  EventKind = 2 // 转入
	EventRetain      EventKind = 3 // 保留
	EventTransferOut EventKind = 4 // 转出
	EventExpel       EventKind = 5 // 除名
	EventLeave       EventKind = 6 // 退会
	EventDeath       EventKind = 7 // 死亡
	EventRestore     EventKind = 8 // 恢复
)

// Event is one membership event that counts.
type Event struct {
	Day    Day
	Kind   EventKind
	Inside bool // of a transfer out: its destination is a union of this city
}

// Stretch is a time in which a union has a person, from the first day up to, but not
// including, To.
type Stretch struct {
	From, To Day
	Transfer Day  // the first day in transfer (转移中); Open if there is none
	Retained bool // membership is kept but not counted (保留会籍)
}

// ending is what an event does to a stretch in force. Of several on one day the last of
// this list holds: what is more final.
type ending uint8

const (
	noEnding ending = iota
	endRetained
	endTransfer
	endGone
)

func (e Event) begins() bool {
	return e.Kind == EventJoin || e.Kind == EventTransferIn || e.Kind == EventRestore
}

func (e Event) ending() ending {
	switch e.Kind {
	case EventRetain:
		return endRetained
	case EventTransferOut:
		if e.Inside {
			return endTransfer
		}
		return endGone
	case EventExpel, EventLeave, EventDeath:
		return endGone
	}
	return noEnding
}

// Timeline gives the stretches that a union's events about one person make, in order. It
// depends on the set of events only.
//
// An event takes effect on its day: a beginning counts that day, an ending no longer does.
// So the number on a day's evening follows from the number on the evening before and the
// events of that day, and a transfer out and in on one day leave no gap and no overlap.
//
// Every beginning starts a stretch of its own, also where one is in force already. On one
// day, who is in goes out before coming in, and who is out comes in before going out.
func Timeline(events []Event) []Stretch {
	events = slices.Clone(events)
	slices.SortFunc(events, func(a, b Event) int { return cmp.Compare(a.Day, b.Day) })
	var t timeline
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].Day == events[0].Day {
			n++
		}
		t.day(events[0].Day, events[:n])
		events = events[n:]
	}
	t.close(Open)
	return t.out
}

// timeline is the stretch in force while the days pass, if open.
type timeline struct {
	out  []Stretch
	cur  Stretch
	open bool
}

// day applies the events of one day.
func (t *timeline) day(d Day, events []Event) {
	begins, end := false, noEnding
	for _, e := range events {
		begins = begins || e.begins()
		end = max(end, e.ending())
	}
	if t.open && !t.cur.Retained {
		t.end(d, end)
		t.begin(d, begins)
	} else {
		t.begin(d, begins)
		t.end(d, end)
	}
}

func (t *timeline) begin(d Day, begins bool) {
	if begins {
		t.close(d)
		t.cur, t.open = Stretch{From: d, To: Open, Transfer: Open}, true
	}
}

// end ends the stretch in force. Without one only a retention does something: the union
// keeps a person of whose earlier membership it has no event.
func (t *timeline) end(d Day, end ending) {
	switch end {
	case endGone:
		t.close(d)
	case endTransfer:
		if t.open && t.cur.Retained {
			t.close(d)
		} else if t.open {
			t.cur.Transfer = min(t.cur.Transfer, d)
		}
	case endRetained:
		if !t.open || !t.cur.Retained {
			t.close(d)
			t.cur, t.open = Stretch{From: d, To: Open, Transfer: Open, Retained: true}, true
		}
	}
}

// close ends the stretch in force at d; one without a day is none.
func (t *timeline) close(d Day) {
	if t.open && t.cur.From < d {
		t.cur.To = d
		t.out = append(t.out, t.cur)
	}
	t.open = false
}
