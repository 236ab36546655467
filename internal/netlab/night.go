package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// size is how much an office has.
type size struct {
	roster int // members that the centre has already
	edited int // of those, edited by day
	fresh  int // new members of the day, each with a joining event
}

// fullNight is 200 changes.
var fullNight = size{roster: 120, edited: 100, fresh: 50}

// work is how many changes a night delivers, saved how many there are after it.
func (s size) work() int  { return s.edited + perMember*s.fresh }
func (s size) saved() int { return perMember*s.roster + s.work() }

const (
	perMember   = 2                      // changes: a new member, and the event of joining
	maxSyncs    = 40                     // that a night may begin
	againAfter  = 500 * time.Millisecond // instead of the schedule's back-off
	costFactor  = 1.3
	phoneOfEdit = 13900000000
)

// Exit statuses of a sync that a bad line may end: the centre is not reached, or says that it
// is busy.
var lineStatuses = []int{0, 4, 8}

// office is a union's PC with its roster.
type office struct {
	*proc.Agent
	size   size
	roster *testcity.Roster
	in     func(func() error) error // runs a job where the PC stands
}

// newOffice enrols a PC and delivers its roster, over a line that is still good.
func newOffice(ctx context.Context, programs proc.Programs, centre *proc.Node, dir string, r *testcity.Roster,
	size size, url string, in func(func() error) error,
) (*office, error) {
	code, err := centre.Code(ctx, r.Union)
	if err != nil {
		return nil, err
	}
	o := &office{Agent: proc.NewAgent(programs, r.Union, filepath.Join(dir, "pc")), size: size, roster: r, in: in}
	if err := in(func() error { return o.Enrol(ctx, url, code) }); err != nil {
		return nil, err
	}
	if err := o.enter(ctx, filepath.Join(dir, "roster.csv"), r.Rows[:size.roster], perMember*size.roster); err != nil {
		return nil, err
	}
	one, err := o.sync(ctx)
	if err == nil && (one.Sent != perMember*size.roster || !one.Equal) {
		err = fmt.Errorf("the roster was not delivered: %+v", one.Synced)
	}
	return o, err
}

// enter imports rows, and checks how many changes are waiting then.
func (o *office) enter(ctx context.Context, file string, rows []testcity.Row, changes int) error {
	of := testcity.Roster{Union: o.Union, Rows: rows}
	b, err := testcity.Encode(of.Table(), testcity.CSV)
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write a roster: %w", err)
	}
	if _, err := o.Import(ctx, file, true); err != nil {
		return err
	}
	s, err := o.Status(ctx)
	if err == nil && s.Waiting != changes {
		err = fmt.Errorf("%s: %d changes wait, want %d", o.Union, s.Waiting, changes)
	}
	return err
}

// work saves what a night has to deliver.
func (o *office) work(ctx context.Context, dir string) error {
	var rows []testcity.Row
	for i, r := range o.roster.Rows[:o.size.edited] {
		r.Phone = fmt.Sprint(phoneOfEdit + i)
		rows = append(rows, r)
	}
	rows = append(rows, o.roster.Rows[o.size.roster:o.size.roster+o.size.fresh]...)
	return o.enter(ctx, filepath.Join(dir, "night.csv"), rows, o.size.work())
}

// tried is a sync that may have been cut.
type tried struct {
	proc.Synced
	status int
	why    string
}

// sync begins a sync once.
func (o *office) sync(ctx context.Context) (one tried, err error) {
	var r proc.Result
	if err := o.in(func() (err error) { r, err = o.Run(ctx, "sync"); return err }); err != nil {
		return one, err
	}
	if err := r.Want(lineStatuses...); err != nil {
		return one, err
	}
	var all []proc.Synced
	if err := r.Read(&all); err != nil {
		return one, err
	}
	if len(all) != 1 {
		return one, fmt.Errorf("%s: %d unions in the answer", r.Command, len(all))
	}
	return tried{Synced: all[0], status: r.Status, why: r.Failure().Sentence}, nil
}

// result is how a night went.
type result struct {
	took   time.Duration
	cuts   int64
	syncs  int
	rounds int
	sent   int   // changes that were delivered
	bytes  int64 // of HTTP, both ways
	line   int64 // that passed the relay, TLS included
}

// night syncs until all is delivered, as often as the schedule would begin.
func (o *office) night(ctx context.Context, say func(string, ...any)) (r result, err error) {
	began := time.Now()
	for r.syncs < maxSyncs {
		one, err := o.sync(ctx)
		if err != nil {
			return r, err
		}
		r.syncs++
		r.rounds += one.Rounds
		r.sent += one.Sent
		r.bytes += one.BytesSent + one.BytesReceived
		r.took = time.Since(began)
		if one.status == 0 && one.Complete && one.Equal {
			return r, o.check(ctx)
		}
		say("%s: sync %d, %d rounds, %d B: %s", o.Union, r.syncs, one.Rounds, one.BytesSent+one.BytesReceived, one.why)
		wait(ctx, againAfter)
	}
	return r, fmt.Errorf("%s: the night did not end in %d syncs and %v", o.Union, r.syncs, r.took.Round(time.Second))
}

// check asks the PC whether all is at the centre, by receipts and by equal digests.
func (o *office) check(ctx context.Context) error {
	s, err := o.Status(ctx)
	saved := o.size.saved()
	if err == nil && (s.Saved != saved || s.Delivered != saved || s.Waiting != 0 || s.Held != 0 || !s.Proved) {
		err = fmt.Errorf("%s: after the night: %+v, %d changes were saved", o.Union, s, saved)
	}
	return err
}

// allowed is how many bytes a night may cost beside a good line's: a third more, and one
// batch for each cut.
func allowed(clean result, cuts int64) float64 {
	batch := float64(clean.bytes) / float64(clean.rounds)
	return costFactor*float64(clean.bytes) + batch*float64(cuts)
}
