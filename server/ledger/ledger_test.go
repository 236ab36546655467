package ledger

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
	"unionsync/syncproto/session/sessiontest"
)

const memberKind syncproto.KindNumber = 2

// sessionAgent is an in-memory agent that merges by the kinds of the ledger.
func sessionAgent(union string, j syncproto.JournalID) *sessiontest.Agent {
	a := sessiontest.NewAgent(union, j, testHistory)
	a.Class = Classes(kind.Embedded())
	return a
}

func drawChange(t *rapid.T, name, phone syncproto.FieldNumber) syncproto.Change {
	c := syncproto.Change{Kind: memberKind, ID: syncproto.RecordID{15: byte(rapid.IntRange(1, 3).Draw(t, "record"))}, Actor: "clerk"}
	v := []byte(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "value"))
	switch rapid.IntRange(0, 3).Draw(t, "edit") {
	case 0:
		c.Edits = []syncproto.Edit{{Field: name, Value: v}}
	case 1:
		c.Edits = []syncproto.Edit{{Field: phone, Value: v}}
	case 2:
		c.Edits = []syncproto.Edit{{Field: name, Cleared: true}, {Field: phone, Value: v}}
	case 3:
		c.Kind = 3 // a kind that only grows: a second edit is held
		c.Edits = []syncproto.Edit{{Field: syncproto.FirstFieldNumber, Value: v}}
	}
	return c
}

// TestAgainstNaiveCentre: the ledger comes to the verdicts, digests and records of the
// plainest centre in memory, whatever is saved and sent; a replica that applies the same
// entries later, some of them twice, is equal to the last byte.
func TestAgainstNaiveCentre(t *testing.T) {
	name, phone := memberField(t, "name"), memberField(t, "mobile")
	rapid.Check(t, func(rt *rapid.T) {
		n := newNode(t, Config{Memory: true})
		n.apply(genesisWithout("case")) // the plain centre makes none; TestHeldLikePlain looks at them
		naive := sessiontest.NewCentre(testHistory)
		naive.Class = Classes(kind.Embedded())
		seen := map[syncproto.RecordKey]bool{}
		naive.Hold = func(c *syncproto.Change) syncproto.HeldReason {
			if c.Kind == 3 && seen[c.Key()] {
				return syncproto.HeldAppendOnly
			}
			seen[c.Key()] = true
			return syncproto.HeldNot
		}
		agents := []*sessiontest.Agent{sessionAgent("u1", 11), sessionAgent("u1", 12)}
		mirrors := []*sessiontest.Agent{sessionAgent("u1", 11), sessionAgent("u1", 12)}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			i := rapid.IntRange(0, 1).Draw(rt, "agent")
			if rapid.IntRange(0, 3).Draw(rt, "sync") == 0 {
				syncBoth(rt, n, naive, agents[i], mirrors[i])
				continue
			}
			c := drawChange(rt, name, phone)
			d := c
			d.Edits = append([]syncproto.Edit(nil), c.Edits...)
			agents[i].Save(c)
			mirrors[i].Save(d)
		}
		for i := range agents {
			syncBoth(rt, n, naive, agents[i], mirrors[i])
		}
		checkRecent(rt, n.l)
		replay(t, rt, n)
	})
}

func syncBoth(t *rapid.T, n *node, naive *sessiontest.Centre, a, mirror *sessiontest.Agent) {
	u, err := a.Sync(n.exchange("u1", publicKey(a.Key)))
	if err != nil || !u.Equal {
		t.Fatalf("sync with the ledger: %v, %+v", err, u)
	}
	if u, err = mirror.Sync(naive.Exchange); err != nil || !u.Equal {
		t.Fatalf("sync with the naive centre: %v, %+v", err, u)
	}
	if diff := cmp.Diff(mirror.Verdicts(), a.Verdicts()); diff != "" {
		t.Fatalf("verdicts (-naive +ledger):\n%s", diff)
	}
	if a.State.Digest != mirror.State.Digest {
		t.Fatal("digests differ")
	}
}

func replay(t *testing.T, rt *rapid.T, n *node) {
	other := newNode(t, Config{Memory: true})
	for i, b := range n.log {
		if _, err := other.l.Apply(uint64(i+1), b); err != nil {
			rt.Fatal(err)
		}
		if rapid.Bool().Draw(rt, "twice") {
			if res, err := other.l.Apply(uint64(i+1), b); err != nil || res != nil {
				rt.Fatalf("an entry applied again gives %v, %v", res, err)
			}
		}
	}
	if !bytes.Equal(n.dump(), other.dump()) {
		rt.Fatal("replicas differ")
	}
}

// filled is a node on disk with some members of one union, and the agent that sent them.
func filled(t *testing.T, dir string, members int) (*node, *sessiontest.Agent) {
	t.Helper()
	n := begun(t, Config{Dir: dir, Key: testKey})
	a := sessionAgent("u1", 5)
	name := memberField(t, "name")
	for i := range members {
		id := syncproto.RecordID{14: byte(i >> 8), 15: byte(i)}
		id[0] = 1
		a.Save(syncproto.Change{Kind: memberKind, ID: id, Edits: []syncproto.Edit{{Field: name, Value: fmt.Appendf(nil, "member %d", i)}}})
	}
	if u, err := a.Sync(n.exchange("u1", publicKey(a.Key))); err != nil || !u.Equal {
		t.Fatalf("%v, %+v", err, u)
	}
	return n, a
}

// TestSameChangeTwice: a segment that comes again, as after a lost answer, gets its stored
// verdicts and changes nothing.
func TestSameChangeTwice(t *testing.T) {
	n, a := filled(t, filepath.Join(t.TempDir(), "state"), 5)
	before, head := n.dump(), n.l.Head()
	again := sessionAgent("u1", 5)
	for _, p := range a.Own() {
		again.Append(p.Bytes, p.Change)
	}
	if u, err := again.Sync(n.exchange("u1", publicKey(again.Key))); err != nil || !u.Equal {
		t.Fatalf("%v, %+v", err, u)
	}
	if diff := cmp.Diff(a.Verdicts(), again.Verdicts()); diff != "" {
		t.Error(diff)
	}
	if n.l.Head() != head {
		t.Errorf("head moved from %s to %s", head, n.l.Head())
	}
	if a, b := withoutMeta(t, before), withoutMeta(t, n.dump()); !bytes.Equal(a, b) {
		t.Error("state changed")
	}
}

// withoutMeta takes the raft index and the contacts, which move with every entry, out of
// a dump by reading it into a store and dropping them.
func withoutMeta(t *testing.T, dump []byte) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	n := newNode(t, Config{Dir: dir})
	if err := n.l.Restore(bytes.NewReader(dump)); err != nil {
		t.Fatal(err)
	}
	txn := n.l.db.NewTransactionAt(n.l.ts, true)
	for _, k := range [][]byte{{keyMetaByte}, keyContact("u1", []byte("device"))} {
		if err := txn.Delete(k); err != nil {
			t.Fatal(err)
		}
	}
	if err := txn.CommitAt(n.l.ts+1, nil); err != nil {
		t.Fatal(err)
	}
	n.l.ts++
	return n.dump()
}

// TestForkHasTwoTips: a journal that went two ways has two tips, and both ways are kept.
func TestForkHasTwoTips(t *testing.T) {
	n, a := filled(t, filepath.Join(t.TempDir(), "state"), 2)
	clone := sessionAgent("u1", 5)
	for _, p := range a.Own() {
		clone.Append(p.Bytes, p.Change)
	}
	name := memberField(t, "name")
	for i, x := range []*sessiontest.Agent{a, clone} {
		x.Save(syncproto.Change{Kind: memberKind, ID: syncproto.RecordID{1, 15: byte(50 + i)}, Edits: []syncproto.Edit{{Field: name, Value: []byte{'a' + byte(i)}}}})
		if _, err := x.Sync(n.exchange("u1", publicKey(x.Key))); err != nil {
			t.Fatal(err)
		}
	}
	v := n.l.View("u1")
	defer v.Done()
	tips, err := v.Tips(5)
	if err != nil || len(tips) != 2 {
		t.Fatalf("tips %v, %v", tips, err)
	}
	if len(clone.Notices) == 0 || clone.Notices[0] != syncproto.CodeForked {
		t.Errorf("the clone was told %v, want the fork", clone.Notices)
	}
	for i := range 2 {
		if r, err := v.Read(syncproto.RecordKey{Kind: memberKind, ID: syncproto.RecordID{1, 15: byte(50 + i)}}); err != nil || r == nil {
			t.Errorf("branch %d is not there: %v", i, err)
		}
	}
}

// TestUnknownPrevious: a segment that follows nothing known is refused whole.
func TestUnknownPrevious(t *testing.T) {
	n, _ := filled(t, filepath.Join(t.TempDir(), "state"), 2)
	head := n.l.Head()
	seg := &entrypb.Segment{Journal: 5, First: 9, Previous: make([]byte, 16), Changes: [][]byte{{1}}}
	res := n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{seg}}}})
	out := outcomes(res)[0][0]
	if out.Refused != syncproto.CodeUnknownPrevious || n.l.Head() != head {
		t.Errorf("refused %d, head %s, want code %d and head %s", out.Refused, n.l.Head(), syncproto.CodeUnknownPrevious, head)
	}
}

// TestHeld: what cannot touch its record keeps its place and its reason.
func TestHeld(t *testing.T) {
	name := memberField(t, "name")
	good := syncproto.Change{Union: "u1", Kind: memberKind, ID: syncproto.RecordID{1}, Edits: []syncproto.Edit{{Field: name, Value: []byte("x")}}}
	foreign := good
	foreign.Union = "u2"
	large := good
	large.Edits = []syncproto.Edit{{Field: 900, Value: bytes.Repeat([]byte("x"), 15<<10)}}
	for _, row := range []struct {
		why  string
		seg  func(*entrypb.Segment)
		want []syncproto.HeldReason
	}{
		{"bytes that are no change", func(s *entrypb.Segment) { s.Changes = [][]byte{{0xff, 0xff}} }, []syncproto.HeldReason{syncproto.HeldMalformed}},
		{"a change that breaks a limit", func(s *entrypb.Segment) {
			s.Changes = [][]byte{(&syncproto.Change{Union: "u1", Kind: 2, ID: good.ID}).Encode(5)}
		},
			[]syncproto.HeldReason{syncproto.HeldMalformed}},
		{"another union's change", func(s *entrypb.Segment) { s.Changes = [][]byte{foreign.Encode(5)} }, []syncproto.HeldReason{syncproto.HeldForeign}},
		{"what the leader decided, and all behind it to that record", func(s *entrypb.Segment) {
			s.Changes, s.Held = [][]byte{good.Encode(5), good.Encode(5)}, []byte{byte(syncproto.HeldValue), 0}
		}, []syncproto.HeldReason{syncproto.HeldValue, syncproto.HeldBehind}},
		{"a lost frame, and the chain goes on", func(s *entrypb.Segment) {
			s.Changes, s.Gaps = [][]byte{nil, good.Encode(5)}, []*entrypb.Gap{{Index: 0, Hash: bytes.Repeat([]byte{7}, 32)}}
		}, []syncproto.HeldReason{syncproto.HeldLost, syncproto.HeldNot}},
		{"a record that would grow too large", func(s *entrypb.Segment) {
			for i := range 4 {
				c := large
				c.Edits = []syncproto.Edit{{Field: syncproto.FieldNumber(900 + i), Value: large.Edits[0].Value}}
				s.Changes = append(s.Changes, c.Encode(5))
			}
		}, []syncproto.HeldReason{0, 0, 0, syncproto.HeldTooLarge}},
	} {
		t.Run(row.why, func(t *testing.T) {
			n := begun(t, Config{Memory: true})
			seg := &entrypb.Segment{Journal: 5, First: 1}
			row.seg(seg)
			res := n.apply(&entrypb.Batch{Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{seg}}}})
			var got []syncproto.HeldReason
			for _, v := range outcomes(res)[0][0].Verdicts {
				got = append(got, v.Reason)
				if (v.Reason != 0) != (v.Kind == syncproto.VerdictHeld) {
					t.Errorf("%s with reason %s", v.Kind, v.Reason)
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestReopen: what was applied and synced is there after the store was closed, and the
// entry that comes again is skipped.
func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	n, _ := filled(t, dir, 600)
	before, index := n.dump(), n.l.Applied()
	if err := n.l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Open(Config{Dir: dir, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	n.l = l
	if l.Applied() != index || !bytes.Equal(n.dump(), before) {
		t.Errorf("applied %d, want %d, or the state differs", l.Applied(), index)
	}
	if res, err := l.Apply(index, n.log[len(n.log)-1]); res != nil || err != nil {
		t.Errorf("the last entry again: %v, %v", res, err)
	}
	if _, err := Open(Config{Dir: filepath.Join(t.TempDir(), "x"), Key: &[32]byte{9}}); err != nil {
		t.Errorf("another store with another key: %v", err)
	}
}

// TestCutEntry: an entry too large for one transaction is cut; a crash between its parts
// loses nothing and doubles nothing when the entry comes again.
func TestCutEntry(t *testing.T) {
	name := memberField(t, "name")
	a := sessionAgent("u1", 5)
	big := bytes.Repeat([]byte("x"), 8<<10)
	for i := range 90 {
		a.Save(syncproto.Change{Kind: memberKind, ID: syncproto.RecordID{1, 15: byte(i)}, Note: "n", Edits: []syncproto.Edit{{Field: name, Value: big}}})
	}
	seg := &entrypb.Segment{Journal: 5, First: 1}
	for _, p := range a.Own() {
		seg.Changes = append(seg.Changes, p.Bytes)
	}
	b, err := Entry(&entrypb.Batch{Time: 5, Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{seg}}}})
	if err != nil {
		t.Fatal(err)
	}
	whole := begun(t, Config{Memory: true})
	ts := whole.l.ts
	whole.raw(b)
	if whole.l.ts < ts+2 {
		t.Fatal("the entry was not cut: the test does not test")
	}
	crashed := begun(t, Config{Memory: true})
	m, err := decodeEntry(b)
	if err != nil {
		t.Fatal(err)
	}
	half := crashed.l.newApplier(0)
	if _, err := half.entry(m); err != nil {
		t.Fatal(err)
	}
	half.txn.Discard() // power goes before the last part is committed
	if h := crashed.l.Head(); h == whole.l.Head() || h.Count() == 0 {
		t.Fatalf("head %s after half an entry", h)
	}
	crashed.raw(b)
	if !bytes.Equal(crashed.dump(), whole.dump()) {
		t.Error("the replica that crashed differs")
	}
}

// TestSnapshot: a snapshot brings another node to the same state; a damaged one leaves
// the node as it was; a switch that was cut off ends on the next start.
func TestSnapshot(t *testing.T) {
	n, _ := filled(t, filepath.Join(t.TempDir(), "state"), 50)
	dump := n.dump()
	dir := filepath.Join(t.TempDir(), "other")
	other := begun(t, Config{Dir: dir, Key: testKey})
	was := other.dump()
	for _, row := range []struct {
		why  string
		harm func([]byte) []byte
	}{
		{"cut short", func(b []byte) []byte { return b[:len(b)/2] }},
		{"one bit", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }},
		{"not a snapshot", func(b []byte) []byte { b[0] = 'x'; return b }},
		{"empty", func([]byte) []byte { return nil }},
	} {
		if err := other.l.Restore(bytes.NewReader(row.harm(bytes.Clone(dump)))); err == nil {
			t.Errorf("%s: restored", row.why)
		}
		if !bytes.Equal(other.dump(), was) {
			t.Errorf("%s: the state changed", row.why)
		}
	}
	if err := other.l.Restore(bytes.NewReader(dump)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(other.dump(), dump) || other.l.Applied() != n.l.Applied() {
		t.Error("the restored state differs")
	}
	if err := other.l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".ok"); err != nil { // as if the switch had been cut off
		t.Fatal(err)
	}
	l, err := Open(Config{Dir: dir, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	other.l = l
	if !bytes.Equal(other.dump(), dump) {
		t.Error("a switch that was cut off lost the state")
	}
}

// TestStaff: staff changes are idempotent, get places of the centre's own journal, and
// are fed to agents like any other.
func TestStaff(t *testing.T) {
	n := begun(t, Config{Memory: true})
	id := syncproto.HashedID("org-unit", "330702")
	set := func(value string) StaffResult {
		return n.apply(&entrypb.Staff{Time: 5, Actor: "staff", Node: "n1", Changes: []*entrypb.StaffChange{{
			Union: syncproto.CityUnion, Kind: 9, Id: id[:], Fields: []*entrypb.FieldValue{{Field: 10, Value: []byte("330702")}, {Field: 11, Value: []byte(value)}},
		}}}).(StaffResult)
	}
	if r := set("a"); r.Added != 1 {
		t.Errorf("first: %+v", r)
	}
	if r := set("a"); r.Unchanged != 1 {
		t.Errorf("again: %+v", r)
	}
	if r := set("b"); r.Changed != 1 {
		t.Errorf("changed: %+v", r)
	}
	v := n.l.View(syncproto.CityUnion)
	defer v.Done()
	r, err := v.Read(syncproto.RecordKey{Kind: 9, ID: id})
	if err != nil || r.Text(11) != "b" || len(r.Conflicts(Classes(kind.Embedded())(9))) != 0 {
		t.Errorf("record %+v, %v", r, err)
	}
	d, err := v.Digest()
	if err != nil || d != merge.Hash(syncproto.RecordKey{Kind: 9, ID: id}, r) {
		t.Errorf("digest: %v", err)
	}
}

// TestEnrolment: a code works once, for one device, until it expires.
func TestEnrolment(t *testing.T) {
	n := begun(t, Config{Memory: true})
	n.apply(&entrypb.Code{Time: 1100, Hash: []byte("h1"), Union: "u1", Expires: 1200})
	n.apply(&entrypb.Code{Time: 1100, Hash: []byte("h2"), Union: "u2", Expires: 1200})
	use := func(time int64, hash, device, key string) syncproto.Code {
		res := n.apply(&entrypb.Enrolled{Time: time, Hash: []byte(hash), Device: []byte(device), PublicKey: []byte(key)})
		if err, bad := res.(error); bad {
			return syncproto.CodeOf(err)
		}
		return 0
	}
	for _, row := range []struct {
		why               string
		time              int64
		hash, device, key string
		want              syncproto.Code
	}{
		{"a code nobody made", 1110, "h0", "d1", "k1", syncproto.CodeEnrolUnknown},
		{"first use", 1150, "h1", "d1", "k1", 0},
		{"the same device again, its answer was lost, even late", 1250, "h1", "d1", "k1", 0},
		{"another device with a used code", 1160, "h1", "d2", "k2", syncproto.CodeEnrolUsed},
		{"an expired code", 1150, "h2", "d2", "k2", syncproto.CodeEnrolExpired}, // the log's time is 1250 by now
	} {
		if got := use(row.time, row.hash, row.device, row.key); got != row.want {
			t.Errorf("%s: code %d, want %d", row.why, got, row.want)
		}
	}
	d, err := n.l.Device([]byte("d1"))
	if err != nil || !d.HasUnion("u1") || d.HasUnion("u2") {
		t.Errorf("device %v, %v", d, err)
	}
	if d, err := n.l.Device([]byte("d2")); d != nil || err != nil {
		t.Errorf("a refused device is known: %v, %v", d, err)
	}
}

// TestUnknownEntry: an entry of a type or version from the future stops the replica.
func TestUnknownEntry(t *testing.T) {
	n := begun(t, Config{Memory: true})
	head := n.dump()
	for _, b := range [][]byte{nil, {typeBatch}, {99, entryVersion}, {typeBatch, 2}, {typeBatch, entryVersion, 0xff}} {
		if _, err := n.l.Apply(n.index+1, b); err == nil {
			t.Errorf("entry %x was applied", b)
		}
	}
	if !bytes.Equal(n.dump(), head) {
		t.Error("state changed")
	}
}
