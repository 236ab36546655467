package store

import (
	"encoding/binary"
	"errors"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// Update is what one page of an exchange changes. Its parts are applied together.
type Update struct {
	Verdicts []SeqVerdict
	Puts     []Put                 // records as the centre gave them
	Drops    []syncproto.RecordKey // records that the centre does not have
	Meta     *Meta                 // nil: as it was
	Want     []syncproto.RecordKey // ask for these
	Unwant   []syncproto.RecordKey // these were answered
	Confirm  []syncproto.RecordKey // mark as to be confirmed
	Settle   []syncproto.RecordKey // end that mark
	Relay    []Own                 // own changes to lay over again, when Meta.Settled goes back
	Lineage  syncproto.Lineage     // every life of the centre that is known from now on; nil: as it was
}

// SeqVerdict is the verdict on the own change numbered Seq.
type SeqVerdict struct {
	Seq     uint64
	Verdict syncproto.Verdict
}

// Put is a record as the centre gave it.
type Put struct {
	Key    syncproto.RecordKey
	Record *merge.Record
}

// Settle writes an update: the layer, its digest, which own changes are pending, the
// views of all records concerned, and the state. Readers see all of it or nothing.
func (s *Store) Settle(u Update) error {
	return s.change(func(b *batch, st *State) error {
		t := settling{s: s, b: b, st: st, touched: map[syncproto.RecordKey]bool{}}
		return t.run(u)
	})
}

// settling is one run of Settle.
type settling struct {
	s       *Store
	b       *batch
	st      *State
	touched map[syncproto.RecordKey]bool // records whose view is made again
}

func (t *settling) run(u Update) error {
	t.relearn(u.Lineage)
	for _, p := range u.Puts {
		if err := t.put(p.Key, p.Record); err != nil {
			return err
		}
	}
	for _, key := range u.Drops {
		if err := t.put(key, nil); err != nil {
			return err
		}
	}
	for _, v := range u.Verdicts {
		if err := t.verdict(v); err != nil {
			return err
		}
	}
	if u.Meta != nil {
		t.st.Meta = *u.Meta
		if err := t.settle(); err != nil {
			return err
		}
	}
	for _, o := range u.Relay {
		if err := t.relay(o); err != nil {
			return err
		}
	}
	if err := t.marks(u); err != nil {
		return err
	}
	for _, key := range sortedKeys(t.touched) {
		if err := t.s.recompute(t.b, t.st.Journal, key); err != nil {
			return err
		}
	}
	return nil
}

// put writes a record of the layer, or removes it, and keeps the digest. The index is
// taken from the view before it, so that recompute can go on from the layer alone.
func (t *settling) put(key syncproto.RecordKey, rec *merge.Record) error {
	r := t.b.read()
	old, err := r.record(keyLayer, key)
	if err != nil {
		return err
	}
	if !t.touched[key] {
		shown, err := r.shown(key)
		if err != nil {
			return err
		}
		if err := t.s.setTokens(t.b, key, shown, nil); err != nil {
			return err
		}
		if err := t.b.delIfThere(recordKey(keyView, key)); err != nil {
			return err
		}
		if err := t.s.setTokens(t.b, key, nil, old); err != nil {
			return err
		}
		t.touched[key] = true
	}
	if err := t.s.setTokens(t.b, key, old, rec); err != nil {
		return err
	}
	t.st.Digest = merge.Xor(t.st.Digest, merge.Hash(key, old))
	if rec == nil {
		return t.b.del(recordKey(keyLayer, key))
	}
	t.st.Digest = merge.Xor(t.st.Digest, merge.Hash(key, rec))
	return t.b.set(recordKey(keyLayer, key), rec.Encode())
}

// verdict notes the centre's answer: what it keeps off the record is not pending any
// more, the position of anything else tells when the layer holds it.
func (t *settling) verdict(v SeqVerdict) error {
	key, ok, err := t.owner(v.Seq)
	if err != nil || !ok {
		return err
	}
	t.touched[key] = true
	o := Own{Verdict: v.Verdict}
	if o.out() {
		return t.unlay(key, v.Seq)
	}
	k := pendingKey(key, v.Seq)
	value, err := t.b.read().get(k)
	if err != nil || len(value) < pendingHead {
		return errors.Join(err, errPending)
	}
	old := syncproto.Position(binary.BigEndian.Uint64(value))
	if all := t.s.early[v.Seq]; old != 0 && old != v.Verdict.Position && !slices.Contains(all, old) {
		if err := t.s.setEarlier(t.b, v.Seq, append(slices.Clone(all), old)); err != nil {
			return err
		}
	}
	binary.BigEndian.PutUint64(value, uint64(v.Verdict.Position))
	return t.b.set(k, value)
}

// owner gives the record of a pending own change.
func (t *settling) owner(seq uint64) (key syncproto.RecordKey, ok bool, err error) {
	b, err := t.b.read().get(ownKey(seq))
	if err != nil || b == nil {
		return key, false, err
	}
	key, ok = parseRecordKey(b)
	return key, ok, nil
}

func (t *settling) unlay(key syncproto.RecordKey, seq uint64) error {
	t.s.laid.remove(key, seq)
	if err := t.b.del(pendingKey(key, seq)); err != nil {
		return err
	}
	if err := t.s.setEarlier(t.b, seq, nil); err != nil {
		return err
	}
	return t.b.del(ownKey(seq))
}

// settle removes the pending changes that are settled now.
func (t *settling) settle() error {
	type found struct {
		key syncproto.RecordKey
		seq uint64
	}
	var done []found
	for key, seqs := range t.s.laid {
		for _, seq := range seqs {
			if seq <= t.st.Settled.Seq {
				done = append(done, found{key, seq})
			}
		}
	}
	for _, d := range done { // in any order: each is removed, each record computed once
		t.touched[d.key] = true
		if err := t.unlay(d.key, d.seq); err != nil {
			return err
		}
	}
	return nil
}

// relay makes a settled own change pending again.
func (t *settling) relay(o Own) error {
	if o.Bytes == nil || o.out() {
		return nil
	}
	c, err := syncproto.DecodeChange(o.Bytes, o.Place.Journal)
	if err != nil {
		return nil //nolint:nilerr // as in lay: it is kept in the journal and shows nothing
	}
	t.touched[c.Key()] = true
	t.s.laid.add(c.Key(), o.Place.Seq)
	if err := t.s.setEarlier(t.b, o.Place.Seq, o.Earlier); err != nil {
		return err
	}
	if err := t.b.set(pendingKey(c.Key(), o.Place.Seq), encodePending(o)); err != nil {
		return err
	}
	return t.b.set(ownKey(o.Place.Seq), recordKey(0, c.Key())[1:])
}

func (t *settling) marks(u Update) error {
	for _, m := range []struct {
		prefix byte
		set    bool
		keys   []syncproto.RecordKey
	}{{keyWant, true, u.Want}, {keyWant, false, u.Unwant}, {keyConfirm, true, u.Confirm}, {keyConfirm, false, u.Settle}} {
		for _, key := range m.keys {
			write := t.b.del
			if m.set {
				write = func(k []byte) error { return t.b.set(k, nil) }
			}
			if err := write(recordKey(m.prefix, key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// recompute makes a record's view again: the layer with the pending changes over it.
func (s *Store) recompute(b *batch, journal syncproto.JournalID, key syncproto.RecordKey) error {
	r := b.read()
	before, err := r.shown(key)
	if err != nil {
		return err
	}
	after, own, err := s.compute(r, journal, key, s.laid[key], s.early)
	if err != nil {
		return err
	}
	if own {
		err = b.set(recordKey(keyView, key), after.Encode())
	} else {
		err = b.delIfThere(recordKey(keyView, key))
	}
	if err != nil {
		return err
	}
	return s.setTokens(b, key, before, after)
}

// compute gives what a record should show, and whether own changes lie over the layer.
func (s *Store) compute(r *readTxn, journal syncproto.JournalID, key syncproto.RecordKey, seqs []uint64, early earlier) (rec *merge.Record, own bool, err error) {
	layer, err := r.record(keyLayer, key)
	if err != nil {
		return nil, false, err
	}
	owns, err := r.pending(journal, key, seqs, early)
	if err != nil {
		return nil, false, err
	}
	rec = layer
	for _, o := range owns {
		c, err := syncproto.DecodeChange(o.Bytes, journal)
		if err != nil {
			return nil, false, err
		}
		if s.covers(layer, &o) {
			continue
		}
		rec, _ = merge.Merge(s.classes(key.Kind), rec, c, o.Place.Dot(), 0)
		own = true
	}
	return rec, own, nil
}

func sortedKeys(set map[syncproto.RecordKey]bool) []syncproto.RecordKey {
	out := make([]syncproto.RecordKey, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	slices.SortFunc(out, syncproto.RecordKey.Compare)
	return out
}
