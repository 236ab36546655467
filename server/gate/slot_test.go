package gate

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSlots: every union has one minute, always the same, in the night, and all together
// are spread evenly enough for the centre.
func TestSlots(t *testing.T) {
	const unions, night = 12_040, 600
	g := &Gate{cfg: Config{Window: Window{Start: 20 * 60, End: 6 * 60}}}
	perMinute := map[uint32]int{}
	for i := range unions {
		union := fmt.Sprintf("3307%08d", i)
		s := g.slot(union)
		if again := g.slot(union); again.GetMinute() != s.GetMinute() {
			t.Fatal("a union's slot moves")
		}
		if m := s.GetMinute(); m >= 6*60 && m < 20*60 {
			t.Fatalf("minute %d is in the day", m)
		}
		perMinute[s.GetMinute()]++
	}
	most := 0
	for _, n := range perMinute {
		most = max(most, n)
	}
	if len(perMinute) != night || most > 3*unions/night {
		t.Fatalf("%d minutes are used, %d unions in the fullest", len(perMinute), most)
	}
}

// TestSlotInAnyWindow: whatever window an operator sets, the slot is in it.
func TestSlotInAnyWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Window{Start: rapid.IntRange(0, minutesPerDay-1).Draw(t, "start"), End: rapid.IntRange(0, minutesPerDay-1).Draw(t, "end")}
		g := &Gate{cfg: Config{Window: w}}
		m := int(g.slot(rapid.String().Draw(t, "union")).GetMinute())
		after := (m - w.Start + minutesPerDay) % minutesPerDay
		length := (w.End - w.Start + minutesPerDay) % minutesPerDay
		if m >= minutesPerDay || length > 0 && after >= length {
			t.Fatalf("minute %d is not in %+v", m, w)
		}
	})
}

// TestSlotIsPermanent: a restart or another node must not send 12,040 PCs elsewhere.
func TestSlotIsPermanent(t *testing.T) {
	g := &Gate{cfg: Config{Window: Window{Start: 20 * 60, End: 6 * 60}}}
	var got []uint32
	for _, u := range []string{"1", "3307020001", "A-b"} {
		got = append(got, g.slot(u).GetMinute())
	}
	if want := []uint32{4, 279, 1395}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
}
