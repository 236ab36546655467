package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// file is what [Write] needs of an open file.
type file interface {
	Write(p []byte) (int, error)
	Chmod(mode fs.FileMode) error
	Sync() error
	Close() error
	Name() string
}

// system is the file system as [Write] uses it; the tests put faults into it.
type system struct {
	create  func(dir, pattern string) (file, error)
	rename  func(from, to string) error
	remove  func(name string) error
	syncDir func(dir string) error
}

var disk = system{
	create:  func(dir, pattern string) (file, error) { return os.CreateTemp(dir, pattern) },
	rename:  rename,
	remove:  os.Remove,
	syncDir: syncDir,
}

// TempPattern matches, in the sense of [path.Match], the temporary files that a crash can
// leave in the folder. Nobody reads them; whoever owns the folder may remove them.
const TempPattern = ".*.tmp-*"

// Write replaces the file at path with data. Nobody else may write the same path at the
// same time; readers see the old file or the new one. An error means that the old content
// still stands, unless only the fsync of the folder failed: then the new content is under
// the name, and a power cut may still bring the old one back ([ErrUnsettled]).
func Write(path string, data []byte, perm fs.FileMode) error {
	return disk.write(path, data, perm)
}

// Stream is [Write] for content that is not held in memory as a whole: fill writes it. An
// error of fill leaves the old file.
func Stream(path string, perm fs.FileMode, fill func(io.Writer) error) error {
	return disk.stream(path, perm, fill)
}

// ErrUnsettled says that the new file is in place but that the folder could not be synced.
var ErrUnsettled = errors.New("folder not synced")

func (s system) write(path string, data []byte, perm fs.FileMode) error {
	return s.stream(path, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func (s system) stream(path string, perm fs.FileMode, fill func(io.Writer) error) error {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	temp, err := s.fill(dir, "."+base+".tmp-*", perm, fill)
	if err != nil {
		return fmt.Errorf("write %s: %w", base, err)
	}
	// The commit point. A crash before it leaves the old file and a temporary one.
	if err := s.rename(temp, path); err != nil {
		_ = s.remove(temp) // the error of the rename tells more
		return fmt.Errorf("write %s: %w", base, err)
	}
	if err := s.syncDir(dir); err != nil {
		return fmt.Errorf("write %s: %w: %w", base, ErrUnsettled, err)
	}
	return nil
}

// fill makes the temporary file, complete, synced and closed, and gives its name.
func (s system) fill(dir, pattern string, perm fs.FileMode, content func(io.Writer) error) (string, error) {
	f, err := s.create(dir, pattern)
	if err != nil {
		return "", err
	}
	err = func() error {
		if err := content(f); err != nil {
			return err
		}
		// FAT, as on most sticks, has no such modes and says so. The file is then as the
		// system made it: for its owner alone, where it knows owners.
		if err := f.Chmod(perm); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return f.Sync()
	}()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = s.remove(f.Name()) // the first error tells more
		return "", err
	}
	return f.Name(), nil
}
