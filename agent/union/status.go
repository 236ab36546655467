package union

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// Status says how things stand, for a person.
type Status struct {
	Union   string
	Journal string

	Saved     uint64    // changes saved on this PC
	Waiting   uint64    // of these, without a receipt that counts
	Oldest    time.Time // when the oldest of them was saved; zero if there is none
	Again     uint64    // of those waiting, delivered once and lost by the centre since
	OnlyHere  uint64    // of those waiting, not in the second place either
	HereSince time.Time // when the oldest of them was saved; zero if there is none
	Delivered uint64    // with a receipt that counts, held ones among them
	Archived  uint64    // of those delivered, in every backup that may be restored
	Held      uint64    // sent back by the centre, not ended yet

	Records   map[string]int // by kind, without void ones
	Conflicts int            // records with several values in a field

	Last    time.Time // last exchange that ended well; zero: never
	Next    time.Time // when the next one is due; zero: not planned
	Fetched bool      // the first fetch has finished
	Proved  bool      // the centre has the same records: nothing changed here since that was found
	Cursor  syncproto.Position
	Rebuilt bool   // the store was made again at this start
	Reason  string // why
	Asides  int    // stores set aside after unclean stops
	Second  Second // how the second place stands
}

// Status tells how things stand. It reads all records and verdicts once.
func (u *Union) Status(ctx context.Context) (Status, error) {
	s, err := u.store()
	if err != nil {
		return Status{}, err
	}
	st := s.State()
	u.storeMu.RLock()
	met := u.met
	u.storeMu.RUnlock()
	out := Status{Union: u.Code(), Journal: u.j.ID().String(), Saved: u.j.Head().Seq, Records: map[string]int{},
		Fetched: st.Fetched, Cursor: st.Cursor, Rebuilt: met.Rebuilt, Reason: met.Reason}
	for _, step := range []func(context.Context, *Status) error{u.deliveryStatus, u.recordStatus, u.exchangeStatus} {
		if err := step(ctx, &out); err != nil {
			return out, fmt.Errorf("status: %w", err)
		}
	}
	out.Proved = st.Proved.Done && st.Proved.At == st.Cursor && st.Proved.Digest == st.Digest && out.Waiting == 0
	if out.Asides, err = s.Asides(); err != nil {
		return out, fmt.Errorf("status: %w", err)
	}
	return out, nil
}

func (u *Union) deliveryStatus(ctx context.Context, out *Status) error {
	watermark, err := u.watermark()
	if err != nil {
		return err
	}
	l, had := u.lineage(), uint64(0)
	for r, seq := range u.receipts(&err) {
		p, ok, e := u.place(seq)
		if e != nil {
			return e
		}
		if !ok || !bytes.Equal(p.Hash.Wire(), r.GetPlace().GetHash()) {
			continue
		}
		had = max(had, seq)
		if at := syncproto.Position(r.GetPosition()); holds(l, at) {
			out.Delivered = max(out.Delivered, seq)
			if at <= watermark {
				out.Archived = max(out.Archived, seq)
			}
		}
	}
	if err != nil {
		return err
	}
	out.Waiting, out.Again = out.Saved-out.Delivered, had-min(had, out.Delivered)
	if out.Oldest, err = u.oldest(out.Delivered, out.Saved); err != nil {
		return err
	}
	place, err := u.SecondPlace()
	if err != nil {
		return err
	}
	out.Second = place
	safe := max(out.Delivered, place.There)
	out.OnlyHere = out.Saved - min(safe, out.Saved)
	if out.HereSince, err = u.oldest(safe, out.Saved); err != nil {
		return err
	}
	held, err := u.HeldChanges(ctx)
	out.Held = uint64(len(held))
	return err
}

// watermark is how far every backup still offered goes, as the centre last said.
func (u *Union) watermark() (syncproto.Position, error) {
	b, err := u.Fact(exchangeBucket, factWatermark)
	if err != nil || len(b) != 8 {
		return 0, err
	}
	return syncproto.Position(binary.BigEndian.Uint64(b)), nil
}

// oldest is when the first own change behind seq was saved; zero if there is none.
func (u *Union) oldest(seq, saved uint64) (time.Time, error) {
	if seq >= saved {
		return time.Time{}, nil
	}
	return u.savedAt(seq + 1)
}

// savedAt is when an own change was saved, by the clock of then; zero if it is damaged.
func (u *Union) savedAt(seq uint64) (time.Time, error) {
	f, err := u.j.Frame(seq)
	if err != nil || f.Damaged {
		return time.Time{}, err
	}
	c, err := syncproto.DecodeChange(f.Bytes, f.Place.Journal)
	if err != nil {
		return time.Time{}, nil //nolint:nilerr // written by a newer program: no time to show
	}
	return time.Unix(c.Time, 0), nil
}

func (u *Union) recordStatus(ctx context.Context, out *Status) error {
	s, err := u.store()
	if err != nil {
		return err
	}
	for _, k := range u.o.Kinds.All() {
		err := s.Each(k.Number, syncproto.RecordID{}, func(_ syncproto.RecordID, r *merge.Record) (bool, error) {
			if there(r) && !r.Void() {
				out.Records[k.Name]++
			}
			if len(r.Conflicts(k.Class)) > 0 {
				out.Conflicts++
			}
			return true, ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *Union) exchangeStatus(_ context.Context, out *Status) error {
	for key, to := range map[string]*time.Time{string(factLast): &out.Last, string(factNext): &out.Next} {
		b, err := u.j.Get(factBucket, []byte(key))
		if err != nil {
			return err
		}
		if len(b) == 8 {
			*to = time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
		}
	}
	return nil
}
