package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// damages are what a power cut or a bad disk does to a file.
var damages = []struct {
	name string
	do   func(path string) error
}{
	{"zeroed", func(path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, make([]byte, info.Size()), 0o600)
	}},
	{"truncated to nothing", func(path string) error { return os.Truncate(path, 0) }},
	{"truncated in the middle", func(path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, info.Size()/2)
	}},
	{"removed", os.Remove},
	{"last sector zeroed", func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		clear(b[max(0, len(b)-512):])
		return os.WriteFile(path, b, 0o600)
	}},
	{"one bit", func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 {
			return err
		}
		b[len(b)/3] ^= 4
		return os.WriteFile(path, b, 0o600)
	}},
}

// scene is a union's folder with settled, held and pending changes and a base, closed
// cleanly or cut off while open.
func scene(t *testing.T, killed bool) (dir string, j *fakeJournal, layer map[syncproto.RecordKey]*merge.Record) {
	t.Helper()
	dir, j = t.TempDir(), newJournal()
	s, _ := open(t, dir, j)
	for i := range 8 {
		must(t, s.Add([]Own{j.append(s, byte(1+i%5), fmt.Sprint("name ", i), fmt.Sprint("no ", i))}))
	}
	must(t, s.Settle(j.answer(5, func(seq uint64) bool { return seq == 4 })))
	u := Update{Puts: []Put{j.foreign(2, "by another"), j.foreign(30, "another's")}}
	u.Meta = &Meta{Cursor: j.pos, Whole: j.pos, Fetched: true, Settled: j.owns[4].Place}
	must(t, s.Settle(u))
	must(t, s.WriteBase())
	must(t, s.Add([]Own{j.append(s, 3, "after the base", "x"), j.append(s, 40, "new", "y")}))
	if killed {
		dir = copyDir(t, dir)
	} else {
		must(t, s.Close())
	}
	return dir, j, j.centre
}

// copyDir copies a folder as it is on disk: what a kill leaves.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	must(t, os.CopyFS(to, os.DirFS(from)))
	return to
}

// TestEveryFileEveryDamage: whatever happens to any file, opening does not fail and shows
// every own change; the centre's records too, unless the base itself is gone.
func TestEveryFileEveryDamage(t *testing.T) {
	for _, killed := range []bool{false, true} {
		dir, j, layer := scene(t, killed)
		var files []string
		must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && d.Name() != "LOCK" {
				rel, _ := filepath.Rel(dir, path)
				files = append(files, rel)
			}
			return err
		}))
		if len(files) < 5 {
			t.Fatalf("only %v to damage", files)
		}
		for _, file := range files {
			for _, d := range damages {
				t.Run(fmt.Sprint("killed ", killed, " ", file, " ", d.name), func(t *testing.T) {
					copied := copyDir(t, dir)
					must(t, d.do(filepath.Join(copied, file)))
					checkScene(t, copied, j, layer, file == BaseName && killed)
				})
			}
		}
	}
}

func checkScene(t *testing.T, dir string, j *fakeJournal, layer map[syncproto.RecordKey]*merge.Record, baseGone bool) {
	t.Helper()
	s, met := open(t, dir, j)
	defer func() { must(t, s.Close()) }()
	st := s.State()
	want := j.want(layer, 5)
	if baseGone {
		want = j.want(nil, 0)
		if st.Cursor != 0 || st.Settled.Seq != 0 {
			t.Errorf("without a base: cursor %s, settled %d", st.Cursor, st.Settled.Seq)
		}
	}
	if d := cmp.Diff(want, shown(t, s)); d != "" {
		t.Errorf("%+v: %s", met, d)
	}
	if c, err := s.Check(); c.Digest != c.Stored || c.Wrong > 0 || err != nil {
		t.Errorf("check: %+v %v", c, err)
	}
	must(t, s.Add([]Own{(&fakeJournal{owns: j.owns[:len(j.owns):len(j.owns)]}).append(s, 50, "goes on", "z")}))
}

// TestOpenedAsItWas: a clean close is trusted, so that a start costs nothing.
func TestOpenedAsItWas(t *testing.T) {
	dir, j, layer := scene(t, false)
	for range 3 {
		s, met := open(t, dir, j)
		if met.Rebuilt || met.BaseLost {
			t.Errorf("opened: %+v", met)
		}
		if d := cmp.Diff(j.want(layer, 5), shown(t, s)); d != "" {
			t.Error(d)
		}
		must(t, s.CheckBase())
		must(t, s.Close())
	}
}

// TestHeadsThatDoNotFit: the journal is the truth, whatever the store says.
func TestHeadsThatDoNotFit(t *testing.T) {
	t.Run("the journal went on alone", func(t *testing.T) {
		dir, j, layer := scene(t, false)
		j.append(nil, 60, "not in the store", "n")
		s, met := open(t, dir, j)
		if d := cmp.Diff(j.want(layer, 5), shown(t, s)); d != "" || !met.Rebuilt {
			t.Error(met, d)
		}
	})
	t.Run("the journal is an older copy", func(t *testing.T) {
		dir, j, layer := scene(t, false)
		j.owns = j.owns[:3]
		s, met := open(t, dir, j)
		if st := s.State(); st.Settled.Seq != 0 || st.Head.Seq != 3 || !met.Rebuilt {
			t.Errorf("%+v: settled %d, head %d", met, st.Settled.Seq, st.Head.Seq)
		}
		// Settled changes are told by their positions: nothing is laid twice.
		if d := cmp.Diff(j.want(layer, 5), shown(t, s)); d != "" {
			t.Error(d)
		}
	})
	t.Run("an older base was put back", func(t *testing.T) {
		dir, j, layer := scene(t, true)
		s, _ := open(t, dir, j)
		old, err := os.ReadFile(filepath.Join(dir, BaseName))
		must(t, err)
		must(t, s.WriteBase())
		must(t, s.Close())
		must(t, os.WriteFile(filepath.Join(dir, BaseName), old, 0o600))
		s, met := open(t, dir, j)
		if d := cmp.Diff(j.want(layer, 5), shown(t, s)); d != "" || !met.Rebuilt {
			t.Error(met, d)
		}
	})
}

// TestDamagedBaseIsWrittenAgain: while the store is whole, nothing is fetched again.
func TestDamagedBaseIsWrittenAgain(t *testing.T) {
	dir, j, layer := scene(t, false)
	must(t, os.WriteFile(filepath.Join(dir, BaseName), []byte{baseVersion, 1, 2, 3}, 0o600))
	s, met := open(t, dir, j)
	if met.Rebuilt || !met.BaseLost {
		t.Errorf("opened: %+v", met)
	}
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(dir, CleanName)))
	s, met = open(t, dir, j)
	if d := cmp.Diff(j.want(layer, 5), shown(t, s)); d != "" || met.BaseLost {
		t.Error(met, d)
	}
}

// TestCrashWhileRebuilding: a folder that is only half made again is not trusted.
func TestCrashWhileRebuilding(t *testing.T) {
	dir, j, layer := scene(t, true)
	temp := filepath.Join(dir, ".base.tmp-1234")
	must(t, os.WriteFile(temp, []byte("half a base"), 0o600))
	s := newStore(dir, testOptions())
	if _, _, err := s.takeClean(); err != nil {
		t.Fatal(err)
	}
	src := j.source()
	src.Own = func(uint64, func(Own) error) error { return os.ErrDeadlineExceeded }
	if _, err := s.rebuild(src); err == nil {
		t.Fatal("the fault did not show")
	}
	must(t, s.Close())
	s, _ = open(t, dir, j)
	if d := cmp.Diff(j.want(layer, 5), shown(t, s)); d != "" {
		t.Error(d)
	}
	if _, err := os.Lstat(temp); !os.IsNotExist(err) {
		t.Errorf("a half-written base stays: %v", err)
	}
	if n, err := s.Asides(); n != 1 || err != nil {
		t.Errorf("%d set aside, %v: a folder being made is not one", n, err)
	}
}

// TestBaseDamagedBehindItsBeginning: such a base still tells its stamp. Once it was found
// damaged it must not count as another base, or every start would throw away what was
// fetched since.
func TestBaseDamagedBehindItsBeginning(t *testing.T) {
	dir, j := t.TempDir(), newJournal()
	s, _ := open(t, dir, j)
	for i := range 50 {
		must(t, s.Add([]Own{j.append(s, byte(i), string(make([]byte, 4000)), fmt.Sprint(i))}))
	}
	must(t, s.Settle(j.answer(50, nil)))
	must(t, s.WriteBase())
	dir = copyDir(t, dir)
	base := filepath.Join(dir, BaseName)
	b, err := os.ReadFile(base)
	must(t, err)
	b[len(b)-100] ^= 1
	must(t, os.WriteFile(base, b, 0o600))
	s, met := open(t, dir, j)
	if !met.Rebuilt || !met.BaseLost || s.State().Cursor != 0 {
		t.Errorf("opened: %+v", met)
	}
	u := j.answer(0, nil) // all of it is fetched again
	for key, rec := range j.centre {
		u.Puts = append(u.Puts, Put{key, rec})
	}
	must(t, s.Settle(u))
	must(t, s.Close())
	s, met = open(t, dir, j)
	if met.Rebuilt || s.State().Cursor != j.pos {
		t.Errorf("what was fetched again is gone: %+v, cursor %s", met, s.State().Cursor)
	}
}
