package union

import (
	"slices"
	"time"

	"unionsync/syncproto"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// Result tells what a sync did.
type Result struct {
	Rounds    int
	Left      int  // own changes without the centre's answer
	Sent      int  // own changes that the centre has now and did not answer before
	Received  int  // records that came from the centre
	Held      int  // of those sent, sent back by the centre
	Conflicts int  // of those sent, on which a person must decide
	Complete  bool // nothing is left to send or to fetch
	Equal     bool // it ended with equal digests: the centre has the very same records
	Records   int  // of the centre's layer, when Equal
	Cases     int  // that wait for a person when it ended
	News      int  // records that were changed elsewhere since the person last looked

	BytesSent, BytesReceived int64 // over the line; 0 where the transport does not count
	Elapsed                  time.Duration

	Refused []syncproto.Code // why segments were not taken
	Notices []syncproto.Code // what a person should know, each once
	// ForkSettled says that people closed the case about the fork in Notices: nothing new.
	ForkSettled bool

	// What the centre said beside: for whoever keeps this PC's identity and schedule.
	Slot        *syncpb.Slot
	Addresses   []string // empty: as they were
	Certificate []byte   // renewed, DER; empty: as it was
	Recipient   string   // for bundles; empty: as it was
	CentreTime  int64
}

// add counts a round. known are the own changes that had a verdict before.
func (r *Result) add(up *session.Update, answer *syncpb.Response, known map[uint64]bool, done bool) {
	r.Rounds++
	for _, v := range up.Verdicts {
		if known[v.Seq] {
			continue
		}
		r.Sent++
		switch v.Verdict.Kind {
		case syncproto.VerdictHeld:
			r.Held++
		case syncproto.VerdictConflict:
			r.Conflicts++
		}
	}
	if up.State.Cursor != syncproto.Position(answer.GetPage().GetStart()) || up.Equal {
		r.Received += len(answer.GetPage().GetRecords())
	}
	r.Received += len(answer.GetWanted())
	r.Complete, r.Equal = done, up.Equal
	r.Left = int(up.State.Head.Seq - min(up.State.Answered, up.State.Head.Seq))
	r.Refused = up.Refused
	for _, c := range up.Notices {
		if !slices.Contains(r.Notices, c) {
			r.Notices = append(r.Notices, c)
		}
	}
	if s := answer.GetSlot(); s != nil {
		r.Slot = s
	}
	if a := answer.GetAddresses(); len(a) > 0 {
		r.Addresses = a
	}
	if c := answer.GetCertificate(); len(c) > 0 {
		r.Certificate = c
	}
	if to := answer.GetRecipient(); to != "" {
		r.Recipient = to
	}
	r.CentreTime = answer.GetTime()
}

// known says which of the changes answered had a verdict before.
func (u *Union) known(verdicts []session.OwnVerdict) (map[uint64]bool, error) {
	out := map[uint64]bool{}
	for _, v := range verdicts {
		_, ok, err := u.j.Verdict(v.Seq)
		if err != nil {
			return nil, err
		}
		out[v.Seq] = ok
	}
	return out, nil
}
