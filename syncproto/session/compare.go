package session

import (
	"bytes"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// compare holds the layer's digest against the centre's, when nothing is wanted and
// nothing in the layer is newer than the page.
func (t *taker) compare() error {
	for _, k := range t.want {
		if !slices.Contains(t.s.Wants, k) {
			t.s.Wants = append(t.s.Wants, k)
		}
	}
	p := t.r.GetPage()
	if !t.fed || p.GetMore() || len(p.GetDigest()) == 0 || len(t.s.Wants) > 0 || t.newerThanCursor() {
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

func (t *taker) newerThanCursor() bool {
	return slices.ContainsFunc(t.order, func(k syncproto.RecordKey) bool {
		return t.puts[k] != nil && t.puts[k].Pos > t.s.Cursor
	})
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
	work := t.s.Answered < t.s.Head.Seq || len(t.s.Wants) > 0 || !t.fed || t.r.GetPage().GetMore() || t.s.Refetch
	progress := t.s.Answered != before.Answered || t.s.Cursor != before.Cursor ||
		!slices.Equal(t.s.Wants, before.Wants) || t.s.FromZero != before.FromZero || t.s.Tip != before.Tip
	t.u.Again = work && progress
	t.u.State = t.s
	return nil
}

// settle moves Answered over what has a verdict, and Settled over what is in the layer as
// well: merged with this response, or brought by a page up to the cursor, or held.
func (t *taker) settle() error {
	now := make(map[uint64]syncproto.Verdict, len(t.u.Verdicts))
	for _, v := range t.u.Verdicts {
		now[v.Seq] = v.Verdict
	}
	verdict := func(seq uint64) (syncproto.Verdict, bool, bool, error) {
		if v, ok := now[seq]; ok {
			return v, true, true, nil
		}
		v, ok, err := t.j.Verdict(seq)
		return v, ok, false, err
	}
	for t.s.Answered < t.s.Head.Seq {
		if _, ok, _, err := verdict(t.s.Answered + 1); err != nil || !ok {
			if err != nil {
				return err
			}
			break
		}
		t.s.Answered++
	}
	for t.s.Settled < t.s.Answered {
		v, ok, here, err := verdict(t.s.Settled + 1)
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
