package sim

import (
	"maps"
	"slices"
	"strings"
)

// Features are what may happen in a world. What the product does not do yet is left out.
type Features struct {
	Images    bool // PCs put back to an old copy, or cloned
	Crash     bool // power cuts in the middle of writes, damaged frames
	Restore   bool // the centre is restored from a backup
	Amnesia   bool // by an operator who does not look at the list of lives
	Silent    bool // the centre goes back without saying so
	Hold      bool // the centre holds changes
	Accept    bool // staff accept and drop held changes
	Bundles   bool // by stick
	Newcomers bool // PCs that are enrolled later
	Kinds     bool
	Revoke    bool
	Cases     bool // doubts have cases
	Census    bool // counts are compared
	Together  bool // one entry of the log carries several PCs' changes
}

// Full is everything that the product does.
func Full() Features {
	return Features{Images: true, Crash: true, Restore: true, Amnesia: true, Hold: true, Accept: true, Bundles: true, Newcomers: true, Kinds: true, Revoke: true, Cases: true, Census: true, Together: true}
}

// habits are how often things happen in one world, drawn anew for each: a world without any
// fault of one kind finds what a world full of it hides.
type habits struct {
	save, exchange, staff, off   float64 // each night
	fetch, event, void, decide   float64 // of saves
	lineFault, midway, stale     float64 // each round
	crash, restart, image, clock float64 // each night of a PC
	damage, full                 float64
	backup, restore, silent      float64 // each night of the centre
	hold, accept, amnesia        float64
	bundle, carry, newcomer      float64
	revoke, publish              float64
	poor, ruin                   float64 // each night of a PC
	together                     float64 // each time that changes come into the log
	lineBytes                    int     // the most that the line carries at once; 0: anything
}

// level is never, seldom or often: most worlds leave some kinds of faults out.
func (d dice) level(seldom, often float64) float64 {
	switch d.IntN(4) {
	case 0:
		return 0
	case 1:
		return often
	}
	return seldom
}

func newHabits(d dice, f Features) habits {
	on := func(feature bool, p float64) float64 {
		if !feature {
			return 0
		}
		return p
	}
	h := habits{
		save: 0.15 + 0.35*d.Float64(), exchange: 0.03 + 0.22*d.Float64(), staff: d.level(0.1, 0.7), off: d.level(0.05, 0.5),
		fetch: 0.1, event: 0.2, void: d.level(0.03, 0.1), decide: 0.5,
		lineFault: d.level(0.05, 0.5), midway: d.level(0.02, 0.2), stale: d.level(0.02, 0.2),
		crash: on(f.Crash, d.level(0.005, 0.05)), restart: d.level(0.003, 0.03), image: on(f.Images, d.level(0.005, 0.05)), clock: d.level(0.01, 0.1),
		damage: on(f.Crash, d.level(0.02, 0.2)), full: d.level(0.005, 0.05),
		backup: on(f.Restore, 0.2), restore: on(f.Restore, d.level(0.005, 0.05)), silent: on(f.Silent, d.level(0.005, 0.02)),
		hold: on(f.Hold, d.level(0.05, 0.25)), accept: on(f.Accept, d.level(0.2, 0.9)), amnesia: on(f.Amnesia, d.level(0.2, 0.5)),
		bundle: on(f.Bundles, d.level(0.03, 0.3)), carry: on(f.Bundles, 0.1+0.8*d.Float64()), newcomer: on(f.Newcomers, d.level(0.01, 0.03)),
		revoke: on(f.Revoke, d.level(0.003, 0.01)), publish: on(f.Kinds, d.level(0.02, 0.1)), poor: d.level(0.03, 0.3), ruin: on(f.Newcomers, d.level(0.002, 0.01)),
	}
	if d.chance(0.2) {
		h.lineBytes = d.between(6<<10, 40<<10)
	}
	h.together = on(f.Together, d.level(0.2, 0.8))
	return h
}

// ParseFeatures reads names joined by commas; "full" is all that the product does, and a
// name behind "-" is left out.
func ParseFeatures(s string) (Features, bool) {
	f := Full()
	by := f.names()
	for name := range strings.SplitSeq(s, ",") {
		bare, off := strings.CutPrefix(name, "-")
		switch p := by[bare]; {
		case name == "full" || name == "":
		case p == nil:
			return f, false
		default:
			*p = !off
		}
	}
	return f, true
}

func (f *Features) names() map[string]*bool {
	return map[string]*bool{
		"images": &f.Images, "crash": &f.Crash, "restore": &f.Restore, "amnesia": &f.Amnesia, "silent": &f.Silent, "hold": &f.Hold, "accept": &f.Accept,
		"bundles": &f.Bundles, "newcomers": &f.Newcomers, "kinds": &f.Kinds, "revoke": &f.Revoke, "cases": &f.Cases, "census": &f.Census, "together": &f.Together,
	}
}

// FeatureNames names all that may happen, in order.
func FeatureNames() []string { return slices.Sorted(maps.Keys(new(Features).names())) }

// Without leaves a feature out.
func (f *Features) Without(name string) {
	if p := f.names()[name]; p != nil {
		*p = false
	}
}
