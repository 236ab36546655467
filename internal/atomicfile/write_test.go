package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestWriteReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "base")
	for _, want := range []string{"first", "", "a longer third content", "x"} {
		if err := Write(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != want {
			t.Errorf("content %q, want %q", got, want)
		}
	}
	if names := list(t, filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestWriteInCurrentFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := Write("bare-name", []byte("here"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(t, "bare-name"); got != "here" {
		t.Errorf("content %q", got)
	}
}

func TestWriteSetsPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // Windows knows only the read-only bit
	}
	path := filepath.Join(t.TempDir(), "key")
	for _, perm := range []fs.FileMode{0o644, 0o600} {
		if err := Write(path, nil, perm); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != perm {
			t.Errorf("permissions %v, want %v", info.Mode().Perm(), perm)
		}
	}
}

func TestWriteWithoutFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "base")
	if err := Write(path, []byte("x"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want one that is fs.ErrNotExist", err)
	}
}

func TestTempPatternMatchesWhatIsLeft(t *testing.T) {
	dir := t.TempDir()
	s := disk
	s.rename = func(string, string) error { return errInjected }
	s.remove = func(string) error { return errInjected } // as after a crash
	if err := s.write(filepath.Join(dir, "base"), []byte("x"), 0o600); err == nil {
		t.Fatal("no error")
	}
	for _, name := range list(t, dir) {
		if ok, err := filepath.Match(TempPattern, name); !ok || err != nil {
			t.Errorf("%q does not match %q: %v", name, TempPattern, err)
		}
	}
}

var errInjected = errors.New("injected")

// fault is a file whose named step fails, after half the data in the case of write.
type fault struct {
	file
	step string
}

func (f fault) Write(p []byte) (int, error) {
	if f.step == "write" {
		n, err := f.file.Write(p[:len(p)/2])
		return n, errors.Join(errInjected, err)
	}
	return f.file.Write(p)
}

func (f fault) Chmod(mode fs.FileMode) error { return f.do("chmod", f.file.Chmod(mode)) }
func (f fault) Sync() error                  { return f.do("sync", f.file.Sync()) }
func (f fault) Close() error                 { return f.do("close", f.file.Close()) }

func (f fault) do(step string, err error) error {
	if f.step == step {
		return errors.Join(errInjected, err)
	}
	return err
}

// faulty is the real system with one step that fails; with done set the step happens all
// the same and only its answer is lost.
func faulty(step string, done bool) system {
	s := disk
	s.create = func(dir, pattern string) (file, error) {
		if step == "create" {
			return nil, errInjected
		}
		f, err := disk.create(dir, pattern)
		return fault{f, step}, err
	}
	s.rename = func(from, to string) error {
		if step == "rename" && !done {
			return errInjected
		}
		if err := disk.rename(from, to); err != nil || step != "rename" {
			return err
		}
		return errInjected
	}
	s.syncDir = func(dir string) error {
		if step == "sync dir" {
			return errInjected
		}
		return disk.syncDir(dir)
	}
	return s
}

// TestFaults breaks each step in turn: the name must hold all of the old content or all of
// the new one, nothing else may be left, and the error must say so.
func TestFaults(t *testing.T) {
	const before, after = "the old content", "the new content, longer"
	for _, tc := range []struct {
		step string
		done bool
		want string
	}{
		{"create", false, before},
		{"write", false, before},  // a full disk: half of it was written
		{"chmod", false, before},  //
		{"sync", false, before},   // after a failed fsync nothing is trusted
		{"close", false, before},  // network folders report a full disk here
		{"rename", false, before}, // for instance open by a virus scanner
		{"rename", true, after},   // done, but the answer was lost
		{"sync dir", false, after},
	} {
		t.Run(tc.step, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "base")
			if err := Write(path, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			err := faulty(tc.step, tc.done).write(path, []byte(after), 0o600)
			if !errors.Is(err, errInjected) {
				t.Errorf("error %v, want the injected one", err)
			}
			if got := errors.Is(err, ErrUnsettled); got != (tc.step == "sync dir") {
				t.Errorf("errors.Is(ErrUnsettled) = %v for %v", got, err)
			}
			if got := read(t, path); got != tc.want {
				t.Errorf("content %q, want %q", got, tc.want)
			}
			if names := list(t, filepath.Dir(path)); len(names) != 1 {
				t.Errorf("left behind: %v", names)
			}
			if err := Write(path, []byte("again"), 0o600); err != nil {
				t.Errorf("write after the fault: %v", err)
			}
		})
	}
}

// TestOrder shows that content is synced before the name changes and the folder after it.
func TestOrder(t *testing.T) {
	var steps []string
	s := disk
	s.create = func(dir, pattern string) (file, error) {
		f, err := disk.create(dir, pattern)
		return recorder{f, &steps}, err
	}
	s.rename = func(from, to string) error {
		steps = append(steps, "rename")
		return disk.rename(from, to)
	}
	s.syncDir = func(dir string) error {
		steps = append(steps, "sync dir")
		return disk.syncDir(dir)
	}
	if err := s.write(filepath.Join(t.TempDir(), "base"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"write", "sync", "close", "rename", "sync dir"}
	if len(steps) != len(want) {
		t.Fatalf("steps %v, want %v", steps, want)
	}
	for i := range want {
		if steps[i] != want[i] {
			t.Fatalf("steps %v, want %v", steps, want)
		}
	}
}

type recorder struct {
	file
	steps *[]string
}

func (r recorder) Write(p []byte) (int, error) {
	*r.steps = append(*r.steps, "write")
	return r.file.Write(p)
}

func (r recorder) Sync() error {
	*r.steps = append(*r.steps, "sync")
	return r.file.Sync()
}

func (r recorder) Close() error {
	*r.steps = append(*r.steps, "close")
	return r.file.Close()
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestStreamKeepsTheOldFileWhenTheContentFails: what fill wrote before it failed is gone.
func TestStreamKeepsTheOldFileWhenTheContentFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	parts := func(end error) func(io.Writer) error {
		return func(w io.Writer) error {
			for _, p := range []string{"one ", "two"} {
				if _, err := io.WriteString(w, p); err != nil {
					return err
				}
			}
			return end
		}
	}
	if err := Stream(path, 0o600, parts(nil)); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	if err := Stream(path, 0o600, parts(stop)); !errors.Is(err, stop) {
		t.Fatalf("stream: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v %v", entries, err)
	}
	if b, err := os.ReadFile(path); string(b) != "one two" || err != nil {
		t.Errorf("file holds %q %v", b, err)
	}
}
