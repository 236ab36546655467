package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"unionsync/syncproto"
)

var testKey = [32]byte{1, 2, 3}

// seeded is a source of bytes that is the same in every run.
func seeded(n byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{n}) }

func testOptions() Options {
	return Options{Key: &testKey, Rand: seeded(1), Timeout: 20 * time.Millisecond}
}

func create(t *testing.T) (*Journal, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	j, err := Create(path, "0579-1", testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeJournal(t, j) })
	return j, path
}

func closeJournal(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func reopen(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := Open(path, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeJournal(t, j) })
	return j
}

func mustAppend(t *testing.T, j *Journal, changes ...string) []syncproto.Place {
	t.Helper()
	places, err := j.Append(asBytes(changes))
	if err != nil {
		t.Fatal(err)
	}
	return places
}

func asBytes(changes []string) [][]byte {
	out := make([][]byte, len(changes))
	for i, c := range changes {
		out[i] = []byte(c)
	}
	return out
}

// contents gives all changes; a damaged one as "?".
func contents(t *testing.T, j *Journal) []string {
	t.Helper()
	var out []string
	err := j.Range(1, j.Head().Seq, func(f Frame) error {
		if f.Damaged {
			out = append(out, "?")
		} else {
			out = append(out, string(f.Bytes))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAppendAndReadAgain(t *testing.T) {
	j, path := create(t)
	if j.Head() != (syncproto.Place{Journal: j.ID()}) || j.ID() == 0 || j.Union() != "0579-1" {
		t.Fatalf("new journal: head %v, union %q", j.Head(), j.Union())
	}
	p := mustAppend(t, j, "one", "two")
	q := mustAppend(t, j, "three")
	want := syncproto.Place{Journal: j.ID()}
	for i, c := range []string{"one", "two", "three"} {
		want = want.Next([]byte(c))
		if got := append(p, q...)[i]; got != want {
			t.Errorf("place of %s: %v, want %v", c, got, want)
		}
	}
	head, id := j.Head(), j.ID()
	closeJournal(t, j)
	j = reopen(t, path)
	if j.Head() != head || j.ID() != id {
		t.Errorf("after reopening: head %v id %v, want %v %v", j.Head(), j.ID(), head, id)
	}
	if d := cmp.Diff([]string{"one", "two", "three"}, contents(t, j)); d != "" {
		t.Error(d)
	}
	if _, err := j.Frame(4); syncproto.CodeOf(err) != syncproto.CodeNotFound {
		t.Errorf("frame behind the head: %v", err)
	}
	if damaged, unchained, err := j.Check(); len(damaged)+len(unchained) > 0 || err != nil {
		t.Errorf("check: %v %v %v", damaged, unchained, err)
	}
}

func TestAppendRefusesWhatIsNoChange(t *testing.T) {
	j, _ := create(t)
	for name, changes := range map[string][][]byte{
		"none":      {},
		"empty":     {{}},
		"too large": {make([]byte, syncproto.MaxChangeBytes+1)},
		"one of it": {[]byte("good"), nil},
	} {
		if _, err := j.Append(changes); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if j.Head().Seq != 0 {
		t.Errorf("head moved to %d", j.Head().Seq)
	}
	mustAppend(t, j, "a good one still works")
}

func TestRangePages(t *testing.T) {
	j, _ := create(t)
	var want []string
	for i := range 2*rangePage + 3 {
		want = append(want, fmt.Sprint("change ", i))
	}
	mustAppend(t, j, want...)
	if d := cmp.Diff(want, contents(t, j)); d != "" {
		t.Error(d)
	}
	n := 0
	stop := errors.New("enough")
	if err := j.Range(300, 1<<60, func(Frame) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("range went on after an error: %d frames, %v", n, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	other := [32]byte{9}
	rows := []struct {
		name string // why the row is here
		do   func(t *testing.T, path string, o *Options)
		code syncproto.Code
	}{
		{"a file that is gone is not made again", func(t *testing.T, path string, _ *Options) {
			must(t, os.Remove(path))
		}, syncproto.CodeJournalMissing},
		{"another key is told from damage", func(_ *testing.T, _ string, o *Options) { o.Key = &other }, syncproto.CodeWrongKey},
		{"an empty file is not filled", func(t *testing.T, path string, _ *Options) {
			must(t, os.Truncate(path, 0))
		}, syncproto.CodeJournalDamaged},
		{"zeroed as after a power cut on a bad disk", func(t *testing.T, path string, _ *Options) {
			must(t, os.WriteFile(path, make([]byte, 32<<10), 0o600))
		}, syncproto.CodeJournalDamaged},
		{"cut below its index: the map faults", func(t *testing.T, path string, _ *Options) {
			must(t, os.Truncate(path, 2*int64(os.Getpagesize())))
		}, syncproto.CodeJournalDamaged},
		{"another format", func(t *testing.T, path string, _ *Options) {
			edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(metaFormat, []byte{2}) })
		}, syncproto.CodeNewerFormat},
		{"a bbolt file that is no journal", func(t *testing.T, path string, _ *Options) {
			edit(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketFrames) })
		}, syncproto.CodeJournalDamaged},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			j, path := create(t)
			mustAppend(t, j, "one")
			closeJournal(t, j)
			o := testOptions()
			r.do(t, path, &o)
			for range 2 { // the second time shows whether the lock was given back
				j, err := Open(path, o)
				if syncproto.CodeOf(err) != r.code {
					t.Fatalf("open: %v, %v, want code %d", j, err, r.code)
				}
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// edit changes a closed journal's file behind its back.
func edit(t *testing.T, path string, do func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(do))
	must(t, db.Close())
}

func TestLockedByAnother(t *testing.T) {
	j, path := create(t)
	if _, err := Open(path, testOptions()); syncproto.CodeOf(err) != syncproto.CodeInUse {
		t.Fatalf("second open: %v", err)
	}
	mustAppend(t, j, "the first still works")
}

func TestCreateKeepsWhatIsThere(t *testing.T) {
	j, path := create(t)
	mustAppend(t, j, "one")
	closeJournal(t, j)
	if _, err := Create(path, "x", testOptions()); syncproto.CodeOf(err) != syncproto.CodeUnionExists {
		t.Fatalf("create over a journal: %v", err)
	}
	// An unfinished creation does not stand in the way of the next one.
	fresh := filepath.Join(t.TempDir(), FileName)
	must(t, os.WriteFile(fresh+".new", []byte("half"), 0o600))
	j2, err := Create(fresh, "x", testOptions())
	must(t, err)
	closeJournal(t, j2)
}

// TestDamagedFrames: a frame that is damaged is given out as such, with its place, and
// those around it stay good.
func TestDamagedFrames(t *testing.T) {
	flip := func(at int) func(v []byte) []byte {
		return func(v []byte) []byte { v[at] ^= 1; return v }
	}
	rows := []struct {
		name   string
		seq    uint64
		damage func(v []byte) []byte
	}{
		{"its bytes", 2, flip(frameHead + 40)},
		{"its own hash in clear", 2, flip(3)},
		{"its previous hash", 2, flip(40)},
		{"its version", 2, flip(0)},
		{"cut short", 2, func(v []byte) []byte { return v[:10] }},
		{"removed", 2, func([]byte) []byte { return nil }},
		{"the first", 1, flip(1)},
		{"the newest: its place is the head's", 3, func(v []byte) []byte { return v[:0] }},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			j, path := create(t)
			places := mustAppend(t, j, "one", "two", "three")
			closeJournal(t, j)
			edit(t, path, func(tx *bbolt.Tx) error {
				b := tx.Bucket(bucketFrames)
				v := r.damage(bytes.Clone(b.Get(seqKey(r.seq))))
				if v == nil {
					return b.Delete(seqKey(r.seq))
				}
				return b.Put(seqKey(r.seq), v)
			})
			j = reopen(t, path)
			want := []string{"one", "two", "three"}
			want[r.seq-1] = "?"
			if d := cmp.Diff(want, contents(t, j)); d != "" {
				t.Error(d)
			}
			f, err := j.Frame(r.seq)
			if err != nil || f.Place != places[r.seq-1] {
				t.Errorf("place of the damaged frame: %v %v, want %v", f.Place, err, places[r.seq-1])
			}
			if r.seq > 1 && f.Previous != places[r.seq-2].Hash {
				t.Errorf("previous of the damaged frame: %x", f.Previous)
			}
			damaged, _, err := j.Check()
			if d := cmp.Diff([]uint64{r.seq}, damaged); d != "" || err != nil {
				t.Error(d, err)
			}
			if got := mustAppend(t, j, "four"); got[0] != places[2].Next([]byte("four")) {
				t.Errorf("the chain goes on at %v", got[0])
			}
		})
	}
}

// TestHeadSurvivesDamage: the head stands twice.
func TestHeadSurvivesDamage(t *testing.T) {
	j, path := create(t)
	places := mustAppend(t, j, "one", "two")
	closeJournal(t, j)
	edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(metaHead, []byte("x")) })
	if j = reopen(t, path); j.Head() != places[1] {
		t.Errorf("head %v, want %v", j.Head(), places[1])
	}
}

func TestBrokenChainIsFound(t *testing.T) {
	j, path := create(t)
	p := mustAppend(t, j, "one", "two", "three")
	stray := syncproto.Place{Journal: j.ID(), Seq: 2, Hash: syncproto.NextHash(p[2].Hash, []byte("stray"))}
	v, err := j.encodeFrame(stray, p[2].Hash, []byte("stray"))
	must(t, err)
	closeJournal(t, j)
	edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(bucketFrames).Put(seqKey(2), v) })
	_, unchained, err := reopen(t, path).Check()
	if d := cmp.Diff([]uint64{2, 3}, unchained); d != "" || err != nil {
		t.Error(d, err)
	}
}

// TestFailedWrites: each write fails in two ways, not done and done but the answer lost.
func TestFailedWrites(t *testing.T) {
	lost := errors.New("input/output error")
	full := &os.PathError{Op: "write", Err: syscall.ENOSPC}
	fullSync := &os.PathError{Op: "sync", Err: syscall.ENOSPC}
	rows := []struct {
		name    string
		err     error
		persist bool
		code    syncproto.Code
		goesOn  bool // a later append works without reopening
	}{
		{"fsync failed, nothing on disk", lost, false, syncproto.CodeDiskFailed, false},
		{"fsync failed, all on disk", lost, true, syncproto.CodeDiskFailed, false},
		{"disk full while writing pages", full, false, syncproto.CodeDiskFull, true},
		{"disk full found by fsync is a failed fsync", fullSync, false, syncproto.CodeDiskFailed, false},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			j, path := create(t)
			before := mustAppend(t, j, "one")
			j.commit = func(tx *bbolt.Tx) error {
				if r.persist {
					return errors.Join(tx.Commit(), r.err)
				}
				return errors.Join(tx.Rollback(), r.err)
			}
			if _, err := j.Append([][]byte{[]byte("two")}); syncproto.CodeOf(err) != r.code {
				t.Fatalf("append: %v, want code %d", err, r.code)
			}
			if j.Head() != before[0] {
				t.Errorf("head moved to %v", j.Head())
			}
			j.commit = (*bbolt.Tx).Commit
			_, err := j.Append([][]byte{[]byte("three")})
			if (err == nil) != r.goesOn {
				t.Errorf("next append: %v", err)
			}
			closeJournal(t, j)
			want := []string{"one"}
			if r.persist {
				want = append(want, "two")
			}
			if r.goesOn {
				want = append(want, "three")
			}
			if d := cmp.Diff(want, contents(t, reopen(t, path))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFullDisk(t *testing.T) {
	j, _ := create(t)
	actual := j.free
	j.free = func(string) (uint64, error) { return 4 << 10, nil }
	if _, err := j.Append([][]byte{[]byte("one")}); syncproto.CodeOf(err) != syncproto.CodeDiskFull {
		t.Fatalf("append: %v", err)
	}
	if err := j.Update(func(*Tx) error { return nil }); syncproto.CodeOf(err) != syncproto.CodeDiskFull {
		t.Fatalf("update: %v", err)
	}
	j.free = func(string) (uint64, error) { return 0, errors.New("this file system does not tell") }
	mustAppend(t, j, "one")
	j.free = actual
	mustAppend(t, j, "two")
	if n, err := FreeBytes(t.TempDir()); n == 0 || err != nil {
		t.Errorf("free bytes: %d %v", n, err)
	}
}

func TestFacts(t *testing.T) {
	j, path := create(t)
	v := syncproto.Verdict{Position: syncproto.MakePosition(1, 9), Kind: syncproto.VerdictHeld, Reason: syncproto.HeldValue, Hash: syncproto.RecordHash{1, 2}}
	must(t, j.Update(func(tx *Tx) error {
		return errors.Join(tx.PutVerdict(2, v), tx.PutReceipt(2, []byte("receipt 2")), tx.PutReceipt(10, []byte("receipt 10")),
			tx.Put("nonce", []byte("k"), []byte("v")), tx.Put("nonce", []byte("gone"), []byte("x")), tx.Delete("nonce", []byte("gone")),
			tx.Delete("never", []byte("was")))
	}))
	closeJournal(t, j)
	j = reopen(t, path)
	if got, ok, err := j.Verdict(2); got != v || !ok || err != nil {
		t.Errorf("verdict: %v %v %v", got, ok, err)
	}
	if _, ok, err := j.Verdict(1); ok || err != nil {
		t.Errorf("verdict that never came: %v %v", ok, err)
	}
	if seq, r, err := j.NewestReceipt(); seq != 10 || string(r) != "receipt 10" || err != nil {
		t.Errorf("newest receipt: %d %q %v", seq, r, err)
	}
	if b, err := j.Get("nonce", []byte("k")); string(b) != "v" || err != nil {
		t.Errorf("fact: %q %v", b, err)
	}
	for _, key := range []string{"gone", "other"} {
		if b, err := j.Get("nonce", []byte(key)); b != nil || err != nil {
			t.Errorf("fact %s: %q %v", key, b, err)
		}
	}
	n := 0
	must(t, j.Each("nonce", func(k, v []byte) error { n++; return nil }))
	must(t, j.Each("never", func(k, v []byte) error { n++; return nil }))
	if n != 1 {
		t.Errorf("each gave %d facts", n)
	}
}

// TestFactsAreAtomic: an update that fails leaves nothing of it.
func TestFactsAreAtomic(t *testing.T) {
	j, _ := create(t)
	stop := errors.New("stop")
	err := j.Update(func(tx *Tx) error {
		must(t, tx.Put("a", []byte("k"), []byte("v")))
		must(t, tx.PutReceipt(1, []byte("r")))
		if b, err := tx.Get("a", []byte("k")); string(b) != "v" || err != nil {
			t.Errorf("inside: %q %v", b, err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if b, _ := j.Get("a", []byte("k")); b != nil {
		t.Errorf("a fact stayed: %q", b)
	}
	if seq, _, _ := j.NewestReceipt(); seq != 0 {
		t.Error("a receipt stayed")
	}
}

// TestFactsAreSealed: neither changes nor facts stand in clear in the file, and a value
// moved to another key is refused.
func TestFactsAreSealed(t *testing.T) {
	j, path := create(t)
	mustAppend(t, j, "a change in clear")
	must(t, j.Update(func(tx *Tx) error {
		return errors.Join(tx.Put("a", []byte("k1"), []byte("a fact in clear")), tx.PutReceipt(3, []byte("a receipt in clear")))
	}))
	closeJournal(t, j)
	raw, err := os.ReadFile(path)
	must(t, err)
	if bytes.Contains(raw, []byte("in clear")) {
		t.Error("something stands in clear")
	}
	edit(t, path, func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketFacts).Bucket([]byte("a"))
		return b.Put([]byte("k2"), bytes.Clone(b.Get([]byte("k1"))))
	})
	if v, err := reopen(t, path).Get("a", []byte("k2")); err == nil {
		t.Errorf("a moved fact was read: %q", v)
	}
}

func TestClosedJournal(t *testing.T) {
	j, _ := create(t)
	closeJournal(t, j)
	closeJournal(t, j)
	if _, err := j.Append([][]byte{[]byte("x")}); err == nil {
		t.Error("a closed journal took a change")
	}
	if _, err := j.Get("a", []byte("b")); err == nil {
		t.Error("a closed journal was read")
	}
}

func BenchmarkAppend(b *testing.B) {
	path := filepath.Join(b.TempDir(), FileName)
	j, err := Create(path, "bench", Options{Key: &testKey})
	if err != nil {
		b.Fatal(err)
	}
	change := binary.BigEndian.AppendUint64(make([]byte, 600), 1)
	for b.Loop() {
		if _, err := j.Append([][]byte{change}); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
