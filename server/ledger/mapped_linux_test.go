package ledger

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

func TestReadMapping(t *testing.T) {
	for _, c := range []struct {
		why, line  string
		from, size uintptr
		file       string
	}{
		{"a table", "7f0010000000-7f0010400000 rw-s 00000000 fe:00 4242      /var/lib/unionsync/ledger/000007.sst", 0x7f0010000000, 4 << 20, "/var/lib/unionsync/ledger/000007.sst"},
		{"memory of no file", "c000000000-c004000000 rw-p 00000000 00:00 0 ", 0, 0, ""},
		{"a file that is gone", "7f0010000000-7f0010400000 rw-s 00000000 fe:00 4242 /x/000007.sst (deleted)", 0, 0, ""},
		{"no line", "", 0, 0, ""},
		{"numbers that are none", "xx-yy rw-s 00000000 fe:00 4242 /x/000007.sst", 0, 0, ""},
	} {
		if from, size, file := readMapping(c.line); from != c.from || size != c.size || file != c.file {
			t.Errorf("%s: %x, %d, %q", c.why, from, size, file)
		}
	}
}

// TestTrimMapped: what is given back is read again as it was, and is not resident meanwhile.
func TestTrimMapped(t *testing.T) {
	dir := t.TempDir()
	n := begun(t, Config{Dir: dir, Key: testKey})
	name, at := memberField(t, "name"), syncproto.Place{Journal: 5}
	for range 4 {
		s := &entrypb.Segment{Journal: 5, First: at.Seq + 1, Signature: []byte("signed")}
		if at.Seq > 0 {
			s.Previous = at.Hash.Wire()
		}
		for range 500 {
			c := syncproto.Change{Union: "u1", Kind: memberKind, Actor: "clerk", Edits: []syncproto.Edit{{Field: name, Value: []byte("somebody")}}}
			c.ID[0], c.ID[1] = byte(at.Seq), byte(at.Seq>>8)+1
			s.Changes = append(s.Changes, c.Encode(5))
			at = at.Next(s.Changes[len(s.Changes)-1])
		}
		n.apply(&entrypb.Batch{Time: 1, Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}})
	}
	before := n.dump()
	if err := n.l.Close(); err != nil { // what is in memory goes into a table
		t.Fatal(err)
	}
	l, err := Open(n.l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.l = l
	if !bytes.Equal(before, n.dump()) {
		t.Fatal("the state differs after it was opened again")
	}
	had := residentTables(t, dir)
	if err := n.l.TrimMapped(0, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if has := residentTables(t, dir); had == 0 || has >= had && !inMemory(t, dir) {
		t.Errorf("%d KiB of tables were resident, %d are now", had, has)
	}
	if !bytes.Equal(before, n.dump()) {
		t.Error("the state differs after its pages were given back")
	}
}

// residentTables gives how many KiB of the mapped tables are resident.
func residentTables(t *testing.T, dir string) (kib int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	table := false
	for line := range strings.Lines(string(b)) {
		if _, _, file := readMapping(line); strings.Contains(line, "-") && len(strings.Fields(line)) > 4 {
			table = strings.HasPrefix(file, dir) && filepath.Ext(file) == ".sst"
		}
		if f := strings.Fields(line); table && len(f) == 3 && f[0] == "Rss:" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			kib += n
		}
	}
	return kib
}

// inMemory reports whether a folder lies on no disk: then nothing can be given back.
func inMemory(t *testing.T, dir string) bool {
	t.Helper()
	const tmpfs = 0x01021994
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	return s.Type == tmpfs
}
