package union

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"google.golang.org/protobuf/proto"

	"unionsync/agent/journal"
	"unionsync/agent/store"
	"unionsync/syncproto"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session"
	"unionsync/syncproto/syncpb"
)

// Facts that this package keeps in the journal's file.
const factBucket = "union"

var (
	factFetched = []byte("fetched") // the first fetch has finished once
	factLast    = []byte("last")    // the last exchange that ended well, Unix seconds
	factNext    = []byte("next")    // when the next one is due, Unix seconds
)

// Fact is one value that the exchange keeps in the journal's file, in a bucket of its own.
// Its key stands in clear there.
type Fact struct {
	Bucket string
	Key    []byte
	Value  []byte // nil: remove it
}

// Update is what one response of the centre changes here.
type Update struct {
	store.Update
	Receipt    []byte          // new receipt, as the exchange keeps it; nil: none
	ReceiptSeq uint64          // number of the last own change that it covers
	Keep       []session.Kept  // signed changes of others, in place of those kept under their dots
	Forget     []syncproto.Dot // kept ones that go
	Ended      []session.Ended // own held changes that somebody decided about
	Facts      []Fact
}

// facts reports whether anything is to be written to the journal's file.
func (up *Update) facts() bool {
	return up.Receipt != nil || len(up.Verdicts)+len(up.Facts)+len(up.Keep)+len(up.Forget)+len(up.Ended) > 0 || up.Lineage != nil
}

// Settle writes an update: first the facts, verdicts and the receipt in one fsynced
// transaction of the journal's file, then the store. A crash in between leaves verdicts
// without the records: the same page is fetched again. A store that fails here is made
// again by whoever uses it next, and the page too is fetched again.
func (u *Union) Settle(up Update) error {
	u.write.Lock()
	defer u.write.Unlock()
	if err := u.checkRoom(); err != nil {
		return err
	}
	s, err := u.store()
	if err != nil {
		return err
	}
	before := s.State()
	fetched := up.Meta != nil && up.Meta.Fetched && !before.Fetched
	if up.facts() || fetched {
		lives, err := lifeFacts(up.Lineage)
		if err != nil {
			return fmt.Errorf("settle: %w", err)
		}
		up.Facts = append(lives, up.Facts...)
		if err := u.j.Update(func(tx *journal.Tx) error { return putFacts(tx, up, fetched) }); err != nil {
			return fmt.Errorf("settle: %w", err)
		}
	}
	if up.Lineage != nil {
		if err := u.loadLineage(); err != nil {
			return fmt.Errorf("settle: %w", err)
		}
		u.answeredTo.Store(0) // what was answered in a life that is lost is not
		up.Lineage = u.lineage()
	}
	if up.Meta != nil && up.Meta.Settled.Seq < before.Settled.Seq {
		if up.Relay, err = u.ownBetween(up.Meta.Settled.Seq+1, before.Settled.Seq); err != nil {
			return fmt.Errorf("settle: %w", err)
		}
	}
	if err := s.Settle(up.Update); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}

func putFacts(tx *journal.Tx, up Update, fetched bool) error {
	for _, v := range up.Verdicts {
		if err := tx.PutVerdict(v.Seq, v.Verdict); err != nil {
			return err
		}
	}
	if up.Receipt != nil {
		if err := tx.PutReceipt(up.ReceiptSeq, up.Receipt); err != nil {
			return err
		}
	}
	for _, d := range up.Forget {
		if err := tx.Forget(d); err != nil {
			return err
		}
	}
	for _, k := range up.Keep {
		if err := tx.Keep(k); err != nil {
			return err
		}
	}
	for _, e := range up.Ended {
		if err := tx.PutEnded(e); err != nil {
			return err
		}
	}
	if fetched {
		if err := tx.Put(factBucket, factFetched, []byte{1}); err != nil {
			return err
		}
	}
	for _, f := range up.Facts {
		if err := putFact(tx, f); err != nil {
			return err
		}
	}
	return nil
}

func putFact(tx *journal.Tx, f Fact) error {
	if f.Value == nil {
		return tx.Delete(f.Bucket, f.Key)
	}
	return tx.Put(f.Bucket, f.Key, f.Value)
}

func (u *Union) ownBetween(from, to uint64) ([]store.Own, error) {
	var out []store.Own
	err := u.j.Range(from, to, func(f journal.Frame) error {
		own, err := u.own(f)
		out = append(out, own)
		return err
	})
	return out, err
}

// PutFacts keeps values in one fsynced transaction, such as the nonce of a request before
// it leaves.
func (u *Union) PutFacts(facts ...Fact) error {
	return u.j.Update(func(tx *journal.Tx) error {
		for _, f := range facts {
			if err := putFact(tx, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// Fact gives a value kept by [Union.Settle] or [Union.PutFacts], nil if there is none.
func (u *Union) Fact(bucket string, key []byte) ([]byte, error) { return u.j.Get(bucket, key) }

// EachFact calls do for every value of a bucket in the order of keys. do must not use the
// union.
func (u *Union) EachFact(bucket string, do func(key, value []byte) error) error {
	return u.j.Each(bucket, do)
}

// LastExchange says when the last exchange ended well; [Union.Status] shows it.
func LastExchange(unix int64) Fact { return timeFact(factLast, unix) }

// NextExchange says when the next exchange is due.
func NextExchange(unix int64) Fact { return timeFact(factNext, unix) }

func timeFact(key []byte, unix int64) Fact {
	return Fact{Bucket: factBucket, Key: key, Value: binary.BigEndian.AppendUint64(nil, uint64(unix))}
}

// NewestReceipt gives the receipt that covers most and still counts, as the exchange kept
// it, and the place of the last own change that it covers. One whose position a later life
// of the centre did not keep does not count: what it covers is to be delivered again. Nor
// does one that knows more than this journal, which then is an older copy. Nothing and the
// zero place while there is none.
func (u *Union) NewestReceipt() (syncproto.Place, *syncpb.Receipt, error) {
	return u.receipt(u.lineage())
}

func (u *Union) receipt(l syncproto.Lineage) (place syncproto.Place, out *syncpb.Receipt, err error) {
	for r, seq := range u.receipts(&err) {
		if !holds(l, syncproto.Position(r.GetPosition())) {
			continue
		}
		p, ok, err := u.place(seq)
		if err != nil {
			return place, nil, err
		}
		if ok && bytes.Equal(p.Hash.Wire(), r.GetPlace().GetHash()) {
			return p, r, nil
		}
	}
	return place, nil, err
}

// receipts goes through the receipts, the one that covers most first. One that cannot be
// read is left out.
func (u *Union) receipts(failed *error) iter.Seq2[*syncpb.Receipt, uint64] {
	return func(yield func(*syncpb.Receipt, uint64) bool) {
		type one struct {
			seq uint64
			b   []byte
		}
		var all []one
		if *failed = u.j.Receipts(func(seq uint64, b []byte) bool {
			all = append(all, one{seq, b})
			return true
		}); *failed != nil {
			return
		}
		for _, o := range all {
			r := &syncpb.Receipt{}
			if proto.Unmarshal(o.b, r) == nil && !yield(r, o.seq) {
				return
			}
		}
	}
}

// JournalID names this PC's journal of the union.
func (u *Union) JournalID() syncproto.JournalID { return u.j.ID() }

// Head is the newest own change.
func (u *Union) Head() syncproto.Place { return u.j.Head() }

// State gives what the store knows of itself.
func (u *Union) State() (store.State, error) {
	s, err := u.store()
	if err != nil {
		return store.State{}, err
	}
	return s.State(), nil
}

// Wants gives at most limit records that the centre is to be asked for by name.
func (u *Union) Wants(limit int) ([]syncproto.RecordKey, error) {
	s, err := u.store()
	if err != nil {
		return nil, err
	}
	return s.Wants(limit)
}

// WriteBase replaces the base: at the end of an exchange that changed something.
func (u *Union) WriteBase() error {
	s, err := u.store()
	if err == nil {
		err = u.checkRoom()
	}
	if err != nil {
		return err
	}
	return s.WriteBase()
}

// DropAsides removes the stores that were set aside: after an exchange that ended with
// equal digests.
func (u *Union) DropAsides() error {
	s, err := u.store()
	if err != nil {
		return err
	}
	return s.DropAsides()
}

// Classes gives the merge classes of a kind.
func (u *Union) Classes(n syncproto.KindNumber) merge.Classes { return u.classes(n) }

// OwnChanges is the journal as a session reads it.
type OwnChanges struct{ u *Union }

var _ session.Journal = OwnChanges{}

// OwnChanges gives the journal as a session reads it.
func (u *Union) OwnChanges() OwnChanges { return OwnChanges{u} }

// After implements [session.Journal].
func (o OwnChanges) After(seq uint64, maxBytes, maxChanges int) ([]syncproto.Placed, error) {
	var out []syncproto.Placed
	err := o.u.j.Range(seq+1, o.u.j.Head().Seq, func(f journal.Frame) error {
		if len(out) >= maxChanges || len(out) > 0 && len(f.Bytes) > maxBytes {
			return errEnough
		}
		maxBytes -= len(f.Bytes)
		out = append(out, placed(f))
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("read own changes: %w", err)
	}
	return out, nil
}

// placed is a frame as a session reads it. What cannot be decoded goes with its bytes: the
// centre decides about it.
func placed(f journal.Frame) syncproto.Placed {
	p := syncproto.Placed{Place: f.Place, Bytes: f.Bytes}
	if f.Bytes != nil {
		if c, err := syncproto.DecodeChange(f.Bytes, f.Place.Journal); err == nil {
			p.Change = c
		}
	}
	return p
}

// Place implements [session.Journal].
func (o OwnChanges) Place(seq uint64) (syncproto.Place, bool, error) { return o.u.place(seq) }

// Verdict implements [session.Journal].
func (o OwnChanges) Verdict(seq uint64) (syncproto.Verdict, bool, error) { return o.u.j.Verdict(seq) }

// Receipt implements [session.Journal].
func (o OwnChanges) Receipt(l syncproto.Lineage) (syncproto.Place, error) {
	p, _, err := o.u.receipt(l)
	return p, err
}

// Stale implements [session.Keeper].
func (o OwnChanges) Stale(l syncproto.Lineage) ([]session.Kept, error) { return o.u.j.Stale(l) }

// Kept implements [session.Keeper].
func (o OwnChanges) Kept(d syncproto.Dot) (session.Kept, bool, error) { return o.u.j.Kept(d) }

// Archived implements [session.Keeper].
func (o OwnChanges) Archived(p syncproto.Position, l syncproto.Lineage) ([]syncproto.Dot, error) {
	return o.u.j.Archived(p, l)
}

// Certificate implements [session.Keeper].
func (o OwnChanges) Certificate(signer []byte) ([]byte, error) {
	return o.u.j.Get(certificateBucket, signer)
}

// CentreRecords is the layer as a session reads it.
type CentreRecords struct{ s *store.Store }

var _ session.Layer = CentreRecords{}

// CentreRecords gives the records as the centre last gave them.
func (u *Union) CentreRecords() (CentreRecords, error) {
	s, err := u.store()
	return CentreRecords{s}, err
}

// Record implements [session.Layer].
func (c CentreRecords) Record(key syncproto.RecordKey) (*merge.Record, error) { return c.s.Layer(key) }

// Keys implements [session.Layer].
func (c CentreRecords) Keys() ([]syncproto.RecordKey, error) { return c.s.LayerKeys() }
