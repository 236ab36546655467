package census

import (
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestTimeline(t *testing.T) {
	join := func(d Day) Event { return Event{Day: d, Kind: EventJoin} }
	in := func(d Day) Event { return Event{Day: d, Kind: EventTransferIn} }
	out := func(d Day, inside bool) Event { return Event{Day: d, Kind: EventTransferOut, Inside: inside} }
	ev := func(d Day, k EventKind) Event { return Event{Day: d, Kind: k} }
	member := func(from, to Day) Stretch { return Stretch{From: from, To: to, Transfer: Open} }
	leaving := func(from, leaves, to Day) Stretch { return Stretch{From: from, To: to, Transfer: leaves} }
	kept := func(from, to Day) Stretch { return Stretch{From: from, To: to, Transfer: Open, Retained: true} }
	for _, c := range []struct {
		why    string
		events []Event
		want   []Stretch
	}{
		{"nothing happened", nil, nil},
		{"joined and still there", []Event{join(10)}, []Stretch{member(10, Open)}},
		{"left on day 20: a member through day 19", []Event{join(10), ev(20, EventLeave)}, []Stretch{member(10, 20)}},
		{"expelled", []Event{join(10), ev(20, EventExpel)}, []Stretch{member(10, 20)}},
		{"died", []Event{join(10), ev(20, EventDeath)}, []Stretch{member(10, 20)}},
		{"to another city: ends on its day", []Event{join(10), out(20, false)}, []Stretch{member(10, 20)}},
		{"inside the city: goes on, in transfer", []Event{join(10), out(20, true)}, []Stretch{leaving(10, 20, Open)}},
		{"a second transfer out changes nothing", []Event{join(10), out(20, true), out(25, true)}, []Stretch{leaving(10, 20, Open)}},
		{"it went outside after all", []Event{join(10), out(20, true), out(25, false)}, []Stretch{leaving(10, 20, 25)}},
		{"died while in transfer", []Event{join(10), out(20, true), ev(30, EventDeath)}, []Stretch{leaving(10, 20, 30)}},
		{"came back from the transfer", []Event{join(10), out(20, true), in(30)}, []Stretch{leaving(10, 20, 30), member(30, Open)}},
		{"retained and restored", []Event{join(10), ev(20, EventRetain), ev(30, EventRestore)},
			[]Stretch{member(10, 20), kept(20, 30), member(30, Open)}},
		{"retained twice: the first stands", []Event{join(10), ev(20, EventRetain), ev(25, EventRetain)}, []Stretch{member(10, 20), kept(20, Open)}},
		{"retained, then a transfer out: not counted, so not in transfer", []Event{join(10), ev(20, EventRetain), out(30, true)},
			[]Stretch{member(10, 20), kept(20, 30)}},
		{"retained without a beginning: the union keeps an old member", []Event{ev(20, EventRetain)}, []Stretch{kept(20, Open)}},
		{"an end without a beginning is nothing", []Event{ev(20, EventLeave), out(21, true), ev(22, EventDeath)}, nil},
		{"two beginnings: the second starts a stretch of its own", []Event{join(10), in(20)}, []Stretch{member(10, 20), member(20, Open)}},
		{"the same beginning twice", []Event{join(10), join(10)}, []Stretch{member(10, Open)}},
		{"joined and left on one day: never a member", []Event{join(10), ev(10, EventLeave)}, nil},
		{"a member who leaves and joins on one day is in", []Event{join(1), ev(10, EventLeave), join(10)}, []Stretch{member(1, 10), member(10, Open)}},
		{"joined and moved on in one month of unknown days", []Event{join(10), out(10, true)}, []Stretch{leaving(10, 10, Open)}},
		{"retained and restored in one month: in, as before", []Event{join(1), ev(10, EventRetain), ev(10, EventRestore)},
			[]Stretch{member(1, 10), member(10, Open)}},
		{"restored and retained on one day: retained, as before", []Event{join(1), ev(5, EventRetain), ev(10, EventRestore), ev(10, EventRetain)},
			[]Stretch{member(1, 5), kept(5, 10), kept(10, Open)}},
		{"two endings on one day: the more final holds", []Event{join(1), ev(10, EventRetain), out(10, true), ev(10, EventDeath)}, []Stretch{member(1, 10)}},
		{"retention and transfer on one day: in transfer", []Event{join(1), ev(10, EventRetain), out(10, true)}, []Stretch{leaving(1, 10, Open)}},
		{"inside and outside on one day: outside", []Event{join(1), out(10, true), out(10, false)}, []Stretch{member(1, 10)}},
	} {
		for _, events := range [][]Event{c.events, reversed(c.events)} {
			if diff := gocmp.Diff(c.want, Timeline(events)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", c.why, diff)
			}
		}
	}
}

func reversed[T any](s []T) []T {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}
