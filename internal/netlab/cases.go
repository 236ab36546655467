package main

import (
	"fmt"
	"time"
)

// Speeds in bytes a second.
const (
	baud9600 = 1200
	kbit64   = 8000
)

// cut is how often the bad lines are cut.
const cut = 20 * time.Second

// badLine is one case. What depends on how much a night is comes from the bytes that a good
// line carried.
type badLine struct {
	name  string
	wire  quality
	relay func(clean int64) trouble // nil: none
}

// cleanName is the case that the others are compared with.
const cleanName = "clean"

// lines are all cases. Cuts begin in the middle of the night, or a fast line would have
// carried it before the first.
var lines = []badLine{
	{name: cleanName},
	{name: "9.6kbit", wire: quality{Rate: baud9600, Delay: 150 * time.Millisecond}},
	{name: "loss-30", wire: quality{Loss: 0.3, Delay: 25 * time.Millisecond}},
	{name: "cut-20s", relay: cutEvery(cut)},
	{
		name: "64kbit-loss-10-cut-20s", wire: quality{Rate: kbit64, Loss: 0.1, Delay: 25 * time.Millisecond},
		relay: cutEvery(cut),
	},
	{name: "9.6kbit-cut-20s", wire: quality{Rate: baud9600, Delay: 150 * time.Millisecond}, relay: cutEvery(cut)},
	{name: "cut-8kB", relay: func(int64) trouble { return trouble{CutAfter: 8 << 10} }},
	{name: "stall", relay: func(clean int64) trouble { return trouble{Stall: clean / 2} }},
}

func cutEvery(d time.Duration) func(int64) trouble {
	return func(clean int64) trouble { return trouble{CutEvery: d, CutFrom: clean / 2} }
}

// print gives a case's line.
func (l badLine) print(r, clean result) string {
	return fmt.Sprintf("%s %.1f %d %d %d %.2f", l.name, r.took.Seconds(), r.cuts, r.syncs, r.bytes, float64(r.bytes)/float64(clean.bytes))
}
