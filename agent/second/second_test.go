package second

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/agent/journal"
	"unionsync/syncproto"
)

var testKey = [32]byte{7}

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bench is a journal and its second place.
type bench struct {
	t testing.TB
	j *journal.Journal
	p *Place
}

func newBench(t *testing.T) *bench {
	t.Helper()
	j, err := journal.Create(filepath.Join(t.TempDir(), journal.FileName), "u1", journal.Options{Key: &testKey, Rand: rand.NewChaCha8([32]byte{1})})
	must(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return &bench{t: t, j: j, p: &Place{Dir: t.TempDir(), Union: "u1", Journal: j.ID(), Key: &testKey, Rand: rand.NewChaCha8([32]byte{2})}}
}

func (b *bench) save(changes ...string) {
	b.t.Helper()
	for _, c := range changes {
		_, err := b.j.Append([][]byte{[]byte(c)})
		must(b.t, err)
	}
}

func (b *bench) copy() syncproto.Place {
	b.t.Helper()
	at, err := b.p.Copy(b.j, func(syncproto.Place) {})
	must(b.t, err)
	return at
}

// older is a journal of the same id with the first n entries only.
func (b *bench) older(n uint64) *bench {
	b.t.Helper()
	j, err := journal.CreateAs(filepath.Join(b.t.TempDir(), journal.FileName), "u1", b.j.ID(), journal.Options{Key: &testKey})
	must(b.t, err)
	b.t.Cleanup(func() { _ = j.Close() })
	must(b.t, b.j.Range(1, n, func(f journal.Frame) error { return j.Restore([]journal.Frame{f}) }))
	return &bench{t: b.t, j: j, p: b.p}
}

func (b *bench) missing() (follow, branch string) {
	b.t.Helper()
	f, br, err := b.p.Missing(b.j)
	must(b.t, err)
	return names(f), names(br)
}

func names(all []journal.Frame) (out string) {
	for _, f := range all {
		out += string(f.Bytes) + " "
	}
	return out
}

func (b *bench) file() string { return b.p.name() }

// TestCopyAndTakeBack: what was copied comes back to an older journal, in order and under its
// own places; a journal that is whole lacks nothing.
func TestCopyAndTakeBack(t *testing.T) {
	b := newBench(t)
	b.save("a", "b")
	if at := b.copy(); at != b.j.Head() {
		t.Errorf("copied up to %v", at)
	}
	b.save("c", "d", "e")
	b.copy()
	if f, br := b.missing(); f+br != "" {
		t.Errorf("a whole journal lacks %q %q", f, br)
	}
	old := b.older(2)
	if err := old.p.Fits(old.j); !errors.Is(err, ErrAhead) {
		t.Errorf("fits an older journal: %v", err)
	}
	if _, err := old.p.Copy(old.j, func(syncproto.Place) {}); !errors.Is(err, ErrAhead) {
		t.Errorf("copied from an older journal: %v", err)
	}
	follow, branch, err := old.p.Missing(old.j)
	if err != nil || names(follow) != "c d e " || len(branch) > 0 {
		t.Fatalf("an older journal lacks %q %q %v", names(follow), names(branch), err)
	}
	must(t, old.j.Restore(follow))
	if old.j.Head() != b.j.Head() {
		t.Error("the head is another one")
	}
	if d, u, err := old.j.Check(); len(d)+len(u) > 0 || err != nil {
		t.Errorf("damaged %v, unchained %v, %v", d, u, err)
	}
}

// TestBranch: a journal that went another way since gets the other branch as such, and
// neither is lost by copying again.
func TestBranch(t *testing.T) {
	b := newBench(t)
	b.save("a", "b", "c", "d")
	b.copy()
	old := b.older(2)
	old.save("x", "y", "z")
	if err := old.p.Fits(old.j); err == nil || errors.Is(err, ErrAhead) {
		t.Errorf("fits another branch: %v", err)
	}
	for range 2 {
		if f, br := old.missing(); f != "" || br != "c d " {
			t.Errorf("lacks %q, branch %q", f, br)
		}
		old.copy()
	}
	if f, br := b.missing(); f != "" || br != "x y z " {
		t.Errorf("the first journal lacks %q, branch %q", f, br)
	}
}

// TestEveryCut: a file cut at any byte gives every whole entry, and copying again makes it
// whole without losing any.
func TestEveryCut(t *testing.T) {
	b := newBench(t)
	b.save("a", "b", "c")
	b.copy()
	whole, err := os.ReadFile(b.file())
	must(t, err)
	old := b.older(0)
	for n := range len(whole) {
		must(t, os.WriteFile(b.file(), whole[:n], 0o600))
		f, br := old.missing()
		if want := "a b c "; f != want[:len(f)] || br != "" {
			t.Fatalf("cut at %d: %q %q", n, f, br)
		}
		if at := b.copy(); at != b.j.Head() {
			t.Fatalf("cut at %d: copied up to %d", n, at.Seq)
		}
		if f, _ := old.missing(); f != "a b c " {
			t.Fatalf("cut at %d, copied again: %q", n, f)
		}
		parts, _ := filepath.Glob(b.file() + ".*")
		for _, p := range parts {
			must(t, os.Remove(p))
		}
	}
}

// TestDamagedByte: one flipped byte costs at most the entries whose bytes or lengths it is in
// the way of, and copying again brings all back.
func TestDamagedByte(t *testing.T) {
	b := newBench(t)
	b.save("a", "b", "c")
	b.copy()
	whole, err := os.ReadFile(b.file())
	must(t, err)
	old := b.older(0)
	for n := range whole {
		bad := bytes.Clone(whole)
		bad[n] ^= 1
		must(t, os.WriteFile(b.file(), bad, 0o600))
		if f, _ := old.missing(); len(f) > 6 {
			t.Fatalf("byte %d: %q", n, f)
		}
		if err := b.p.Fits(b.j); n >= len(whole)-4 && err == nil {
			t.Fatalf("byte %d at the end was not noticed", n)
		}
	}
}

// TestAbsent: a folder that is not there is not made.
func TestAbsent(t *testing.T) {
	b := newBench(t)
	b.save("a")
	b.p.Dir = filepath.Join(b.p.Dir, "stick")
	if _, err := b.p.Copy(b.j, func(syncproto.Place) {}); !errors.Is(err, ErrAbsent) {
		t.Errorf("copied to nowhere: %v", err)
	}
	if _, err := os.Stat(b.p.Dir); err == nil {
		t.Error("the folder was made")
	}
}

// TestJournals: a lost journal is found by its union and the key that opens it.
func TestJournals(t *testing.T) {
	b := newBench(t)
	b.save("a")
	b.copy()
	foreign := newBench(t)
	foreign.p.Dir, foreign.p.Key = b.p.Dir, &[32]byte{8}
	foreign.p.Journal = 77
	foreign.save("x", "y")
	_, err := foreign.p.Copy(foreign.j, func(syncproto.Place) {})
	must(t, err)
	got, err := Journals(b.p.Dir, "u1", &testKey)
	if d := cmp.Diff([]syncproto.JournalID{b.j.ID()}, got); d != "" || err != nil {
		t.Error(d, err)
	}
}

// TestGolden: what is on a stick must be read by every later program.
func TestGolden(t *testing.T) {
	c := &coder{key: &testKey, rand: rand.NewChaCha8([32]byte{3}), head: head{journal: 9, id: [fileIDLen]byte{1, 2}, union: "330702-00001"}}
	frame := journal.Frame{Place: syncproto.Place{Journal: 9}.Next([]byte("a change")), Bytes: []byte("a change")}
	item, err := c.encode(frame)
	must(t, err)
	file := append(c.head.encode(), item...)
	const name = "testdata/v1.golden"
	if *rewrite {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(name, []byte(hex.EncodeToString(file)+"\n"), 0o644))
	}
	want, err := os.ReadFile(name)
	must(t, err)
	if d := cmp.Diff(string(want), hex.EncodeToString(file)+"\n"); d != "" {
		t.Error(d)
	}
	r := bytes.NewReader(file)
	h, err := readHead(r)
	must(t, err)
	if h != c.head {
		t.Errorf("head reads as %+v", h)
	}
	var got []journal.Frame
	must(t, c.each(r, func(f journal.Frame) error { got = append(got, f); return nil }))
	if d := cmp.Diff([]journal.Frame{frame}, got); d != "" {
		t.Error(d)
	}
}

func FuzzRead(f *testing.F) {
	c := &coder{key: &testKey, rand: rand.NewChaCha8([32]byte{3}), head: head{journal: 9, union: "u"}}
	item, err := c.encode(journal.Frame{Place: syncproto.Place{Journal: 9}.Next([]byte("x")), Bytes: []byte("x")})
	must(f, err)
	f.Add(append(c.head.encode(), item...))
	f.Add(item)
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		h, err := readHead(r)
		if err == nil && !bytes.HasPrefix(b, h.encode()) {
			t.Error("head has two encodings")
		}
		check := func(f journal.Frame) error {
			if !f.Damaged && syncproto.NextHash(f.Previous, f.Bytes) != f.Place.Hash {
				return fmt.Errorf("entry %d does not fit its hash", f.Place.Seq)
			}
			return nil
		}
		c := &coder{key: &testKey, head: h}
		if err := c.each(r, check); err != nil && !errors.Is(err, errCut) {
			t.Error(err)
		}
		if frame, ok, err := c.last(bytes.NewReader(b), int64(len(b))); ok && err == nil {
			must(t, check(frame))
		}
	})
}
