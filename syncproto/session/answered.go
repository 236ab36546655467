package session

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// answered is one change that the response gives a verdict on.
type answered struct {
	syncproto.Placed
	own     bool
	kept    Kept // of somebody else's
	verdict syncproto.Verdict
}

// allVerdicts gives the verdicts of the response in its order, as the receipt's hash covers
// them.
func (t *taker) allVerdicts() ([]syncproto.Verdict, error) {
	var all []syncproto.Verdict
	for _, v := range t.r.GetVerdicts() {
		if int(v.GetSegment()) >= len(t.sent.Runs) {
			return nil, syncproto.Fail(syncproto.CodeAnswer, "take verdicts", fmt.Errorf("segment %d was not sent", v.GetSegment()))
		}
		got, err := unpackVerdicts(v, t.sent.Runs[v.GetSegment()].length())
		if err != nil {
			return nil, syncproto.Fail(syncproto.CodeAnswer, "take verdicts", err)
		}
		all = append(all, got...)
	}
	return all, nil
}

func (r *Run) length() int {
	if r.Own {
		return int(r.Last - r.First + 1)
	}
	return len(r.Dots)
}

// answers pairs the verdicts with what was sent, in the order of positions. What this
// image of the journal does not have, or does not keep any more, is left out.
func (t *taker) answers() ([]answered, error) {
	all, err := t.allVerdicts()
	if err != nil {
		return nil, err
	}
	var out []answered
	for _, v := range t.r.GetVerdicts() {
		run := t.sent.Runs[v.GetSegment()]
		n := run.length()
		got, err := t.sentChanges(run)
		if err != nil {
			return nil, err
		}
		for i := range got {
			got[i].verdict = all[i]
		}
		out, all = append(out, got...), all[n:]
	}
	t.blind = slices.ContainsFunc(out, func(a answered) bool {
		return a.Change == nil && a.verdict.Kind != syncproto.VerdictHeld && a.verdict.Position > t.s.Cursor
	})
	out = slices.DeleteFunc(out, func(a answered) bool { return a.Place.Seq == 0 })
	slices.SortStableFunc(out, func(a, b answered) int { return cmp.Compare(a.verdict.Position, b.verdict.Position) })
	return out, nil
}

// sentChanges finds what a run carried; the zero place stands for what is not here.
func (t *taker) sentChanges(run Run) ([]answered, error) {
	out := make([]answered, run.length())
	if run.Own {
		own, err := t.j.After(run.First-1, math.MaxInt, len(out))
		if err != nil {
			return nil, fmt.Errorf("read own changes: %w", err)
		}
		for i := range min(len(own), len(out)) {
			out[i] = answered{Placed: own[i], own: true}
		}
		return out, nil
	}
	for i, d := range run.Dots {
		k, ok, err := t.j.Kept(d)
		if err != nil {
			return nil, fmt.Errorf("read kept change: %w", err)
		}
		if ok {
			out[i] = answered{Placed: k.Placed, kept: k}
		}
	}
	return out, nil
}

// verdicts takes the answers, merges what was taken into the layer in the order of
// positions and compares the record hashes.
func (t *taker) verdicts() error {
	answers, err := t.answers()
	if err != nil {
		return err
	}
	last := map[syncproto.RecordKey]syncproto.Verdict{}
	var order []syncproto.RecordKey
	for _, a := range answers {
		t.note(a)
		if a.Change == nil {
			continue
		}
		if err := t.endedBy(a.Change, a.Place.Dot()); err != nil {
			return err
		}
		touched, err := t.mergeAnswered(a)
		if err != nil {
			return err
		}
		if k := a.Change.Key(); touched {
			if _, ok := last[k]; !ok {
				order = append(order, k)
			}
			last[k] = a.verdict
		}
	}
	for _, k := range order {
		if err := t.compareRecord(k, last[k]); err != nil {
			return err
		}
	}
	return nil
}

// note keeps a verdict: of an own change in the journal, of another's with what is kept.
func (t *taker) note(a answered) {
	if a.own {
		t.u.Verdicts = append(t.u.Verdicts, OwnVerdict{Seq: a.Place.Seq, Verdict: a.verdict})
		return
	}
	a.kept.Verdict = a.verdict
	a.kept.Verdict.Hash = syncproto.RecordHash{}
	t.u.Keep = append(t.u.Keep, a.kept)
}

// mergeAnswered puts a change that was taken into the layer, unless the layer has it. A
// held change leaves the record as it is, but the record's hash is compared all the same:
// the page leaves out a record whose newest change is answered here. A record that is to
// be confirmed has the change already: its hash alone tells whether the centre agrees.
func (t *taker) mergeAnswered(a answered) (touched bool, err error) {
	key, v := a.Change.Key(), a.verdict
	r, err := t.record(key)
	if err != nil {
		return false, err
	}
	confirming := t.confirming(key)
	if v.Position <= t.s.Cursor || !confirming && r != nil && v.Position <= r.Pos {
		return false, nil
	}
	if a.Change.EndsHold() || v.Kind == syncproto.VerdictDropped {
		t.want = append(t.want, key)
	}
	switch {
	case confirming:
		return true, nil
	case a.Change.EndsHold() || v.Kind == syncproto.VerdictDropped:
		return r != nil, t.moved(key, r, v.Position)
	case v.Kind != syncproto.VerdictHeld:
		r, _ = merge.Merge(t.env.Class(key.Kind), r, a.Change, a.Place.Dot(), v.Position)
		return true, t.put(key, r)
	}
	return true, t.moved(key, r, v.Position)
}

// moved sets the position of a record that is there.
func (t *taker) moved(key syncproto.RecordKey, r *merge.Record, p syncproto.Position) error {
	if r == nil {
		return nil
	}
	moved := *r
	moved.Pos = p
	return t.put(key, &moved)
}

// compareRecord compares a record with the hash of the newest verdict on it: the centre
// confirms it, or it is asked for.
func (t *taker) compareRecord(key syncproto.RecordKey, v syncproto.Verdict) error {
	r, err := t.record(key)
	if err != nil {
		return err
	}
	if merge.ShortHash(key, r) != v.Hash {
		t.want = append(t.want, key)
		return nil
	}
	if !t.confirming(key) {
		return nil
	}
	t.s.Confirms = without(t.s.Confirms, key)
	return t.moved(key, r, v.Position)
}

// endedBy notes what a decision says about own changes that were held.
func (t *taker) endedBy(c *syncproto.Change, by syncproto.Dot) error {
	if !c.EndsHold() {
		return nil
	}
	for _, r := range c.Resolves {
		if r.Field != 0 || r.Dot.Journal != t.s.Journal {
			continue
		}
		p, ok, err := t.j.Place(r.Dot.Seq)
		if err != nil {
			return fmt.Errorf("find own held change: %w", err)
		}
		if ok && p.Dot() == r.Dot {
			t.u.Ended = append(t.u.Ended, Ended{Seq: r.Dot.Seq, Verb: c.Verb, By: by})
		}
	}
	return nil
}
