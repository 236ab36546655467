package store

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// restored is an agent's store beside a centre that is restored again and again. It knows by
// dots, not by positions, which changes the layer's records hold.
type restored struct {
	t   testing.TB
	dir string
	s   *Store
	j   *fakeJournal // own changes; the centre's side of it is not used

	lineage syncproto.Lineage
	log     []logged
	next    uint64
	others  uint64
	lost    []logged // foreign changes that the centre lost: others send them again

	layer  map[syncproto.RecordKey]held
	based  map[syncproto.RecordKey]held
	stamps bool // a base was written

	most uint64 // the session settles at most these own changes
}

// logged is one change as the centre has it.
type logged struct {
	pos syncproto.Position
	dot syncproto.Dot
	c   *syncproto.Change
}

// held is a record of the layer and the changes in it.
type held struct {
	rec  *merge.Record
	dots map[syncproto.Dot]bool
}

func newRestored(t testing.TB) *restored {
	m := &restored{t: t, dir: t.TempDir(), j: newJournal(), layer: map[syncproto.RecordKey]held{}, lineage: syncproto.Lineage{{Number: 1}}, most: 1 << 60}
	m.open()
	return m
}

func (m *restored) open() {
	m.t.Helper()
	o, src := testOptions(), m.j.source()
	o.Lineage = m.lineage
	src.Standing = func(seq uint64) (uint64, error) { return min(seq, m.standing()), nil }
	var err error
	m.s, _, err = Open(m.dir, src, o)
	must(m.t, err)
	m.t.Cleanup(func() { _ = m.s.Close() }) // tests close in their own way
}

// standing is the end of the run of own changes whose verdicts the lineage holds.
func (m *restored) standing() uint64 {
	for i, o := range m.j.owns {
		if o.Verdict.Position == 0 || !m.lineage.Holds(o.Verdict.Position) {
			return uint64(i)
		}
	}
	return uint64(len(m.j.owns))
}

func (m *restored) newest() uint16 { return m.lineage.Newest().Number }

func (m *restored) append(l logged) syncproto.Position {
	m.next++
	l.pos = syncproto.MakePosition(m.newest(), m.next)
	m.log = append(m.log, l)
	return l.pos
}

// centre gives a record as the centre has it.
func (m *restored) centre(key syncproto.RecordKey) held {
	h := held{dots: map[syncproto.Dot]bool{}}
	for _, l := range m.log {
		if l.c.Key() == key {
			h.rec, _ = merge.Merge(classes(key.Kind), h.rec, l.c, l.dot, l.pos)
			h.dots[l.dot] = true
		}
	}
	return h
}

func key(id byte) syncproto.RecordKey {
	return syncproto.RecordKey{Kind: testKind, ID: syncproto.RecordID{id}}
}

func (m *restored) save(id byte) {
	must(m.t, m.s.Add([]Own{m.j.append(m.s, id, fmt.Sprint("own ", len(m.j.owns)), fmt.Sprint(len(m.j.owns)))}))
}

// foreign lets somebody change a record at the centre who sees all of it.
func (m *restored) foreign(id byte) {
	m.others++
	seen := m.centre(key(id)).rec
	c := &syncproto.Change{Union: testUnion, Kind: testKind, ID: key(id).ID, Edits: []syncproto.Edit{{
		Field: fieldName, Value: []byte(fmt.Sprint("other ", m.others)), Overwrote: seen.SeenDots(fieldName, syncproto.ClassAsk)}}}
	m.append(logged{dot: syncproto.Dot{Journal: 99, Seq: m.others, Tag: 1}, c: c})
}

// again lets others send what the centre lost of theirs.
func (m *restored) again() {
	for _, l := range m.lost {
		m.append(l)
	}
	m.lost = nil
}

// send gives the centre up to n own changes that it lacks, in order, and settles the
// verdicts; the records come too where fetch says so.
func (m *restored) send(n int, fetch func(syncproto.RecordKey) bool) {
	var u Update
	has := map[syncproto.Dot]bool{}
	for _, l := range m.log {
		has[l.dot] = true
	}
	for i := range m.j.owns {
		o := &m.j.owns[i]
		if has[o.Place.Dot()] || n == 0 {
			continue
		}
		n--
		c, err := syncproto.DecodeChange(o.Bytes, journalID)
		must(m.t, err)
		if o.Verdict.Position != 0 {
			o.Earlier = append(o.Earlier, o.Verdict.Position)
		}
		o.Verdict = syncproto.Verdict{Kind: syncproto.VerdictApplied, Position: m.append(logged{dot: o.Place.Dot(), c: c})}
		u.Verdicts = append(u.Verdicts, SeqVerdict{Seq: o.Place.Seq, Verdict: o.Verdict})
		if fetch(c.Key()) {
			m.put(&u, c.Key())
		}
	}
	m.settle(u)
}

func (m *restored) put(u *Update, key syncproto.RecordKey) {
	h := m.centre(key)
	if h.rec == nil {
		delete(m.layer, key)
		u.Drops = append(u.Drops, key)
		return
	}
	m.layer[key] = h
	u.Puts = slices.DeleteFunc(u.Puts, func(p Put) bool { return p.Key == key })
	u.Puts = append(u.Puts, Put{Key: key, Record: h.rec})
}

// settle hands an update over as the driver does: settled is what the verdicts that stand
// and the layer say, and what is settled no more is laid over again.
func (m *restored) settle(u Update) {
	before := m.s.State().Settled.Seq
	settled := uint64(0)
	for _, o := range m.j.owns[:min(m.standing(), m.most)] {
		c, err := syncproto.DecodeChange(o.Bytes, journalID)
		must(m.t, err)
		if !m.layer[c.Key()].dots[o.Place.Dot()] {
			break
		}
		settled = o.Place.Seq
	}
	meta := m.s.State().Meta
	meta.Settled, meta.Fetched = syncproto.Place{Journal: journalID}, true
	if settled > 0 {
		meta.Settled = m.j.owns[settled-1].Place
	}
	for _, o := range m.j.owns[min(settled, before):before] {
		if o.Place.Seq > settled {
			u.Relay = append(u.Relay, o)
		}
	}
	u.Meta = &meta
	must(m.t, m.s.Settle(u))
}

// fetch brings a record of the centre.
func (m *restored) fetch(id byte) {
	var u Update
	m.put(&u, key(id))
	m.settle(u)
}

// restore puts the centre back to the first n changes of its log and lets the agent learn of
// it.
func (m *restored) restore(n int) {
	base := syncproto.Position(0)
	if n > 0 {
		base = m.log[n-1].pos
	}
	for _, l := range m.log[n:] {
		if l.dot.Journal == 99 {
			m.lost = append(m.lost, l)
		}
	}
	m.log = m.log[:n]
	m.next = 0
	m.lineage, _ = m.lineage.With(syncproto.Generation{Number: m.newest() + 1, Base: base})
	m.settle(Update{Lineage: m.lineage})
}

func (m *restored) base() {
	must(m.t, m.s.WriteBase())
	m.based, m.stamps = maps.Clone(m.layer), true
}

// kill leaves the store without a clean close.
func (m *restored) kill() {
	dir, err := os.MkdirTemp(m.t.TempDir(), "killed")
	must(m.t, err)
	must(m.t, os.CopyFS(dir, os.DirFS(m.dir)))
	must(m.t, m.s.Close())
	m.dir, m.layer = dir, map[syncproto.RecordKey]held{}
	if m.stamps {
		m.layer = maps.Clone(m.based)
	}
	m.open()
}

// want is what must be shown: the layer's records with every own change over them that, by
// its dot, is not in there.
func (m *restored) want() map[string]string {
	recs := map[syncproto.RecordKey]*merge.Record{}
	for k, h := range m.layer {
		recs[k] = h.rec
	}
	for _, o := range m.j.owns {
		c, err := syncproto.DecodeChange(o.Bytes, journalID)
		must(m.t, err)
		if !m.layer[c.Key()].dots[o.Place.Dot()] {
			recs[c.Key()], _ = merge.Merge(classes(c.Kind), recs[c.Key()], c, o.Place.Dot(), 0)
		}
	}
	out := map[string]string{}
	for k, r := range recs {
		out[k.ID.String()] = string(r.Encode())
	}
	return out
}

func (m *restored) check(t rapid.TB, when string) {
	t.Helper()
	if d := cmp.Diff(m.want(), shown(m.t, m.s)); d != "" {
		t.Fatalf("%s: an own change is missing or shown twice: %s", when, d)
	}
	if c, err := m.s.Check(); c.Digest != c.Stored || c.Wrong > 0 || err != nil {
		t.Fatalf("%s: check: %+v %v", when, c, err)
	}
}

// TestRestoredCentre: an own change that somebody else's followed, lost by a restore, sent
// again half way: it is shown once all the time, as what it is, also after a power cut.
func TestRestoredCentre(t *testing.T) {
	m := newRestored(t)
	never := func(syncproto.RecordKey) bool { return false }
	m.save(1)
	m.send(1, func(syncproto.RecordKey) bool { return true })
	m.foreign(1)
	m.fetch(1)
	m.base()
	m.check(t, "before")
	m.restore(0)
	m.check(t, "the centre lost all of it")
	m.foreign(1)
	m.fetch(1)
	m.check(t, "the record as it began anew")
	m.restore(0)
	m.most = 0
	m.base()
	m.send(1, never)
	m.check(t, "own part sent again, record not fetched")
	m.kill()
	m.check(t, "then a power cut")
	m.fetch(1)
	m.check(t, "the record without the other's change")
	m.again()
	m.fetch(1)
	m.check(t, "all is back, nothing settled")
	m.most = 1
	m.fetch(1)
	m.check(t, "all is back")
	if n := m.s.State().Settled.Seq; n != 1 {
		t.Errorf("settled up to %d", n)
	}
}

// TestRefilledOverStale: the record is still the one from before the restore, which holds
// both changes; the own one has its new verdict already and nothing is settled.
func TestRefilledOverStale(t *testing.T) {
	m := newRestored(t)
	m.save(1)
	m.send(1, func(syncproto.RecordKey) bool { return true })
	m.foreign(1)
	m.fetch(1)
	m.base()
	m.most = 0
	m.restore(0)
	m.send(1, func(syncproto.RecordKey) bool { return false })
	m.check(t, "sent again")
	m.kill()
	m.check(t, "after a power cut")
}

// TestRestoredMarks: a base from before a restore, made into a store after it, asks to be
// confirmed where it must and goes back with its cursor.
func TestRestoredMarks(t *testing.T) {
	m := newRestored(t)
	for id := byte(1); id <= 3; id++ {
		m.foreign(id)
		m.fetch(id)
	}
	meta := m.s.State().Meta
	meta.Cursor, meta.Whole = m.log[2].pos, m.log[2].pos
	meta.Proved = Proof{At: meta.Cursor, Done: true}
	must(t, m.s.Settle(Update{Meta: &meta}))
	m.base()
	must(t, m.s.Close()) // cleanly: the lives are learned behind its back
	m.lineage, _ = m.lineage.With(syncproto.Generation{Number: 2, Base: m.log[1].pos})
	m.open()
	marks, err := m.s.Confirms(10)
	if d := cmp.Diff([]syncproto.RecordKey{key(3)}, marks); d != "" || err != nil {
		t.Error(d, err)
	}
	if st := m.s.State(); st.Cursor != m.log[1].pos || st.Whole != m.log[1].pos || st.Proved.Done {
		t.Errorf("cursor %s, whole %s, proved %v", st.Cursor, st.Whole, st.Proved.Done)
	}
}

// TestRestoredLife: random saves, others' changes, restores, refills that stop anywhere,
// fetches, bases and power cuts.
func TestRestoredLife(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := newRestored(t)
		defer func() { _ = m.s.Close() }()
		id := func() byte { return rapid.ByteRange(1, 3).Draw(r, "id") }
		for range rapid.IntRange(1, 14).Draw(r, "steps") {
			action := rapid.SampledFrom([]string{"save", "foreign", "send", "send", "fetch", "fetch", "restore", "again", "base", "kill", "close"}).Draw(r, "action")
			switch action {
			case "save":
				m.save(id())
			case "foreign":
				m.foreign(id())
			case "send":
				m.send(rapid.IntRange(1, 3).Draw(r, "n"), func(syncproto.RecordKey) bool { return rapid.Bool().Draw(r, "fetched") })
			case "fetch":
				m.fetch(id())
			case "restore":
				m.restore(rapid.IntRange(0, len(m.log)).Draw(r, "to"))
			case "again":
				m.again()
			case "base":
				m.base()
			case "kill":
				m.kill()
			case "close":
				must(t, m.s.Close())
				m.open()
			}
			m.most = rapid.SampledFrom([]uint64{0, 1, 1 << 60}).Draw(r, "most")
			m.check(r, action)
		}
	})
}
