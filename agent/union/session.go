package union

import (
	"errors"
	"fmt"
	"slices"

	"unionsync/agent/store"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// SessionState fills what this package keeps of a session's state: union, journal, head,
// newest receipt, what is answered and settled, the lives of the centre, cursors, wants,
// marks, digest and proof. The rest (history, tip, watermark, budget, alarms) is the
// exchange's own.
func (u *Union) SessionState() (session.State, error) {
	var out session.State
	s, err := u.store()
	if err != nil {
		return out, err
	}
	st := s.State()
	out = session.State{
		Lineage: u.lineage(), Union: u.Code(), Journal: u.j.ID(), Head: u.j.Head(), Settled: st.Settled.Seq, Cursor: st.Cursor, Whole: st.Whole, Newest: st.Newest,
		Refetch: st.Refetch, Digest: st.Digest,
		Proved: session.Proof{Cursor: st.Proved.At, Digest: st.Proved.Digest, Done: st.Proved.Done},
	}
	if out.Wants, err = s.Wants(maxWants); err != nil {
		return out, fmt.Errorf("read session state: %w", err)
	}
	if out.Confirms, err = s.Confirms(maxWants); err != nil {
		return out, fmt.Errorf("read session state: %w", err)
	}
	if out.Receipt, _, err = u.NewestReceipt(); err != nil {
		return out, fmt.Errorf("read session state: %w", err)
	}
	out.Answered, err = u.answered()
	if err != nil {
		return out, fmt.Errorf("read session state: %w", err)
	}
	return out, nil
}

// maxWants bounds the list in memory; the store keeps all of them.
const maxWants = 1 << 20

// answered is the end of the unbroken run of own changes that have a verdict which every
// later life of the centre kept.
func (u *Union) answered() (uint64, error) {
	at, l := u.answeredTo.Load(), u.lineage() // only another life takes verdicts back
	err := ignoreEnough(u.j.Verdicts(at+1, u.j.Head().Seq, func(seq uint64, v syncproto.Verdict) error {
		if seq != at+1 || !holds(l, v.Position) {
			return errEnough
		}
		at = seq
		return nil
	}))
	if err == nil {
		u.answeredTo.Store(at)
	}
	return at, err
}

// FromSession turns what a session came to into an update: the part of its state that
// this package keeps, records, verdicts and the difference in wants. Receipt and Facts are
// left to the caller. Before is the state that the session began with.
func (u *Union) FromSession(before session.State, up *session.Update, centreTime int64) (Update, error) {
	st := up.State
	settled, ok, err := u.place(st.Settled)
	if err != nil {
		return Update{}, fmt.Errorf("take session: %w", err)
	}
	if !ok {
		settled = syncproto.Place{Journal: u.j.ID()}
	}
	stored, err := u.State()
	if err != nil {
		return Update{}, err
	}
	out := Update{Keep: up.Keep, Forget: up.Forget, Ended: up.Ended, Update: store.Update{
		Drops:   up.Drops,
		Lineage: up.Generations,
		Meta: &store.Meta{
			Settled: settled, Cursor: st.Cursor, Whole: st.Whole, Newest: st.Newest, Refetch: st.Refetch, Centre: max(centreTime, stored.Centre),
			Fetched: stored.Fetched || wholeNow(up),
			Proved:  store.Proof{At: st.Proved.Cursor, Digest: st.Proved.Digest, Done: st.Proved.Done},
		},
		Want:   except(st.Wants, before.Wants),
		Unwant: except(before.Wants, st.Wants),

		Confirm: except(st.Confirms, before.Confirms),
		Settle:  except(before.Confirms, st.Confirms),
	}}
	for _, v := range up.Verdicts {
		out.Verdicts = append(out.Verdicts, store.SeqVerdict{Seq: v.Seq, Verdict: v.Verdict})
	}
	for _, p := range up.Puts {
		out.Puts = append(out.Puts, store.Put{Key: p.Key, Record: p.Record})
	}
	return out, nil
}

// wholeNow reports whether a fetch has come to its end: equal digests say so, and so does
// a last page while something is still wanted by name.
func wholeNow(up *session.Update) bool {
	return up.Equal || up.State.Whole != 0 && up.State.Whole == up.State.Cursor && !up.State.Refetch
}

// except gives the keys of a that are not in b, in the order of keys.
func except(a, b []syncproto.RecordKey) []syncproto.RecordKey {
	in := make(map[syncproto.RecordKey]bool, len(b))
	for _, k := range b {
		in[k] = true
	}
	out := slices.DeleteFunc(slices.Clone(a), func(k syncproto.RecordKey) bool { return in[k] })
	slices.SortFunc(out, syncproto.RecordKey.Compare)
	return out
}

// errEnough ends a range early.
var errEnough = errors.New("enough")

func ignoreEnough(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
