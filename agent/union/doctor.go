package union

import (
	"context"
	"fmt"
	"time"

	"unionsync/agent/journal"
	"unionsync/syncproto"
)

// Finding is one thing that the doctor found.
type Finding struct {
	Err    *syncproto.Error // code and placeholders of the sentence
	Severe bool             // somebody must act; otherwise it is good to know
}

// Report is what the doctor looked at and found.
type Report struct {
	Frames     uint64 // entries of the journal, all read and their chain checked
	Records    int    // records of the layer, their digest computed anew
	FreeBytes  uint64 // on the disk; 0 if the system does not tell
	ClockAhead time.Duration
	Findings   []Finding
}

// Thresholds of what is worth a finding.
const (
	littleSpace  = 256 << 20
	clockOff     = 10 * time.Minute
	waitsForLong = 7 * 24 * time.Hour
)

// Doctor reads everything that this union keeps and reports what is wrong. It changes
// nothing. ClockAhead is how far the PC's clock was ahead of the centre's when the last
// Response came, as the exchange found it (0: not known).
func (u *Union) Doctor(ctx context.Context, clockAhead time.Duration) (Report, error) {
	r := Report{Frames: u.j.Head().Seq, ClockAhead: clockAhead}
	for _, step := range []func(context.Context, *Report) error{u.checkJournal, u.checkStore, u.checkRest} {
		if err := ctx.Err(); err != nil {
			return r, fmt.Errorf("doctor: %w", err)
		}
		if err := step(ctx, &r); err != nil {
			return r, fmt.Errorf("doctor: %w", err)
		}
	}
	return r, nil
}

func (r *Report) add(severe bool, code syncproto.Code, args ...string) {
	r.Findings = append(r.Findings, Finding{Err: syncproto.Fail(code, "doctor", nil, args...), Severe: severe})
}

func (u *Union) checkJournal(_ context.Context, r *Report) error {
	damaged, unchained, err := u.j.Check()
	if err != nil {
		return err
	}
	if len(damaged) > 0 {
		r.add(true, syncproto.CodeFoundFrames, "n", itoa(len(damaged)))
	}
	for _, seq := range unchained { // the first says enough
		r.add(true, syncproto.CodeFoundChain, "seq", fmt.Sprint(seq))
		break
	}
	return nil
}

func (u *Union) checkStore(_ context.Context, r *Report) error {
	s, err := u.store()
	if err != nil {
		return err
	}
	if err := s.CheckBase(); err != nil {
		u.o.Log.Warn("doctor: the base is not good", "error", err)
		r.add(false, syncproto.CodeFoundBase)
	}
	checked, err := s.Check()
	if err != nil {
		return err
	}
	r.Records = checked.Records
	if checked.Digest != checked.Stored {
		r.add(true, syncproto.CodeFoundDigest)
	}
	if checked.Wrong > 0 {
		r.add(true, syncproto.CodeFoundView, "n", itoa(checked.Wrong))
	}
	asides, err := s.Asides()
	if err != nil {
		return err
	}
	if asides > 0 {
		r.add(false, syncproto.CodeFoundAside, "n", itoa(asides))
	}
	return nil
}

func (u *Union) checkRest(ctx context.Context, r *Report) error {
	if free, err := u.freeBytes(); err == nil {
		r.FreeBytes = free
		if free < littleSpace {
			r.add(true, syncproto.CodeFoundSpace, "free_mib", fmt.Sprint(free>>20))
		}
	}
	if r.ClockAhead.Abs() > clockOff {
		r.add(false, syncproto.CodeFoundClock, "minutes", itoa(int(r.ClockAhead.Abs()/time.Minute)))
	}
	st, err := u.Status(ctx)
	if err != nil {
		return err
	}
	if waits := u.o.Now().Sub(st.Oldest); st.Waiting > 0 && !st.Oldest.IsZero() && waits > waitsForLong {
		r.add(false, syncproto.CodeFoundUndeliver, "n", fmt.Sprint(st.Waiting), "days", itoa(int(waits/(24*time.Hour))))
	}
	if st.Held > 0 {
		r.add(false, syncproto.CodeFoundHeld, "n", fmt.Sprint(st.Held))
	}
	return nil
}

func (u *Union) freeBytes() (uint64, error) {
	if u.o.Free != nil {
		return u.o.Free(u.dir)
	}
	return journal.FreeBytes(u.dir)
}
