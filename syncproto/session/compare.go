package session

import (
	"bytes"
	"fmt"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// confirm has the records asked for by name that no page and no verdict confirmed, once
// everything was sent that the centre may lack and the last page has come.
func (t *taker) confirm() error {
	if err := t.refilled(); err != nil {
		return err
	}
	if t.fed && !t.r.GetPage().GetMore() && len(t.s.Confirms) > 0 && !t.s.Waits {
		t.want = append(t.want, t.s.Confirms...)
	}
	for _, k := range t.want {
		if !slices.Contains(t.s.Wants, k) {
			t.s.Wants = append(t.s.Wants, k)
		}
	}
	return nil
}

// refilled finds out whether anything has yet to be sent again.
func (t *taker) refilled() error {
	if !t.s.Refill {
		t.s.Waits = false
		return nil
	}
	now := make(map[syncproto.Dot]bool, len(t.u.Keep))
	for _, k := range t.u.Keep {
		now[k.Place.Dot()] = true
	}
	stale, err := t.j.Stale(t.s.Lineage)
	if err != nil {
		return fmt.Errorf("read what may be lacking: %w", err)
	}
	stale = slices.DeleteFunc(stale, func(k Kept) bool { return now[k.Place.Dot()] })
	_, again, _, err := t.verdict(t.answeredNow() + 1)
	if err != nil {
		return err
	}
	units, rest := runs(stale)
	if t.fed && !t.r.GetPage().GetMore() {
		t.u.Forget = append(t.u.Forget, rest...) // the log brought all that is not in every backup
	}
	// A run that was refused keeps nothing else waiting. It is tried once more when all else is
	// done, if something was taken meanwhile: it may follow just that.
	t.s.Moved = t.s.Moved || len(t.u.Keep) > 0 || t.answeredNow() > t.s.Answered
	waits := slices.ContainsFunc(units, func(u unit) bool { return !slices.Contains(t.s.Tried, u.last().Dot()) })
	if !again && !waits && len(units) > 0 && t.s.Moved && t.answeredNow() == t.s.Head.Seq {
		t.s.Tried, t.s.Moved, waits = nil, false, true
	}
	t.s.Waits, t.s.Refill = again || waits, again || len(units) > 0
	return nil
}

// compare holds the layer's digest against the centre's, when nothing is wanted or to be
// confirmed and nothing in the layer is newer than the page.
func (t *taker) compare() error {
	p := t.r.GetPage()
	if !t.fed || p.GetMore() || len(p.GetDigest()) == 0 || len(t.s.Wants) > 0 || len(t.s.Confirms) > 0 || t.s.Newest > t.s.Cursor {
		return nil
	}
	if bytes.Equal(t.s.Digest.Wire(), p.GetDigest()) {
		t.equal()
		return nil
	}
	t.u.Notices = append(t.u.Notices, syncproto.CodeDigest)
	t.s.Alarms++
	t.s.Proved = Proof{}
	return t.remedy(p.GetDigest())
}

func (t *taker) equal() {
	t.s.Refetch = false
	t.s.Proved = Proof{Cursor: t.s.Cursor, Digest: t.s.Digest, Done: true}
	t.u.Equal = true
}

// remedy is what follows a digest alarm: the digest is computed anew from the records;
// if it still differs every record is asked for by name, and the feed is fetched from
// the beginning, once. If they differ after that it is left to people.
func (t *taker) remedy(centre []byte) error {
	keys, err := t.keys()
	if err != nil {
		return err
	}
	t.s.Digest = syncproto.Hash{}
	for _, k := range keys {
		r, err := t.record(k)
		if err != nil {
			return err
		}
		t.s.Digest = merge.Xor(t.s.Digest, merge.Hash(k, r))
	}
	if bytes.Equal(t.s.Digest.Wire(), centre) {
		t.equal()
		return nil
	}
	if t.s.Refetch {
		t.s.Refetch = false
		return nil
	}
	t.s.Refetch = true
	t.s.Wants = keys
	t.s.Cursor, t.s.Whole = 0, 0
	return nil
}

// keys gives the keys of all records of the layer as this response leaves it.
func (t *taker) keys() ([]syncproto.RecordKey, error) {
	keys, err := t.layer.Keys()
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(slices.Clone(keys), func(k syncproto.RecordKey) bool { _, ok := t.puts[k]; return ok })
	for _, k := range t.order {
		if t.puts[k] != nil {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, syncproto.RecordKey.Compare)
	return keys, nil
}

// finish works out what is answered and settled, and whether another round has work to do.
func (t *taker) finish(before State) error {
	if err := t.settle(); err != nil {
		return err
	}
	for _, k := range t.order {
		if r := t.puts[k]; r != nil {
			t.u.Puts = append(t.u.Puts, Put{Key: k, Record: r})
		} else {
			t.u.Drops = append(t.u.Drops, k)
		}
	}
	left := t.s.Answered < t.s.Head.Seq || len(t.s.Wants) > 0 || len(t.s.Confirms) > 0
	work := left || !t.fed || t.r.GetPage().GetMore() || t.s.Refetch || t.s.Waits || t.u.Generations != nil
	t.u.Again = work && t.progressed(&before)
	t.u.State = t.s
	return nil
}

// progressed reports whether the next request will differ from the last one.
func (t *taker) progressed(before *State) bool {
	moved := t.s.Answered != before.Answered || t.s.Cursor != before.Cursor || t.s.FromZero != before.FromZero ||
		t.s.Tip != before.Tip || t.s.Waits != before.Waits
	kept := slices.ContainsFunc(t.u.Keep, func(k Kept) bool {
		return slices.ContainsFunc(t.sent.Runs, func(r Run) bool { return slices.Contains(r.Dots, k.Place.Dot()) })
	})
	return moved || kept || t.u.Generations != nil || !slices.Equal(t.s.Wants, before.Wants) ||
		len(t.s.Confirms) != len(before.Confirms) || len(t.s.Lacks) != len(before.Lacks) || len(t.s.Tried) != len(before.Tried)
}

// verdict gives the newest verdict on own change seq: of this response, which is here, or
// the stored one.
func (t *taker) verdict(seq uint64) (v syncproto.Verdict, ok, here bool, err error) {
	if t.now == nil {
		t.now = make(map[uint64]syncproto.Verdict, len(t.u.Verdicts))
		for _, v := range t.u.Verdicts {
			t.now[v.Seq] = v.Verdict
		}
	}
	if v, ok := t.now[seq]; ok {
		return v, true, true, nil
	}
	v, ok, err = t.j.Verdict(seq)
	return v, ok, false, err
}

// answeredNow is how far Answered reaches with the verdicts of this response.
func (t *taker) answeredNow() uint64 {
	seq := t.s.Answered
	for seq < t.s.Head.Seq {
		v, ok, _, err := t.verdict(seq + 1)
		if err != nil || !ok || !t.s.Lineage.Holds(v.Position) {
			break // an error shows again when the verdicts are settled
		}
		seq++
	}
	return seq
}

// settle moves Answered over what has a verdict that stands, and Settled over what is in
// the layer as well: merged with this response, or brought by a page up to the cursor, or
// held.
func (t *taker) settle() error {
	t.s.Answered = t.answeredNow()
	for t.s.Settled < t.s.Answered {
		v, ok, here, err := t.verdict(t.s.Settled + 1)
		if err != nil {
			return err
		}
		if !ok || (!here && v.Kind != syncproto.VerdictHeld && v.Position > t.s.Cursor) {
			break
		}
		t.s.Settled++
	}
	return nil
}
