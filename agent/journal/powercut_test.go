package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"unionsync/syncproto"
)

// TestPowerCut drops or tears what came after the last fsync, on copies of the file: bbolt
// fsyncs its pages, then writes and fsyncs one of the two meta pages at the front. Before
// the first fsync any of the pages may be new, old or torn and the metas are old; after it
// all pages are new and the meta may be old, new or torn. Whatever was appended before
// must be there, and the last append wholly or not at all.
func TestPowerCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	j, path := create(t)
	var saved []string
	for round := range 12 {
		group := make([]string, 1+rng.IntN(4))
		for i := range group {
			group[i] = fmt.Sprint(round, i, string(bytes.Repeat([]byte("x"), 1+rng.IntN(9000))))
		}
		before := read(t, path)
		mustAppend(t, j, group...)
		after := read(t, path)
		for try := range 8 {
			cut := powerCut(rng, before, after, os.Getpagesize(), try%2 == 0)
			checkAfterCut(t, cut, saved, group)
		}
		saved = append(saved, group...)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

// powerCut mixes two images of the file, page by page. The growth of the file is synced
// before any page is written, so its length is the new one.
func powerCut(rng *rand.Rand, before, after []byte, page int, pagesSynced bool) []byte {
	out := bytes.Clone(after)
	for at := 0; at < len(out); at += page {
		old := make([]byte, page)
		if at < len(before) {
			copy(old, before[at:])
		}
		if bytes.Equal(old, out[at:at+page]) {
			continue // not written by this transaction
		}
		meta := at < 2*page
		switch which := rng.IntN(3); {
		case meta && !pagesSynced, !meta && !pagesSynced && which == 0:
			copy(out[at:], old)
		case meta == pagesSynced && which == 1: // torn inside a sector
			copy(out[at+rng.IntN(512):], old[:page-512])
		case meta && which == 0:
			copy(out[at:], old)
		}
	}
	return out
}

func checkAfterCut(t *testing.T, image []byte, saved, last []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	must(t, os.WriteFile(path, image, 0o600))
	j, err := Open(path, testOptions())
	must(t, err)
	defer closeJournal(t, j)
	got := contents(t, j)
	if !slices.Equal(got, saved) && !slices.Equal(got, slices.Concat(saved, last)) {
		t.Fatalf("%d changes after the cut, want %d or %d", len(got), len(saved), len(saved)+len(last))
	}
	if damaged, unchained, err := j.Check(); len(damaged)+len(unchained) > 0 || err != nil {
		t.Fatalf("check: %v %v %v", damaged, unchained, err)
	}
	mustAppend(t, j, "it goes on")
}

// TestAnyDamageIsNoCrash flips, zeroes or cuts anything anywhere: opening and reading give
// an error or marked frames, never a wrong change and never the end of the program.
func TestAnyDamageIsNoCrash(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	j, path := create(t)
	for i := range 40 {
		mustAppend(t, j, fmt.Sprint("change ", i, string(make([]byte, 500))))
	}
	must(t, j.Update(func(tx *Tx) error { return tx.PutReceipt(1, []byte("r")) }))
	whole, head := read(t, path), j.Head()
	good := contents(t, j)
	for range 150 {
		b := bytes.Clone(whole)
		at := rng.IntN(len(b))
		switch rng.IntN(3) {
		case 0:
			b[at] ^= 1 << rng.IntN(8)
		case 1:
			clear(b[at:min(len(b), at+rng.IntN(8192))])
		case 2:
			b = b[:at]
		}
		copied := filepath.Join(t.TempDir(), FileName)
		must(t, os.WriteFile(copied, b, 0o600))
		readDamaged(t, copied, head, good)
	}
}

func readDamaged(t *testing.T, path string, head syncproto.Place, good []string) {
	t.Helper()
	j, err := Open(path, testOptions())
	if err != nil {
		if c := syncproto.CodeOf(err); c != syncproto.CodeJournalDamaged && c != syncproto.CodeWrongKey && c != syncproto.CodeNewerFormat {
			t.Fatalf("open: %v", err)
		}
		return
	}
	defer func() { _ = j.Close() }() // may say what is wrong with the file
	if j.Head().Seq != head.Seq {
		return // an older meta page counts: bbolt's own fallback, as after a power cut
	}
	_ = j.Range(1, head.Seq, func(f Frame) error {
		if !f.Damaged && string(f.Bytes) != good[f.Place.Seq-1] {
			t.Fatalf("frame %d holds another change", f.Place.Seq)
		}
		return nil
	})
	_, _, _ = j.NewestReceipt()
}

// TestGuard: a panic inside a write neither ends the program nor keeps the lock.
func TestGuard(t *testing.T) {
	j, path := create(t)
	mustAppend(t, j, "one")
	j.commit = func(*bbolt.Tx) error { panic("page 7 already freed") }
	if _, err := j.Append([][]byte{[]byte("two")}); syncproto.CodeOf(err) != syncproto.CodeDiskFailed {
		t.Fatalf("append: %v", err)
	}
	closeJournal(t, j)
	mustAppend(t, reopen(t, path), "two")
}
