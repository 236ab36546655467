package ledger

import (
	"bytes"
	"fmt"
	"slices"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session"
)

// batch applies what several agents brought, item by item.
func (a *applier) batch(b *entrypb.Batch) ([][]session.Outcome, error) {
	now := a.raiseTime(b.GetTime())
	out := make([][]session.Outcome, len(b.GetItems()))
	for i, item := range b.GetItems() {
		for _, s := range item.GetSegments() {
			o, err := a.segment(item.GetUnion(), item.GetDevice(), s)
			if err != nil {
				return nil, fmt.Errorf("item %d of %s: %w", i, item.GetUnion(), err)
			}
			out[i] = append(out[i], o)
		}
		if c := item.GetContact(); c != nil {
			if err := a.contact(item.GetUnion(), item.GetDevice(), c, now); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// maxSignature is the most bytes that a log item has room for in a signature or signer.
const maxSignature = 255

// segment applies one journal's run of changes, in order, each once.
func (a *applier) segment(union string, device []byte, s *entrypb.Segment) (session.Outcome, error) {
	j := syncproto.JournalID(s.GetJournal())
	if j == 0 || s.GetFirst() == 0 || len(s.GetChanges()) == 0 || union == "" || len(union) > syncproto.MaxUnionCode || len(s.GetSignature()) > maxSignature ||
		len(s.GetSigner()) > maxSignature || len(device) > maxSignature {
		return session.Outcome{Refused: syncproto.CodeSegment}, nil
	}
	prev := syncproto.Place{Journal: j}
	if s.GetFirst() > 1 {
		p, _, ok, err := find(a.txn, j, s.GetFirst()-1, s.GetPrevious())
		if err != nil {
			return session.Outcome{}, err
		}
		if !ok {
			return session.Outcome{Refused: syncproto.CodeUnknownPrevious}, nil
		}
		prev = p
	}
	out := session.Outcome{
		Verdicts: make([]syncproto.Verdict, 0, len(s.GetChanges())),
		Keys:     make([]syncproto.RecordKey, 0, len(s.GetChanges())),
	}
	gaps := gapsOf(s)
	places := placesOf(s, prev, gaps)
	signer := s.GetSigner()
	if len(signer) == 0 {
		signer = device
	}
	late, full, err := a.beyondRights(union, signer, places, s.GetChanges())
	if err != nil || full != 0 {
		return session.Outcome{Refused: full}, err
	}
	for i, b := range s.GetChanges() {
		c := &arrival{union: union, prev: prev, place: places[i], bytes: b}
		if g := gaps[i]; g != nil {
			c.lost, c.erased = true, g.GetErased()
		}
		if len(s.GetHeld()) > i {
			c.held = syncproto.HeldReason(s.GetHeld()[i])
		}
		if i >= late.from {
			c.held, c.revoked = syncproto.HeldRevoked, late.device
		}
		if i == len(s.GetChanges())-1 {
			c.signature, c.signer = s.GetSignature(), signer
		}
		v, key, err := a.change(c)
		if err != nil {
			return out, fmt.Errorf("change %s: %w", c.place.Dot(), err)
		}
		out.Verdicts, out.Keys, out.Last = append(out.Verdicts, v), append(out.Keys, key), c.place
		prev = c.place
	}
	return out, nil
}

// placesOf chains a segment's changes to the place before it.
func placesOf(s *entrypb.Segment, prev syncproto.Place, gaps map[int]*entrypb.Gap) []syncproto.Place {
	places := make([]syncproto.Place, len(s.GetChanges()))
	for i, b := range s.GetChanges() {
		if g := gaps[i]; g != nil {
			prev = syncproto.Place{Journal: prev.Journal, Seq: prev.Seq + 1}
			copy(prev.Hash[:], g.GetHash())
		} else {
			prev = prev.Next(b)
		}
		places[i] = prev
	}
	return places
}

func gapsOf(s *entrypb.Segment) map[int]*entrypb.Gap {
	var m map[int]*entrypb.Gap
	for _, g := range s.GetGaps() {
		if m == nil {
			m = map[int]*entrypb.Gap{}
		}
		m[int(g.GetIndex())] = g
	}
	return m
}

// arrival is one change on its way into the log.
type arrival struct {
	union     string
	prev      syncproto.Place
	place     syncproto.Place
	bytes     []byte
	lost      bool
	erased    bool
	held      syncproto.HeldReason // decided by the leader, or because of revoked
	revoked   []byte               // the revoked device that answers for it
	signature []byte
	signer    []byte
	change    *syncproto.Change // nil where it cannot be read
	own       bool              // a case, which the centre writes itself
}

// change gives a change its verdict: the stored one if it is here already, else a new
// position, the merge and everything that is written of it.
func (a *applier) change(c *arrival) (syncproto.Verdict, syncproto.RecordKey, error) {
	if !c.lost {
		c.change, _ = syncproto.DecodeChange(c.bytes, c.place.Journal) // nil is held below
	}
	var key syncproto.RecordKey
	if c.change != nil {
		key = c.change.Key()
	}
	_, v, ok, err := find(a.txn, c.place.Journal, c.place.Seq, c.place.Hash.Wire())
	if err != nil || ok {
		return v, key, err
	}
	if err := a.cut(); err != nil {
		return v, key, err
	}
	v, err = a.enter(c, key)
	return v, key, err
}

// enter logs a change that is new here. All that it writes is in one transaction.
func (a *applier) enter(c *arrival, key syncproto.RecordKey) (syncproto.Verdict, error) {
	v := syncproto.Verdict{Position: a.advance()}
	var err error
	if v.Kind, v.Reason, err = a.record(c, key, &v); err != nil {
		return v, err
	}
	item := LogItem{Union: c.union, Place: c.place, Previous: tagOf(c.prev), Verdict: v, Signature: c.signature, Signer: c.signer, Bytes: c.bytes}
	if err := a.set(keyLog(v.Position), item.encode()); err != nil {
		return v, err
	}
	var named []byte
	if a.layout >= layoutUnionLog && c.namesRecord(key) {
		named = unionLogValue(key, true)
	}
	if err := a.set(keyUnionLog(c.union, v.Position), named); err != nil {
		return v, err
	}
	if err := a.set(keyPlace(c.place.Dot()), encodePosition(v.Position)); err != nil {
		return v, err
	}
	if err := a.countRevoked(c); err != nil {
		return v, err
	}
	if err := a.tip(c); err != nil || c.own {
		return v, err
	}
	return v, a.writeCases(c.union)
}

// record merges the change into its record, unless it is held, and moves the record in
// the feed. A record whose newest change is held is fed again all the same.
func (a *applier) record(c *arrival, key syncproto.RecordKey, v *syncproto.Verdict) (syncproto.VerdictKind, syncproto.HeldReason, error) {
	if !c.namesRecord(key) {
		return a.unreadable(c)
	}
	before, err := readRecord(a.txn, c.union, key)
	if err != nil {
		return 0, 0, err
	}
	res, err := a.settle(c, key, before, v.Position)
	if err != nil {
		return 0, 0, err
	}
	is := merge.Hash(key, res.after)
	v.Hash = syncproto.RecordHash(is[:syncproto.RecordHashSize])
	if !c.own {
		a.doubtsOf(key, before, res.after)
		if key.Kind == KindCase {
			if err := a.judgeCase(c.union, before, res.after, c.change); err != nil {
				return 0, 0, err
			}
		}
	}
	if res.bytes == nil {
		res.bytes = res.after.Encode()
	}
	if err := a.put(c.union, key, before, res.bytes, v.Position); err != nil {
		return 0, 0, err
	}
	a.touched = append(a.touched, recentRecord{v.Position, unionKey{c.union, key}, res.after, len(res.bytes)})
	return res.kind, res.reason, a.digested(c.union, merge.Hash(key, before), is)
}

// namesRecord reports whether c can be read and names a record of its union.
func (c *arrival) namesRecord(key syncproto.RecordKey) bool {
	return c.change != nil && key.Kind != 0 && c.change.Union == c.union
}

// unreadable is held for good; only a drop may stand about it.
func (a *applier) unreadable(c *arrival) (syncproto.VerdictKind, syncproto.HeldReason, error) {
	early, err := a.takeEarly(c.place.Dot())
	if early == syncproto.VerbDrop {
		return syncproto.VerdictDropped, syncproto.HeldNot, err
	}
	if err == nil {
		err = a.forgetEarly(c.place.Dot(), early)
	}
	if !c.erased {
		a.unreadableHeld(c.place.Dot(), false)
	}
	return syncproto.VerdictHeld, c.reasonUnreadable(), err
}

func (c *arrival) reasonUnreadable() syncproto.HeldReason {
	switch {
	case c.erased:
		return syncproto.HeldErased
	case c.lost:
		return syncproto.HeldLost
	case c.change != nil && c.change.Union != c.union:
		return syncproto.HeldForeign
	default:
		return syncproto.HeldMalformed
	}
}

// editsMore reports whether c edits more than what may be edited of a kind that only grows.
func editsMore(c *syncproto.Change) bool {
	return slices.ContainsFunc(c.Edits, func(e syncproto.Edit) bool { return ownField(e.Field) })
}

// ownField reports whether a field is one of its kind, not one that every record has.
func ownField(n syncproto.FieldNumber) bool {
	return n != syncproto.FieldVoid && n != syncproto.FieldSameAs
}

func (a *applier) classes(n syncproto.KindNumber) merge.Classes { return Classes(a.kinds)(n) }

// put writes a record, its history and its place in the feed.
func (a *applier) put(union string, key syncproto.RecordKey, before *merge.Record, after []byte, p syncproto.Position) error {
	old := before != nil && before.Pos != 0
	if a.layout < layoutUnionLog {
		if err := a.putIndexes(union, key, old, before, p); err != nil {
			return err
		}
	} else if old {
		if err := a.set(keyUnionLog(union, before.Pos), unionLogValue(key, false)); err != nil {
			return err
		}
	}
	return a.set(keyRecord(union, key), after)
}

// putIndexes is what put does beside the record in a state of layout 0.
func (a *applier) putIndexes(union string, key syncproto.RecordKey, old bool, before *merge.Record, p syncproto.Position) error {
	if old {
		if err := a.delete(keyFeed(union, before.Pos)); err != nil {
			return err
		}
	}
	if err := a.set(keyFeed(union, p), appendRecordKey(nil, key)); err != nil {
		return err
	}
	return a.set(keyHistory(union, key, p), nil)
}

// tip moves the journal's tip: the change takes the place of the one before it, or stands
// beside the others when the journal went two ways.
func (a *applier) tip(c *arrival) error {
	t, err := a.tipsOf(c.union, c.place.Journal)
	if err != nil {
		return err
	}
	kept := t.Tips[:0]
	for _, x := range t.Tips {
		if x.GetSeq() != c.prev.Seq || !bytes.Equal(x.GetHash(), c.prev.Hash[:]) {
			kept = append(kept, x)
		}
	}
	grown := len(kept) == len(t.Tips) && len(kept) > 0
	t.Tips = append(kept, &entrypb.Tip{Seq: c.place.Seq, Hash: c.place.Hash[:]})
	if grown {
		a.raise(forkOf(c.place.Journal, t))
	}
	a.tips.changed = true
	return nil
}
