package agent

import (
	"context"
	"errors"
	"time"

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
	Notices  []union.Notice
	Back     []union.HeldChange // own changes that the centre sent back
	Bundles  int                // exported ones whose answer is waited for: their sticks are to be kept
}

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
	st.Next = a.Next(code)
	return st, nil
}
