package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"unionsync/internal/atomicfile"
)

// folder is a target in a folder of a mounted disk. It must be there already: a disk that is
// not mounted must not be mistaken for an empty archive.
type folder struct{ dir string }

var _ Target = (*folder)(nil)

// String implements Target.
func (f *folder) String() string { return f.dir }

func (f *folder) path(name string) (string, error) {
	if !goodName(name) {
		return "", fmt.Errorf("%q is no name of an object", name)
	}
	return filepath.Join(f.dir, filepath.FromSlash(name)), nil
}

// Put implements Target: a file beside it, fsync, rename, fsync of the folder, and a check
// of what the disk gives back.
func (f *folder) Put(_ context.Context, name string, data []byte) error {
	file, err := f.path(name)
	if err != nil {
		return err
	}
	if err := f.makeDirs(path.Dir(name)); err != nil {
		return err
	}
	if err := atomicfile.Write(file, data, 0o600); err != nil {
		return err
	}
	return atomicfile.Check(file, bytes.NewReader(data))
}

// makeDirs makes the folders down to dir, each of them durably.
func (f *folder) makeDirs(dir string) error {
	if _, err := os.Stat(f.dir); err != nil {
		return err
	}
	at := f.dir
	for part := range strings.SplitSeq(dir, "/") {
		if part == "." {
			continue
		}
		err := os.Mkdir(filepath.Join(at, part), 0o700)
		if err == nil {
			err = syncFolder(at)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		at = filepath.Join(at, part)
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get implements Target.
func (f *folder) Get(_ context.Context, name string) ([]byte, error) {
	file, err := f.path(name)
	if err != nil {
		return nil, err
	}
	r, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("get %s: %w", name, ErrNoObject)
	}
	if err != nil {
		return nil, err
	}
	b, err := readAll(r)
	return b, errors.Join(err, r.Close())
}

// readAll reads an object to its end, if it is not too long for one.
func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxObject+1))
	if err == nil && len(b) > MaxObject {
		err = fmt.Errorf("more than %d bytes", MaxObject)
	}
	return b, err
}

// List implements Target. What a crash left of a write is not among it.
func (f *folder) List(_ context.Context, prefix string) ([]Object, error) {
	if _, err := os.Stat(f.dir); err != nil {
		return nil, err
	}
	var out []Object
	err := filepath.WalkDir(filepath.Join(f.dir, filepath.FromSlash(path.Dir(prefix+"x"))), func(file string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(f.dir, file)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if !goodName(name) || !strings.HasPrefix(name, prefix) {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		out = append(out, Object{Name: name, Size: info.Size()})
		return nil
	})
	slices.SortFunc(out, func(a, b Object) int { return cmp.Compare(a.Name, b.Name) })
	return out, err
}

// Delete implements Target. A folder that is empty afterwards goes too.
func (f *folder) Delete(_ context.Context, name string) error {
	file, err := f.path(name)
	if err != nil {
		return err
	}
	err = os.Remove(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	dir := filepath.Dir(file)
	if err := syncFolder(dir); err != nil {
		return err
	}
	if dir != f.dir {
		_ = os.Remove(dir) // it fails while something is in it, which is what we want
	}
	return nil
}
