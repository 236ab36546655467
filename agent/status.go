package agent

import (
	"context"
	"errors"
	"time"

	"unionsync/agent/schedule"
	"unionsync/agent/union"
	"unionsync/syncproto"
)

// Status says how a union on this PC stands.
type Status struct {
	union.Status
	Name     string
	Tried    time.Time      // when the newest sync ended
	Failures int            // syncs in a row that did not become complete
	Error    syncproto.Code // why the newest one failed; 0: it did not
	NextWhy  schedule.Why   // what Next waits for
	Running  bool           // the loop is up, as far as its note tells: without it nothing comes at Next
	Notices  []union.Notice
	Back     []union.HeldChange // own changes that the centre sent back
	Cases    []union.Case       // what waits for a person
	News     int                // records that were changed elsewhere since the person last looked
	Bundles  int                // exported ones whose answer is waited for: their sticks are to be kept
}

// Waits reports whether the newest sync is to be made again because the centre asked for
// it: a matter of minutes, and nobody's to deal with.
func (s Status) Waits() bool { return s.Failures > 0 && syncproto.Later(s.Error) }

// Failed reports whether the newest sync did not end well, and why is to be told.
func (s Status) Failed() bool { return s.Failures > 0 && s.Error != 0 && !s.Waits() }

// Status opens a union and tells how it stands.
func (a *Agent) Status(ctx context.Context, code string) (st Status, err error) {
	code, err = a.Which(code)
	if err != nil {
		return st, err
	}
	u, err := a.Union(code)
	if err != nil {
		return st, err
	}
	defer func() { err = errors.Join(err, u.Close()) }()
	if st.Status, err = u.Status(ctx); err != nil {
		return st, err
	}
	if st.Notices, err = u.Notices(); err != nil {
		return st, err
	}
	st.Notices = append(st.Notices, a.kinds.notices()...)
	if st.Back, err = u.HeldChanges(ctx); err != nil {
		return st, err
	}
	cases, err := u.Cases(ctx)
	if err != nil {
		return st, err
	}
	st.Cases = union.Confirmed(cases)
	news, err := u.News(ctx)
	if err != nil {
		return st, err
	}
	st.News = len(news)
	made, err := u.Bundles()
	if err != nil {
		return st, err
	}
	for _, b := range made {
		if b.Open() {
			st.Bundles++
		}
	}
	c := a.loadContact(code)
	st.Name, st.Tried, st.Failures, st.Error = c.Name, unixTime(c.Tried), c.Failures, syncproto.Code(c.Error)
	st.Next, st.NextWhy = a.Next(code)
	st.Running = a.Running()
	return st, nil
}
