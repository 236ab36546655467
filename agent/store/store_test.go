package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

const (
	testKind  = syncproto.KindNumber(2)
	fieldName = syncproto.FieldNumber(10)
	fieldNo   = syncproto.FieldNumber(11)
	testUnion = "0579-1"
)

var testKey = [32]byte{4, 5, 6}

func classes(syncproto.KindNumber) merge.Classes {
	return func(f syncproto.FieldNumber) syncproto.MergeClass {
		if f == fieldNo {
			return syncproto.ClassLatest
		}
		return syncproto.ClassAsk
	}
}

func tokens(_ syncproto.RecordKey, r *merge.Record) [][]byte {
	if v, ok := r.Value(fieldNo); ok {
		return [][]byte{v}
	}
	return nil
}

// testRand goes on from store to store: two bases never have one stamp.
var testRand = rand.NewChaCha8([32]byte{1})

func testOptions() Options {
	return Options{Key: &testKey, Rand: testRand, Classes: classes, Tokens: tokens}
}

// fakeJournal is a journal in memory, together with a centre that answers it.
type fakeJournal struct {
	owns    []Own
	centre  map[syncproto.RecordKey]*merge.Record
	pos     syncproto.Position
	settled int // own changes that the centre has merged or held
}

func newJournal() *fakeJournal {
	return &fakeJournal{centre: map[syncproto.RecordKey]*merge.Record{}, pos: syncproto.MakePosition(1, 0)}
}

const journalID = syncproto.JournalID(77)

func (j *fakeJournal) head() syncproto.Place {
	if len(j.owns) == 0 {
		return syncproto.Place{Journal: journalID}
	}
	return j.owns[len(j.owns)-1].Place
}

// append makes a change of one record that sets both fields.
func (j *fakeJournal) append(s *Store, id byte, name, no string) Own {
	key := syncproto.RecordKey{Kind: testKind, ID: syncproto.RecordID{id}}
	var seen *merge.Record
	if s != nil {
		seen, _ = s.View(key)
	}
	c := syncproto.Change{Union: testUnion, Kind: testKind, ID: key.ID, KindVersion: 1, Edits: []syncproto.Edit{
		{Field: fieldName, Value: []byte(name), Overwrote: seen.SeenDots(fieldName, syncproto.ClassAsk)},
		{Field: fieldNo, Value: []byte(no), Overwrote: seen.SeenDots(fieldNo, syncproto.ClassLatest)},
	}}
	b := c.Encode(journalID)
	o := Own{Place: j.head().Next(b), Bytes: b}
	j.owns = append(j.owns, o)
	return o
}

func (j *fakeJournal) source() Source {
	return Source{
		Head: j.head(),
		Place: func(seq uint64) (syncproto.Place, bool, error) {
			if seq == 0 || seq > uint64(len(j.owns)) {
				return syncproto.Place{}, false, nil
			}
			return j.owns[seq-1].Place, true, nil
		},
		Own: func(after uint64, do func(Own) error) error {
			for _, o := range j.owns[min(after, uint64(len(j.owns))):] {
				if err := do(o); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// answer lets the centre merge the next n own changes, holding those for which hold says
// so, and gives the update that a page of an exchange would be.
func (j *fakeJournal) answer(n int, hold func(seq uint64) bool) Update {
	var u Update
	touched := map[syncproto.RecordKey]bool{}
	for range n {
		o := &j.owns[j.settled]
		j.settled++
		j.pos++
		c, err := syncproto.DecodeChange(o.Bytes, journalID)
		if err != nil {
			panic(err)
		}
		o.Verdict = syncproto.Verdict{Position: j.pos, Kind: syncproto.VerdictApplied}
		if hold != nil && hold(o.Place.Seq) {
			o.Verdict.Kind, o.Verdict.Reason = syncproto.VerdictHeld, syncproto.HeldValue
		} else {
			j.centre[c.Key()], _ = merge.Merge(classes(c.Kind), j.centre[c.Key()], c, o.Place.Dot(), j.pos)
			touched[c.Key()] = true
		}
		u.Verdicts = append(u.Verdicts, SeqVerdict{Seq: o.Place.Seq, Verdict: o.Verdict})
	}
	for _, key := range sortedKeys(touched) {
		u.Puts = append(u.Puts, Put{Key: key, Record: j.centre[key]})
	}
	u.Meta = &Meta{Cursor: j.pos, Whole: j.pos, Fetched: true}
	if j.settled > 0 {
		u.Meta.Settled = j.owns[j.settled-1].Place
	}
	return u
}

// foreign lets somebody else change a record at the centre.
func (j *fakeJournal) foreign(id byte, name string) Put {
	j.pos++
	key := syncproto.RecordKey{Kind: testKind, ID: syncproto.RecordID{id}}
	before := j.centre[key]
	c := &syncproto.Change{Union: testUnion, Kind: testKind, ID: key.ID, Edits: []syncproto.Edit{
		{Field: fieldName, Value: []byte(name), Overwrote: before.SeenDots(fieldName, syncproto.ClassAsk)}}}
	dot := syncproto.Dot{Journal: 99, Seq: j.pos.Count(), Tag: 1}
	j.centre[key], _ = merge.Merge(classes(testKind), before, c, dot, j.pos)
	return Put{Key: key, Record: j.centre[key]}
}

// want is the naive model of what is shown: the layer with all own changes over it that
// are neither settled nor held.
func (j *fakeJournal) want(layer map[syncproto.RecordKey]*merge.Record, settled uint64) map[string]string {
	recs := map[syncproto.RecordKey]*merge.Record{}
	for k, r := range layer {
		recs[k] = r
	}
	for _, o := range j.owns {
		if o.Place.Seq <= settled || o.out() {
			continue
		}
		c, err := syncproto.DecodeChange(o.Bytes, journalID)
		if err != nil {
			panic(err)
		}
		if rec := layer[c.Key()]; rec != nil && o.Verdict.Position != 0 && rec.Pos >= o.Verdict.Position {
			continue
		}
		recs[c.Key()], _ = merge.Merge(classes(c.Kind), recs[c.Key()], c, o.Place.Dot(), 0)
	}
	out := map[string]string{}
	for k, r := range recs {
		out[k.ID.String()] = string(r.Encode())
	}
	return out
}

func shown(t testing.TB, s *Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	var last string
	err := s.Each(testKind, syncproto.RecordID{}, func(id syncproto.RecordID, r *merge.Record) (bool, error) {
		if id.String() <= last {
			t.Errorf("records are out of order at %s", id)
		}
		last = id.String()
		out[last] = string(r.Encode())
		one, err := s.View(syncproto.RecordKey{Kind: testKind, ID: id})
		if err != nil || string(one.Encode()) != out[last] {
			t.Errorf("View and Each differ at %s: %v", id, err)
		}
		return true, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(t testing.TB, dir string, j *fakeJournal) (*Store, Opened) {
	t.Helper()
	s, met, err := Open(dir, j.source(), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // tests close in their own way
	return s, met
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAddAndSettle(t *testing.T) {
	dir, j := t.TempDir(), newJournal()
	s, met := open(t, dir, j)
	if met.Rebuilt || met.BaseLost {
		t.Errorf("a new store: %+v", met)
	}
	for i := range 6 {
		must(t, s.Add([]Own{j.append(s, byte(1+i%3), fmt.Sprint("name ", i), fmt.Sprint("no ", i))}))
	}
	check := func(settled uint64) {
		t.Helper()
		if d := cmp.Diff(j.want(j.centre, settled), shown(t, s)); d != "" {
			t.Error(d)
		}
		if c, err := s.Check(); c.Digest != c.Stored || c.Wrong > 0 || err != nil {
			t.Errorf("check: %+v %v", c, err)
		}
	}
	check(0)
	must(t, s.Settle(j.answer(4, func(seq uint64) bool { return seq == 2 })))
	check(4)
	must(t, s.Settle(j.answer(2, nil)))
	check(6)
	if p, err := s.Pending(syncproto.RecordKey{Kind: testKind, ID: syncproto.RecordID{1}}); len(p) > 0 || err != nil {
		t.Errorf("pending after all is settled: %v %v", p, err)
	}
	// A record that the centre does not have goes away.
	key := syncproto.RecordKey{Kind: testKind, ID: syncproto.RecordID{3}}
	delete(j.centre, key)
	must(t, s.Settle(Update{Drops: []syncproto.RecordKey{key}}))
	check(6)
}

func TestFind(t *testing.T) {
	s, _ := open(t, t.TempDir(), newJournal())
	j := newJournal()
	find := func(no string, want ...byte) {
		t.Helper()
		var ids []byte
		keys, err := s.Find(testKind, []byte(no))
		must(t, err)
		for _, k := range keys {
			ids = append(ids, k.ID[0])
		}
		if d := cmp.Diff(want, ids); d != "" {
			t.Errorf("find %s: %s", no, d)
		}
	}
	must(t, s.Add([]Own{j.append(s, 1, "a", "100"), j.append(s, 2, "b", "100")}))
	find("100", 1, 2)
	must(t, s.Add([]Own{j.append(s, 1, "a", "200")}))
	find("100", 2)
	find("200", 1)
	must(t, s.Settle(j.answer(3, nil)))
	find("100", 2)
	find("200", 1)
	// Somebody else's change moves the number away under an own pending change of the name.
	must(t, s.Settle(Update{Drops: []syncproto.RecordKey{{Kind: testKind, ID: syncproto.RecordID{2}}}}))
	find("100")
	if keys, err := s.Find(9, []byte("200")); len(keys) > 0 || err != nil {
		t.Errorf("found in another kind: %v %v", keys, err)
	}
}

// TestLargeUpdate: a page is larger than one of Badger's transactions may be.
func TestLargeUpdate(t *testing.T) {
	dir, j := t.TempDir(), newJournal()
	s, _ := open(t, dir, j)
	big := string(make([]byte, 2000))
	var owns []Own
	for i := range 250 {
		owns = append(owns, j.append(nil, byte(i), big, fmt.Sprint(i)))
	}
	must(t, s.Add(owns))
	must(t, s.Settle(j.answer(250, nil)))
	must(t, s.WriteBase())
	if d := cmp.Diff(j.want(j.centre, 250), shown(t, s)); d != "" {
		t.Error("shown records differ")
	}
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(dir, CleanName)))
	s, met := open(t, dir, j)
	if !met.Rebuilt || len(shown(t, s)) != 250 {
		t.Errorf("after an unclean stop: %+v, %d records", met, len(shown(t, s)))
	}
}

// TestMarks: wants and marks survive in base and store.
func TestMarks(t *testing.T) {
	dir, j := t.TempDir(), newJournal()
	s, _ := open(t, dir, j)
	k := func(id byte) syncproto.RecordKey {
		return syncproto.RecordKey{Kind: testKind, ID: syncproto.RecordID{id}}
	}
	must(t, s.Settle(Update{Want: []syncproto.RecordKey{k(1), k(2), k(3)}, Confirm: []syncproto.RecordKey{k(4), k(5)}}))
	must(t, s.Settle(Update{Unwant: []syncproto.RecordKey{k(2)}, Settle: []syncproto.RecordKey{k(4)}}))
	must(t, s.WriteBase())
	for _, unclean := range []bool{false, true} {
		must(t, s.Close())
		if unclean {
			must(t, os.Remove(filepath.Join(dir, CleanName)))
		}
		var met Opened
		if s, met = open(t, dir, j); met.Rebuilt != unclean {
			t.Errorf("unclean %v: %+v", unclean, met)
		}
		wants, err := s.Wants(10)
		if d := cmp.Diff([]syncproto.RecordKey{k(1), k(3)}, wants); d != "" || err != nil {
			t.Error(d, err)
		}
		confirms, err := s.Confirms(10)
		if d := cmp.Diff([]syncproto.RecordKey{k(5)}, confirms); d != "" || err != nil {
			t.Error(d, err)
		}
	}
	if wants, _ := s.Wants(1); len(wants) != 1 {
		t.Errorf("limit 1 gave %d", len(wants))
	}
}

// TestFailedWrite: a write that fails half way ends the store; the next Open makes it
// again, and what the journal has is shown.
func TestFailedWrite(t *testing.T) {
	dir, j := t.TempDir(), newJournal()
	s, _ := open(t, dir, j)
	must(t, s.Add([]Own{j.append(s, 1, "a", "1")}))
	s.fault = func() error { return errors.New("no space left on device") }
	if err := s.Add([]Own{j.append(s, 2, "b", "2")}); syncproto.CodeOf(err) != syncproto.CodeStoreFailed {
		t.Fatalf("add: %v", err)
	}
	if _, err := s.View(syncproto.RecordKey{}); syncproto.CodeOf(err) != syncproto.CodeStoreFailed || s.Broken() == nil {
		t.Errorf("a broken store was read: %v", err)
	}
	must(t, s.Close())
	s, met := open(t, dir, j)
	if d := cmp.Diff(j.want(nil, 0), shown(t, s)); d != "" || !met.Rebuilt {
		t.Error(d, met)
	}
	if n, err := s.Asides(); n != 1 || err != nil {
		t.Errorf("%d set aside, %v", n, err)
	}
}

// TestGapBreaksTheStore: changes that do not follow the head are not laid.
func TestGapBreaksTheStore(t *testing.T) {
	j := newJournal()
	s, _ := open(t, t.TempDir(), j)
	j.append(s, 1, "a", "1")
	if err := s.Add([]Own{j.append(s, 1, "b", "2")}); err == nil {
		t.Error("a gap was taken")
	}
}

// TestSettledGoesBack: after a restore of the centre, own changes are laid over again.
func TestSettledGoesBack(t *testing.T) {
	j := newJournal()
	s, _ := open(t, t.TempDir(), j)
	must(t, s.Add([]Own{j.append(s, 1, "a", "1"), j.append(s, 2, "b", "2")}))
	must(t, s.Settle(j.answer(2, nil)))
	// The centre was restored to before the second change, and lost the record.
	key := syncproto.RecordKey{Kind: testKind, ID: syncproto.RecordID{2}}
	delete(j.centre, key)
	o := j.owns[1]
	o.Verdict = syncproto.Verdict{}
	j.owns[1] = o
	must(t, s.Settle(Update{Drops: []syncproto.RecordKey{key}, Relay: []Own{o},
		Meta: &Meta{Settled: j.owns[0].Place, Fetched: true}}))
	if d := cmp.Diff(j.want(j.centre, 1), shown(t, s)); d != "" {
		t.Error(d)
	}
}

func TestAsidesAreKeptAndDropped(t *testing.T) {
	dir, j := t.TempDir(), newJournal()
	for range 4 {
		s, _ := open(t, dir, j)
		must(t, s.Close())
		must(t, os.Remove(filepath.Join(dir, CleanName)))
	}
	s, _ := open(t, dir, j)
	if got, err := s.asides(); !slices.Equal(got, []int{3, 4}) || err != nil {
		t.Errorf("set aside: %v %v", got, err)
	}
	must(t, s.DropAsides())
	if n, err := s.Asides(); n != 0 || err != nil {
		t.Errorf("after dropping: %d %v", n, err)
	}
}

func TestClosedStore(t *testing.T) {
	s, _ := open(t, t.TempDir(), newJournal())
	must(t, s.Close())
	must(t, s.Close())
	if _, err := s.View(syncproto.RecordKey{}); !errors.Is(err, errClosed) {
		t.Errorf("view: %v", err)
	}
	if err := s.Add(nil); !errors.Is(err, errClosed) {
		t.Errorf("add: %v", err)
	}
}

// TestNothingInClear: no value of a record stands readable in any file.
func TestNothingInClear(t *testing.T) {
	dir, j := t.TempDir(), newJournal()
	s, _ := open(t, dir, j)
	must(t, s.Add([]Own{j.append(s, 1, "a-name-in-clear", "a-number-in-clear")}))
	must(t, s.Settle(j.answer(1, nil)))
	must(t, s.WriteBase())
	must(t, s.Close())
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if binary.Size(b) > 0 && slices.Contains([]bool{contains(b, "in-clear"), contains(b, testUnion)}, true) {
			t.Errorf("%s holds a value in clear", d.Name())
		}
		return err
	}))
}

func contains(b []byte, s string) bool {
	for i := range len(b) - len(s) + 1 {
		if string(b[i:i+len(s)]) == s {
			return true
		}
	}
	return false
}
