package merge

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"unionsync/syncproto"
)

const (
	name  syncproto.FieldNumber = 10
	phone syncproto.FieldNumber = 11
	tags  syncproto.FieldNumber = 12
)

func class(f syncproto.FieldNumber) syncproto.MergeClass {
	switch f {
	case phone:
		return syncproto.ClassLatest
	case tags:
		return syncproto.ClassSet
	}
	return syncproto.ClassAsk
}

func dot(j, seq int) syncproto.Dot {
	return syncproto.Dot{Journal: syncproto.JournalID(j), Seq: uint64(seq), Tag: uint32(j*100 + seq)}
}

func put(f syncproto.FieldNumber, v string, over ...syncproto.Dot) syncproto.Edit {
	return syncproto.Edit{Field: f, Value: []byte(v), Overwrote: over}
}

func clearing(f syncproto.FieldNumber, over ...syncproto.Dot) syncproto.Edit {
	return syncproto.Edit{Field: f, Cleared: true, Overwrote: over}
}

func change(edits ...syncproto.Edit) *syncproto.Change { return &syncproto.Change{Edits: edits} }

func resolving(c *syncproto.Change, f syncproto.FieldNumber, dots ...syncproto.Dot) *syncproto.Change {
	for _, d := range dots {
		c.Resolves = append(c.Resolves, syncproto.FieldDot{Field: f, Dot: d})
	}
	return c
}

type step struct {
	d syncproto.Dot
	c *syncproto.Change
}

// run merges the steps at positions 1, 2, … and gives the record and the last verdict.
func run(steps []step) (*Record, syncproto.VerdictKind) {
	var r *Record
	var res Result
	for i, s := range steps {
		s.c.Base = syncproto.MakePosition(1, uint64(i)) // nobody else came between, as far as the record goes
		r, res = Merge(class, r, s.c, s.d, syncproto.MakePosition(1, uint64(i+1)))
	}
	return r, res.Kind
}

// values gives a field's entries as text, "-" for cleared, the current one first.
func values(r *Record, f syncproto.FieldNumber) []string {
	out := []string{}
	fd := r.Field(f)
	if fd == nil {
		return out
	}
	for _, e := range fd.Entries {
		v := string(e.Value)
		if e.Cleared {
			v = "-"
		}
		out = append(out, v)
	}
	for _, e := range fd.Elements {
		out = append(out, string(e.Value))
	}
	return out
}

func TestMergeRules(t *testing.T) {
	a1, a2, b1, b2, c1 := dot(1, 1), dot(1, 2), dot(2, 1), dot(2, 2), dot(3, 1)
	for _, row := range []struct {
		why   string
		steps []step
		field syncproto.FieldNumber
		want  []string
		kind  syncproto.VerdictKind
	}{
		{"a first value", []step{{a1, change(put(name, "x"))}}, name, []string{"x"}, syncproto.VerdictApplied},
		{"an edit that saw the value replaces it", []step{{a1, change(put(name, "x"))}, {a2, change(put(name, "y", a1))}},
			name, []string{"y"}, syncproto.VerdictApplied},
		{"two who did not see each other: both stay, the first is current", []step{{a1, change(put(name, "x"))}, {b1, change(put(name, "y"))}},
			name, []string{"x", "y"}, syncproto.VerdictConflict},
		{"class latest: the later one is current, the other stays behind it, nobody is asked",
			[]step{{a1, change(put(phone, "x"))}, {b1, change(put(phone, "y"))}}, phone, []string{"y", "x"}, syncproto.VerdictParallel},
		{"class latest: an edit that saw both leaves one",
			[]step{{a1, change(put(phone, "x"))}, {b1, change(put(phone, "y"))}, {a2, change(put(phone, "z", a1, b1))}}, phone, []string{"z"}, syncproto.VerdictApplied},
		{"the same value twice is one entry, without a question",
			[]step{{a1, change(put(name, "x"))}, {b1, change(put(name, "x"))}}, name, []string{"x"}, syncproto.VerdictParallel},
		{"an entry of two dots outlives an edit that saw one of them",
			[]step{{a1, change(put(name, "x"))}, {b1, change(put(name, "x"))}, {a2, change(put(name, "y", a1))}}, name, []string{"x", "y"}, syncproto.VerdictConflict},
		{"a decision leaves what it chose", []step{{a1, change(put(name, "x"))}, {b1, change(put(name, "y"))},
			{c1, resolving(change(put(name, "x", a1)), name, a1, b1)}}, name, []string{"x"}, syncproto.VerdictApplied},
		{"two different decisions leave both and the case open", []step{{a1, change(put(name, "x"))}, {b1, change(put(name, "y"))},
			{a2, resolving(change(put(name, "x", a1)), name, a1, b1)}, {b2, resolving(change(put(name, "y", a1)), name, a1, b1)}},
			name, []string{"x", "y"}, syncproto.VerdictConflict},
		{"two equal decisions agree", []step{{a1, change(put(name, "x"))}, {b1, change(put(name, "y"))},
			{a2, resolving(change(put(name, "x", a1)), name, a1, b1)}, {b2, resolving(change(put(name, "x", a1)), name, a1, b1)}},
			name, []string{"x"}, syncproto.VerdictParallel},
		{"the decided value stands where the first that went stood", []step{{a1, change(put(name, "x"))}, {b1, change(put(name, "y"))}, {c1, change(put(name, "z"))},
			{a2, resolving(change(put(name, "w", a1)), name, b1)}}, name, []string{"w", "z"}, syncproto.VerdictConflict},
		{"cleared is a value", []step{{a1, change(put(name, "x"))}, {a2, change(clearing(name, a1))}}, name, []string{"-"}, syncproto.VerdictApplied},
		{"clearing beside an edit asks", []step{{a1, change(put(name, "x"))}, {a2, change(clearing(name, a1))}, {b1, change(put(name, "y", a1))}},
			name, []string{"-", "y"}, syncproto.VerdictConflict},
		{"an edit named before it came arrives superseded", []step{{b1, change(put(name, "y", a1))}, {a1, change(put(name, "x"))}},
			name, []string{"y"}, syncproto.VerdictParallel},
		{"it still supersedes what it names", []step{{c1, change(put(name, "z"))}, {b1, change(put(name, "y", a1))}, {a1, change(put(name, "x", c1))}},
			name, []string{"y"}, syncproto.VerdictParallel},
	} {
		t.Run(row.why, func(t *testing.T) {
			r, kind := run(row.steps)
			if diff := cmp.Diff(row.want, values(r, row.field)); diff != "" || kind != row.kind {
				t.Errorf("verdict %s, want %s; entries (-want +got):\n%s", kind, row.kind, diff)
			}
		})
	}
}

func TestSets(t *testing.T) {
	add := func(v string) *syncproto.Change { return change(syncproto.Edit{Field: tags, Add: [][]byte{[]byte(v)}}) }
	rem := func(v string, dots ...syncproto.Dot) *syncproto.Change {
		return change(syncproto.Edit{Field: tags, Remove: []syncproto.ElementDots{{Element: []byte(v), Dots: dots}}})
	}
	a1, a2, b1, b2 := dot(1, 1), dot(1, 2), dot(2, 1), dot(2, 2)
	for _, row := range []struct {
		why   string
		steps []step
		want  []string
	}{
		{"elements are sorted", []step{{a1, add("y")}, {b1, add("x")}}, []string{"x", "y"}},
		{"a removal takes what it saw", []step{{a1, add("x")}, {a2, rem("x", a1)}}, []string{}},
		{"an addition survives a removal that had not seen it", []step{{a1, add("x")}, {b1, add("x")}, {a2, rem("x", a1)}}, []string{"x"}},
		{"an addition removed before it came does not appear", []step{{b2, rem("x", a1)}, {a1, add("x")}}, []string{}},
		{"adding anew after a removal", []step{{a1, add("x")}, {a2, rem("x", a1)}, {b1, add("x")}}, []string{"x"}},
	} {
		t.Run(row.why, func(t *testing.T) {
			r, _ := run(row.steps)
			if diff := cmp.Diff(row.want, values(r, tags)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVoid(t *testing.T) {
	a1, a2, b1, b2 := dot(1, 1), dot(1, 2), dot(2, 1), dot(2, 2)
	void := func(saw ...syncproto.FieldDot) *syncproto.Change {
		c := change(put(syncproto.FieldVoid, "typed twice"))
		c.Saw = saw
		return c
	}
	saw := func(f syncproto.FieldNumber, d syncproto.Dot) syncproto.FieldDot {
		return syncproto.FieldDot{Field: f, Dot: d}
	}
	for _, row := range []struct {
		why    string
		steps  []step
		doubts int
		void   bool
	}{
		{"a void that saw everything", []step{{a1, change(put(name, "x"))}, {a2, void(saw(name, a1))}}, 0, true},
		{"somebody edited meanwhile", []step{{a1, change(put(name, "x"))}, {b1, change(put(name, "y", a1))}, {a2, void(saw(name, a1))}}, 1, true},
		{"somebody filled another field meanwhile", []step{{a1, change(put(name, "x"))}, {b1, change(put(phone, "1"))}, {a2, void(saw(name, a1))}}, 1, true},
		{"an edit after the void", []step{{a1, change(put(name, "x"))}, {a2, void(saw(name, a1))}, {b1, change(put(name, "y", a1))}}, 1, true},
		{"an edit that takes the void back", []step{{a1, change(put(name, "x"))}, {a2, void(saw(name, a1))},
			{b1, resolving(change(clearing(syncproto.FieldVoid, a2), put(name, "y", a1)), syncproto.FieldVoid, a2)}}, 0, false},
		{"the void came before an edit that it saw", []step{{a2, void(saw(name, b1))}, {b1, change(put(name, "y"))}}, 0, true},
		{"an edit that came superseded asks nothing", []step{{a1, change(put(name, "x", b1))}, {a2, void(saw(name, a1))}, {b1, change(put(name, "y"))}}, 0, true},
		{"two voids with one reason agree", []step{{a1, change(put(name, "x"))}, {a2, void(saw(name, a1))}, {b2, void(saw(name, a1))}}, 0, true},
	} {
		t.Run(row.why, func(t *testing.T) {
			r, kind := run(row.steps)
			if len(r.Doubts) != row.doubts || r.Void() != row.void {
				t.Errorf("%d doubts, void %v; want %d, %v", len(r.Doubts), r.Void(), row.doubts, row.void)
			}
			if asks := kind == syncproto.VerdictConflict; asks != (row.doubts > 0) {
				t.Errorf("verdict %s with %d doubts", kind, row.doubts)
			}
		})
	}
}

// TestParallelByBase: a change to other fields of a record that somebody else changed
// since its author saw it is told apart from one that saw everything.
func TestParallelByBase(t *testing.T) {
	r, _ := Merge(class, nil, change(put(name, "x")), dot(1, 1), 1)
	r, _ = Merge(class, r, change(put(phone, "1")), dot(2, 1), 2)
	late := change(put(14, "z"))
	late.Base = 1
	if _, res := Merge(class, r, late, dot(3, 1), 3); res.Kind != syncproto.VerdictParallel {
		t.Errorf("author saw position 1: %s, want parallel", res.Kind)
	}
	late.Base = 2
	if _, res := Merge(class, r, late, dot(3, 1), 3); res.Kind != syncproto.VerdictApplied {
		t.Errorf("author saw position 2: %s, want applied", res.Kind)
	}
}

// history draws changes whose authors saw some earlier state each, in any order of arrival.
func history(t *rapid.T) []step {
	states := []*Record{nil}
	var steps []step
	seqs := map[int]int{}
	for range rapid.IntRange(1, 14).Draw(t, "changes") {
		seen := rapid.SampledFrom(states).Draw(t, "what the author saw")
		j := rapid.IntRange(1, 3).Draw(t, "journal")
		seqs[j]++
		f := rapid.SampledFrom([]syncproto.FieldNumber{name, phone, 13}).Draw(t, "field")
		v := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "value")
		c := change(put(f, v, seen.SeenDots(f, class(f))...))
		if rapid.IntRange(0, 4).Draw(t, "decides") == 0 && seen != nil && seen.Field(f) != nil {
			for _, e := range seen.Field(f).Entries {
				c = resolving(c, f, e.Dots...)
			}
		}
		s := step{dot(j, seqs[j]), c}
		steps = append(steps, s)
		next, _ := Merge(class, seen, s.c, s.d, 0)
		states = append(states, next)
	}
	return rapid.Permutation(steps).Draw(t, "order of arrival")
}

// TestSeenDots: who edits a field names everybody who gave the value that stood there, so that
// one edit supersedes it whole. Of class latest nothing may stay behind.
func TestSeenDots(t *testing.T) {
	for _, row := range []struct {
		why   string
		field syncproto.FieldNumber
		given []string
		seen  int
		after []string
	}{
		{"two people gave the same value", name, []string{"a", "a"}, 2, []string{"new"}},
		{"another value stands beside it: that is for a decision", name, []string{"a", "b", "a"}, 2, []string{"new", "b"}},
		{"of class latest all values that stand there", phone, []string{"1", "2", "1"}, 3, []string{"new"}},
	} {
		var steps []step
		for i, v := range row.given {
			steps = append(steps, step{dot(i+1, 1), change(put(row.field, v))})
		}
		r, _ := run(steps)
		seen := r.SeenDots(row.field, class(row.field))
		if len(seen) != row.seen {
			t.Errorf("%s: %v, want %d", row.why, seen, row.seen)
		}
		r, _ = run(append(steps, step{dot(9, 1), change(put(row.field, "new", seen...))}))
		if got := values(r, row.field); !slices.Equal(got, row.after) {
			t.Errorf("%s: %v stand after it", row.why, got)
		}
	}
	if got := (&Record{}).SeenDots(name, syncproto.ClassAsk); got != nil {
		t.Errorf("of an empty field %v", got)
	}
}

// TestNothingSupersededStands, nothing unsuperseded is hidden: whatever the order of
// arrival, a field's entries hold exactly the dots that no change has named.
func TestNothingSupersededStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := history(t)
		r, _ := run(steps)
		for _, f := range []syncproto.FieldNumber{name, phone, 13} {
			named, all := map[syncproto.Dot]bool{}, map[syncproto.Dot]string{}
			for _, s := range steps {
				if e := s.c.Edit(f); e != nil {
					all[s.d] = string(e.Value)
					for _, d := range e.Overwrote {
						named[d] = true
					}
					for _, x := range s.c.Resolves {
						named[x.Dot] = true
					}
				}
			}
			stands := map[syncproto.Dot]string{}
			if fd := r.Field(f); fd != nil {
				for _, e := range fd.Entries {
					for _, d := range e.Dots {
						stands[d] = string(e.Value)
					}
				}
			}
			for d := range named {
				delete(all, d)
			}
			if diff := cmp.Diff(all, stands); diff != "" {
				t.Fatalf("field %d (-unsuperseded +standing):\n%s", f, diff)
			}
		}
	})
}

// TestOrderOnlyOrdersEntries: another order of arrival may put the entries in another
// order, never give other values or dots.
func TestOrderOnlyOrdersEntries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := history(t)
		a, _ := run(steps)
		b, _ := run(rapid.Permutation(steps).Draw(t, "another order"))
		for _, f := range []syncproto.FieldNumber{name, phone, 13} {
			x, y := values(a, f), values(b, f)
			slices.Sort(x)
			slices.Sort(y)
			if diff := cmp.Diff(x, y); diff != "" {
				t.Fatalf("field %d: %s", f, diff)
			}
		}
	})
}

// TestMergeLeavesBefore: the record given is not changed.
func TestMergeLeavesBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := history(t)
		var r *Record
		for i, s := range steps {
			var before []byte
			if r != nil {
				before = r.Encode()
			}
			next, _ := Merge(class, r, s.c, s.d, syncproto.Position(i+1))
			if r != nil && string(r.Encode()) != string(before) {
				t.Fatal("merge changed the record it was given")
			}
			r = next
		}
	})
}

// TestCodec: what is encoded comes back equal, byte for byte, and hashes the same.
func TestCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, _ := run(history(t))
		b := r.Encode()
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if string(got.Encode()) != string(b) {
			t.Fatalf("encodes differently:\n%x\n%x", b, got.Encode())
		}
		key := syncproto.RecordKey{Kind: 2, ID: syncproto.RecordID{1}}
		if Hash(key, got) != Hash(key, r) || Hash(key, r) != Hash(key, r.Visible()) {
			t.Fatal("hash differs after a round trip")
		}
	})
}
