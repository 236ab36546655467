package union

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"unionsync/agent/store"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/syncpb"
)

// faulty is a union whose store fails while fail is set, and whose disk is full while
// full is.
type faulty struct {
	*Union
	fail, full bool
}

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	f := &faulty{}
	u, err := Create(filepath.Join(t.TempDir(), "u"), "u1", Options{
		Key: &[32]byte{1}, Kinds: kind.Embedded(), Timeout: time.Millisecond,
		fault: func() error {
			if f.fail {
				return syscall.ENOSPC
			}
			return nil
		},
		Free: func(string) (uint64, error) {
			if f.full {
				return 0, nil
			}
			return 1 << 40, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Union = u
	t.Cleanup(func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := u.Settle(Update{Update: store.Update{Meta: &store.Meta{Fetched: true}}}); err != nil {
		t.Fatal(err)
	}
	return f
}

func aDisclosure(title string) Draft {
	return Draft{Kind: "disclosure", Text: map[string]string{"year": "2026", "category": "1", "title": title,
		"channels": "1", "start": "2026-01-01"}}
}

// firstOf gives the code of a kind's table that comes first: these tests need any.
func firstOf(t *testing.T, field string) string {
	t.Helper()
	k, err := kind.Embedded().Find("disclosure")
	if err != nil {
		t.Fatal(err)
	}
	f, err := k.Find(field)
	if err != nil {
		t.Fatal(err)
	}
	return f.Table.Codes[0].Code
}

func (f *faulty) save(t *testing.T, title string) (Saved, error) {
	t.Helper()
	d := aDisclosure(title)
	d.Text["category"], d.Text["channels"] = firstOf(t, "category"), firstOf(t, "channels")
	return f.Save(context.Background(), d)
}

func asides(f *faulty) (int, error) {
	names, err := filepath.Glob(filepath.Join(f.dir, store.AsideName+"*"))
	return len(names), err
}

func (f *faulty) titles(t *testing.T) int {
	t.Helper()
	p, err := f.List(context.Background(), Query{Kind: "disclosure"})
	if err != nil {
		t.Fatal(err)
	}
	return p.Total
}

// TestStoreFailsAfterTheAppend: the person is told "saved", and it is: the store is made
// again with the change in it.
func TestStoreFailsAfterTheAppend(t *testing.T) {
	f := newFaulty(t)
	if _, err := f.save(t, "一"); err != nil {
		t.Fatal(err)
	}
	f.fail = true
	saved, err := f.save(t, "二")
	if err != nil || saved.Place.Seq != 2 {
		t.Fatalf("a store that fails is not the person's trouble: %+v %v", saved, err)
	}
	// While it cannot be made again either, reading says so and what is saved stays.
	for range 3 {
		if _, err := f.List(context.Background(), Query{Kind: "disclosure"}); syncproto.CodeOf(err) != syncproto.CodeStoreFailed {
			t.Errorf("list: %v", err)
		}
	}
	if n, err := asides(f); n != 1 || err != nil {
		t.Errorf("trying again and again sets %d aside, %v", n, err)
	}
	f.fail = false
	if n := f.titles(t); n != 2 {
		t.Errorf("%d records after healing", n)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	u, err := Open(f.dir, f.o)
	if err != nil {
		t.Fatal(err)
	}
	f.Union = u
	defer func() { _ = u.Close() }()
	if n := f.titles(t); n != 2 {
		t.Errorf("%d records after opening again", n)
	}
	// A failure that passes is healed without opening again.
	f.fail = true
	if _, err := f.save(t, "三"); err != nil {
		t.Fatal(err)
	}
	f.fail = false
	if n := f.titles(t); n != 3 {
		t.Errorf("%d records after healing", n)
	}
	if st, err := f.Status(context.Background()); err != nil || !st.Rebuilt {
		t.Errorf("status: %+v %v", st, err)
	}
}

// TestFullDisk: a clear code, nothing changed, and once there is room again it works.
func TestFullDisk(t *testing.T) {
	f := newFaulty(t)
	f.full = true
	if _, err := f.save(t, "一"); syncproto.CodeOf(err) != syncproto.CodeDiskFull {
		t.Fatalf("save: %v", err)
	}
	if err := f.PutFacts(Fact{Bucket: "b", Key: []byte("k"), Value: []byte("v")}); syncproto.CodeOf(err) != syncproto.CodeDiskFull {
		t.Errorf("facts: %v", err)
	}
	if err := f.Settle(Update{}); syncproto.CodeOf(err) != syncproto.CodeDiskFull {
		t.Errorf("settle: %v", err)
	}
	if err := f.WriteBase(); syncproto.CodeOf(err) != syncproto.CodeDiskFull {
		t.Errorf("base: %v", err)
	}
	if _, err := Create(t.TempDir(), "u2", f.o); syncproto.CodeOf(err) != syncproto.CodeDiskFull {
		t.Errorf("create: %v", err)
	}
	if f.Head().Seq != 0 || f.titles(t) != 0 {
		t.Error("something was saved")
	}
	r, err := f.Doctor(context.Background(), 0)
	if err != nil || len(r.Findings) != 1 || r.Findings[0].Err.Code != syncproto.CodeFoundSpace {
		t.Errorf("doctor: %+v %v", r.Findings, err)
	}
	f.full = false
	if _, err := f.save(t, "一"); err != nil || f.titles(t) != 1 {
		t.Errorf("with room again: %v", err)
	}
	f.full = true // closing must not write either
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(f.dir, f.o); syncproto.CodeOf(err) != syncproto.CodeDiskFull {
		t.Errorf("open: %v", err)
	}
	f.full = false
	u, err := Open(f.dir, f.o)
	if err != nil {
		t.Fatal(err)
	}
	f.Union = u
	defer func() { _ = u.Close() }()
	if n := f.titles(t); n != 1 {
		t.Errorf("%d records at the end", n)
	}
}

// TestSettleFails: facts are on disk before the store fails; the page is fetched again.
func TestSettleFails(t *testing.T) {
	f := newFaulty(t)
	saved, err := f.save(t, "一")
	if err != nil {
		t.Fatal(err)
	}
	v := syncproto.Verdict{Position: syncproto.MakePosition(1, 1), Kind: syncproto.VerdictApplied}
	receipt, err := receiptBytes(&syncpb.Receipt{Place: &syncpb.Place{Seq: 1, Hash: saved.Place.Hash.Wire()}, Position: 7})
	if err != nil {
		t.Fatal(err)
	}
	up := Update{
		Update:  store.Update{Verdicts: []store.SeqVerdict{{Seq: 1, Verdict: v}}, Meta: &store.Meta{Fetched: true, Settled: saved.Place, Cursor: v.Position}},
		Receipt: receipt, ReceiptSeq: 1, Facts: []Fact{{Bucket: "b", Key: []byte("k"), Value: []byte("v")}},
	}
	f.fail = true
	if err := f.Settle(up); syncproto.CodeOf(err) != syncproto.CodeStoreFailed {
		t.Fatalf("settle: %v", err)
	}
	f.fail = false
	st, err := f.State()
	if err != nil || st.Cursor != 0 || st.Settled.Seq != 0 {
		t.Errorf("state after healing: %+v %v", st.Meta, err)
	}
	if p, b, err := f.NewestReceipt(); p != saved.Place || b.GetPosition() != 7 || err != nil {
		t.Errorf("receipt: %v %v %v", p, b, err)
	}
	if b, err := f.Fact("b", []byte("k")); string(b) != "v" || err != nil {
		t.Errorf("fact: %q %v", b, err)
	}
	if f.titles(t) != 1 {
		t.Error("the saved change is not shown")
	}
	if s, err := f.SessionState(); err != nil || s.Answered != 1 || s.Settled != 0 || s.Receipt != saved.Place {
		t.Errorf("session state: %+v %v", s, err)
	}
}

func TestIDs(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	s := idSource{now: func() time.Time { return now }, rand: constant(0xff)}
	var last syncproto.RecordID
	for i := range 5000 {
		if i == 3000 {
			now = now.Add(-time.Hour) // a clock that is put back
		}
		id, err := s.next()
		if err != nil {
			t.Fatal(err)
		}
		if id[6]>>4 != 7 || id[8]>>6 != 2 {
			t.Fatalf("%s is no UUID of version 7", id)
		}
		if (syncproto.RecordKey{ID: id}).Compare(syncproto.RecordKey{ID: last}) <= 0 {
			t.Fatalf("%s does not follow %s", id, last)
		}
		last = id
	}
	s.rand = broken{}
	if _, err := s.next(); err == nil {
		t.Error("an id without randomness")
	}
}

type constant byte

func (c constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("no randomness") }
