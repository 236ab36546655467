package session

import (
	"errors"
	"fmt"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/syncpb"
)

// wanted takes the records that were asked for by name. An answer that is older than the
// layer says nothing of them: it came late, and a record that the centre lacked then, having
// been restored, may be there by now.
func (t *taker) wanted() error {
	head := syncproto.Position(t.r.GetPage().GetNext())
	if head < t.s.Cursor {
		return nil
	}
	for _, f := range t.r.GetWanted() {
		key, rec, err := readFeedRecord(f)
		if err != nil {
			return syncproto.Fail(syncproto.CodeAnswer, "take wanted record", err)
		}
		if !slices.Contains(t.sent.Wants, key) {
			continue
		}
		have, err := t.record(key)
		if err != nil {
			return err
		}
		confirming := t.confirming(key)
		if confirming && rec == nil && (t.s.Waits || t.u.Generations != nil || t.unanswered(have)) {
			continue // it may lack only what has yet to be sent again
		}
		if have != nil && head < have.Pos && !t.s.Refetch && !confirming {
			continue // an own change came in meanwhile: ask again
		}
		if have != nil && (confirming && rec == nil || t.s.Refetch && merge.Hash(key, have) != merge.Hash(key, rec)) {
			t.u.Differing = append(t.u.Differing, Differing{Key: key, Mine: have, Theirs: rec})
		}
		t.s.Wants, t.s.Confirms = without(t.s.Wants, key), without(t.s.Confirms, key)
		if err := t.put(key, rec); err != nil {
			return err
		}
	}
	return nil
}

// unanswered reports whether a record holds an own change without a verdict: an old image has
// lost the verdict, a page brought the change back, and a restored centre lacks it again.
func (t *taker) unanswered(r *merge.Record) bool {
	after := t.answeredNow()
	own := func(d syncproto.Dot) bool { return d.Journal == t.s.Journal && d.Seq > after && d.Seq <= t.s.Head.Seq }
	return r != nil && slices.ContainsFunc(r.Fields, func(f merge.Field) bool {
		return slices.ContainsFunc(f.Entries, func(e merge.Entry) bool { return slices.ContainsFunc(e.Dots, own) }) ||
			slices.ContainsFunc(f.Elements, func(e merge.Element) bool { return slices.ContainsFunc(e.Dots, own) })
	})
}

// page takes the feed if it starts where the layer ends.
func (t *taker) page() error {
	p := t.r.GetPage()
	if p == nil || t.blind || syncproto.Position(p.GetStart()) != t.s.Cursor || t.sent.Cursor != t.s.Cursor {
		return nil
	}
	if syncproto.Position(p.GetNext()) < t.s.Cursor {
		return syncproto.Fail(syncproto.CodeAnswer, "take page", fmt.Errorf("it goes back to %s", syncproto.Position(p.GetNext())))
	}
	for _, f := range p.GetRecords() {
		key, rec, err := readFeedRecord(f)
		if err != nil {
			return syncproto.Fail(syncproto.CodeAnswer, "take page", err)
		}
		if err := t.put(key, rec); err != nil {
			return err
		}
		t.want = without(t.want, key)
		t.s.Wants, t.s.Confirms = without(t.s.Wants, key), without(t.s.Confirms, key)
	}
	if err := t.log(p); err != nil {
		return syncproto.Fail(syncproto.CodeAnswer, "take log", err)
	}
	t.s.Cursor = syncproto.Position(p.GetNext())
	t.fed = true
	if !p.GetMore() {
		t.s.Whole = t.s.Cursor
	}
	return nil
}

// log keeps the signed changes of others that a page carries. Each run must be chained and
// signed: what is kept must convince a centre that has lost it.
func (t *taker) log(p *syncpb.Page) error {
	last := map[syncproto.JournalID]syncproto.Place{}
	open := map[syncproto.JournalID]bool{}
	for _, m := range p.GetLog() {
		k, err := readLogged(m, last)
		if err != nil {
			return err
		}
		j := k.Place.Journal
		last[j] = k.Place
		if open[j] = len(k.Signature) == 0; !open[j] {
			msg := syncproto.SegmentMessage(t.s.Union, k.Place)
			if err := t.env.VerifyRun(k.Signer, p.GetCertificates(), msg, k.Signature); err != nil {
				return fmt.Errorf("change %s: %w", k.Place.Dot(), err)
			}
		}
		if err := t.keep(k); err != nil {
			return err
		}
	}
	for j, is := range open {
		if is {
			return fmt.Errorf("the last change of journal %s is not signed", j)
		}
	}
	t.u.Signers = append(t.u.Signers, p.GetCertificates()...)
	return nil
}

// keep keeps k unless it is one of this image's own changes.
func (t *taker) keep(k Kept) error {
	if k.Change != nil {
		if err := t.endedBy(k.Change, k.Place.Dot()); err != nil {
			return err
		}
	}
	if k.Place.Journal == t.s.Journal {
		p, ok, err := t.j.Place(k.Place.Seq)
		if err != nil {
			return err
		}
		if ok && p == k.Place {
			return nil
		}
	}
	t.u.Keep = append(t.u.Keep, k)
	return nil
}

// readLogged reads one change of a page's log, chained to the one before it.
func readLogged(m *syncpb.LoggedChange, last map[syncproto.JournalID]syncproto.Place) (Kept, error) {
	j := syncproto.JournalID(m.GetJournal())
	previous := last[j]
	switch {
	case j == 0 || m.GetSeq() == 0 || m.GetPosition() == 0:
		return Kept{}, errors.New("a change without journal, number or position")
	case len(m.GetPrevious()) == len(previous.Hash):
		previous = syncproto.Place{Journal: j, Seq: m.GetSeq() - 1, Hash: syncproto.Hash(m.GetPrevious())}
	case len(m.GetPrevious()) != 0:
		return Kept{}, fmt.Errorf("a previous hash of %d bytes", len(m.GetPrevious()))
	case m.GetSeq() == 1:
		previous = syncproto.Place{Journal: j}
	}
	if previous.Journal != j || previous.Seq+1 != m.GetSeq() || previous.Seq == 0 && previous.Hash != (syncproto.Hash{}) {
		return Kept{}, fmt.Errorf("change %d of journal %s follows nothing", m.GetSeq(), j)
	}
	k := Kept{Previous: previous.Hash, Erased: m.GetErased(), Signature: m.GetSignature(), Signer: m.GetSigner()}
	k.Verdict = syncproto.Verdict{
		Position: syncproto.Position(m.GetPosition()),
		Kind:     syncproto.VerdictKind(m.GetKind() & 15), Reason: syncproto.HeldReason(m.GetKind() >> 4 & 15),
	}
	if k.Verdict.Kind == syncproto.VerdictNone || k.Verdict.Kind > syncproto.VerdictDropped || len(k.Signature) > 0 != (len(k.Signer) > 0) {
		return Kept{}, fmt.Errorf("change %d of journal %s has a verdict of kind %d or half a signature", m.GetSeq(), j, k.Verdict.Kind)
	}
	if len(m.GetChange()) == 0 {
		if len(m.GetHash()) != len(k.Place.Hash) {
			return Kept{}, fmt.Errorf("change %d of journal %s has neither bytes nor hash", m.GetSeq(), j)
		}
		k.Place = syncproto.Place{Journal: j, Seq: m.GetSeq(), Hash: syncproto.Hash(m.GetHash())}
		return k, nil
	}
	if len(m.GetChange()) > syncproto.MaxChangeBytes {
		return Kept{}, fmt.Errorf("a change of %d bytes", len(m.GetChange()))
	}
	k.Place, k.Bytes = previous.Next(m.GetChange()), m.GetChange()
	if c, err := syncproto.DecodeChange(k.Bytes, j); err == nil {
		k.Change = c
	}
	return k, nil
}

// forget lets go what every backup has.
func (t *taker) forget() error {
	w := syncproto.Position(t.r.GetWatermark())
	// What this response brings is of the newest life, which has the watermark.
	archived := func(k Kept) bool { return k.Verdict.Position <= w }
	if w == 0 || w == t.s.Watermark && !slices.ContainsFunc(t.u.Keep, archived) {
		t.s.Watermark = w
		return nil
	}
	t.s.Watermark = w
	dots, err := t.j.Archived(w, t.s.Lineage)
	if err != nil {
		return fmt.Errorf("find what is archived: %w", err)
	}
	for _, k := range t.u.Keep {
		if archived(k) {
			dots = append(dots, k.Place.Dot())
		}
	}
	t.u.Keep = slices.DeleteFunc(t.u.Keep, archived)
	again := func(d syncproto.Dot) bool {
		return slices.ContainsFunc(t.u.Keep, func(k Kept) bool { return k.Place.Dot() == d })
	}
	t.u.Forget = slices.DeleteFunc(dots, again) // one with another position by now is kept
	return nil
}

func readFeedRecord(f *syncpb.FeedRecord) (syncproto.RecordKey, *merge.Record, error) {
	var key syncproto.RecordKey
	if len(f.GetId()) != len(key.ID) || f.GetKind() == 0 || f.GetKind() > 0xffff {
		return key, nil, fmt.Errorf("record of kind %d with an id of %d bytes", f.GetKind(), len(f.GetId()))
	}
	key.Kind = syncproto.KindNumber(f.GetKind())
	copy(key.ID[:], f.GetId())
	if len(f.GetRecord()) == 0 {
		return key, nil, nil
	}
	r, err := merge.Decode(f.GetRecord())
	return key, r, err
}
