package union

import (
	"context"
	"slices"

	"unionsync/agent/journal"
	"unionsync/syncproto"
)

// HeldChange is an own change that the centre sent back and that nobody has ended yet.
type HeldChange struct {
	Place  syncproto.Place
	Change *syncproto.Change // nil: its entry in the journal is damaged
	Reason syncproto.HeldReason
}

// HeldChanges gives the own changes that were sent back, in order. It is how a person finds
// them: a new record of which everything is held is not shown anywhere else.
func (u *Union) HeldChanges(ctx context.Context) ([]HeldChange, error) {
	var out []HeldChange
	err := u.j.Verdicts(1, u.j.Head().Seq, func(seq uint64, v syncproto.Verdict) error {
		if v.Kind == syncproto.VerdictHeld {
			out = append(out, HeldChange{Place: syncproto.Place{Seq: seq}, Reason: v.Reason})
		}
		return ctx.Err()
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	decided, err := u.j.Ended()
	if err != nil {
		return nil, err
	}
	at := 0
	ended := map[syncproto.Dot]bool{}
	err = u.j.Range(out[0].Place.Seq, u.j.Head().Seq, func(f journal.Frame) error {
		p := placed(f)
		if at < len(out) && out[at].Place.Seq == f.Place.Seq {
			out[at].Place, out[at].Change = p.Place, p.Change
			at++
		}
		if p.Change != nil && p.Change.EndsHold() {
			for _, r := range p.Change.Resolves {
				ended[r.Dot] = ended[r.Dot] || r.Field == 0
			}
		}
		return ctx.Err()
	})
	return slices.DeleteFunc(out, func(h HeldChange) bool {
		_, is := decided[h.Place.Seq]
		return is || ended[h.Place.Dot()]
	}), err
}
