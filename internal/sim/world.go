package sim

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Options say which world is played.
type Options struct {
	Seed     uint64
	Unions   int    // in the city; 1 to 4 keep a world quick
	Nights   int    // played, over 365 if need be
	Dir      string // an empty folder, best in memory; removed by whoever made it
	Features Features
	City     bool      // three weeks with a restore in them, see city.go: Nights does not count
	Trace    io.Writer // nil: only the hash is kept
}

// Violation is one invariant that did not hold.
type Violation struct {
	Night int
	What  string // begins with the invariant, as in "I3"
}

// Result is what came of a world.
type Result struct {
	Seed       uint64
	Nights     int // union-nights: unions times nights
	Faults     int
	Violations []Violation
	Hash       string         // of the trace
	Events     map[string]int // how often what happened
}

// world is one city with its PCs.
type world struct {
	o                      Options
	dir                    string
	habits                 habits
	dice, togetherDice     dice
	kinds                  *kind.Set
	now                    time.Time
	night                  int
	centre                 *centre
	pcs                    []*pc
	codes                  []string // of the unions
	late                   []*letter
	meanwhile              int             // exchanges within other PCs' requests
	exchanging             map[string]bool // ids of devices that exchange now
	sticks                 []*stick
	newcomers, revocations int
	newer                  *kind.Set // published later; nil: not yet
	newerFile              kind.File
	silent                 *silent // the centre went back without saying so
	troubled               bool    // since the last time of peace the centre was silent about something
	trace                  *trace
	oracle                 *oracle
	bad                    []Violation
	faults                 int
	events                 map[string]int
	people                 int // members invented so far
	peace                  bool
	city                   *city // nil: a world of the other shape
}

// begin is the first evening: winter, so that nobody's daylight saving comes in.
var begin = time.Date(2026, 1, 1, 20, 0, 0, 0, time.FixedZone("CST", 8*60*60))

// errOver ends a world at its first violation.
var errOver = errors.New("an invariant does not hold")

// Run plays a world from founding to its last check. The error is of the simulation itself,
// not of the product; what the product does wrong is in the result.
func Run(o Options) (Result, error) {
	w := &world{
		o: o, dir: o.Dir, dice: roll(o.Seed, "world"), togetherDice: roll(o.Seed, "together"), kinds: kind.Embedded(), now: begin,
		trace: newTrace(o.Trace), oracle: newOracle(), events: map[string]int{}, exchanging: map[string]bool{},
	}
	w.habits = newHabits(roll(o.Seed, "habits"), o.Features)
	w.trace.line("habits %+v", w.habits)
	play := w.play
	if o.City {
		play = w.playCity
	}
	err := play()
	err = errors.Join(err, w.close())
	if errors.Is(err, errOver) && len(w.bad) > 0 {
		err = nil
	}
	return Result{Seed: o.Seed, Nights: w.night * o.Unions, Faults: w.faults, Violations: w.bad, Hash: w.trace.hash(), Events: w.events}, err
}

func (w *world) play() error {
	if err := w.found(); err != nil {
		return err
	}
	next := w.dice.between(5, 40)
	for w.night = 1; w.night <= w.o.Nights; w.night++ {
		w.now = w.now.Add(24 * time.Hour)
		if err := w.aNight(); err != nil {
			return err
		}
		if next--; next <= 0 || w.night == w.o.Nights {
			next = w.dice.between(10, 180)
			if err := w.rest(); err != nil {
				return err
			}
		}
	}
	w.night--
	return nil
}

// found makes the city, its PCs and their first exchange.
func (w *world) found() (err error) {
	if _, err = newCentre(w); err != nil {
		return err
	}
	for i := range w.o.Unions {
		w.codes = append(w.codes, fmt.Sprintf("U%02d", i+1))
	}
	for i, code := range w.codes {
		pcs := []int{1, 1, 2, 2, 3}
		if w.city != nil {
			pcs = []int{2}
		}
		for k := range one(w.dice, pcs) {
			unions := []string{code}
			if k == 0 && i > 0 && w.dice.chance(0.3) {
				unions = append(unions, w.codes[i-1])
			}
			if err := w.newPC(fmt.Sprintf("pc%d%c", i+1, 'a'+k), unions); err != nil {
				return err
			}
		}
	}
	if err := w.newCounting(); err != nil {
		return err
	}
	return w.centre.backUp()
}

// aNight is what happens from one evening to the next, in an order of its own each night.
func (w *world) aNight() error {
	acts := []func() error{w.atTheCentre, w.lateLetters, w.carry, w.newcomer, w.revoke, w.publish}
	for _, p := range slices.Clone(w.pcs) {
		acts = append(acts, p.day)
	}
	w.dice.Shuffle(len(acts), func(i, j int) { acts[i], acts[j] = acts[j], acts[i] })
	for _, act := range acts {
		if err := act(); err != nil {
			return err
		}
	}
	return nil
}

// fault counts something that went wrong by intent.
func (w *world) fault(what string) {
	w.faults++
	w.events[what]++
}

func (w *world) note(what string) { w.events[what]++ }

// clock is the centre's clock.
func (w *world) clock() time.Time { return w.now }

// violate notes that an invariant does not hold, and ends the world.
func (w *world) violate(format string, args ...any) error {
	v := Violation{Night: w.night, What: fmt.Sprintf(format, args...)}
	w.bad = append(w.bad, v)
	w.trace.line("!! night %d: %s", v.Night, v.What)
	return errOver
}

func (w *world) seats() (out []*seat) {
	for _, p := range w.pcs {
		out = append(out, p.seats...)
	}
	return out
}

func (w *world) close() (err error) {
	for _, s := range w.seats() {
		if s.u != nil {
			err = errors.Join(err, s.u.Close())
		}
	}
	if w.centre != nil {
		err = errors.Join(err, w.centre.close())
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}

// sortedDots gives the keys of a map in an order that is always the same.
func sortedDots[V any](m map[syncproto.Dot]V) []syncproto.Dot {
	return slices.SortedFunc(maps.Keys(m), syncproto.Dot.Compare)
}
