package bundlefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"unionsync/internal/atomicfile"
	"unionsync/syncproto"
	"unionsync/syncproto/bundle"
)

// Read gives a file's bytes, at most [bundle.MaxFileBytes]. Errors name the file and no
// folder.
func Read(path string) ([]byte, error) {
	const op = "read bundle"
	unread := func(err error) ([]byte, error) {
		return nil, syncproto.Fail(syncproto.CodeStickRead, op, err, "file", filepath.Base(path))
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return unread(err)
	case !info.Mode().IsRegular():
		return nil, syncproto.Fail(syncproto.CodeBundleForm, op, fmt.Errorf("mode %s", info.Mode()))
	case info.Size() > bundle.MaxFileBytes:
		return nil, syncproto.Fail(syncproto.CodeBundleTooLarge, op, fmt.Errorf("%d bytes", info.Size()))
	}
	f, err := os.Open(path)
	if err != nil {
		return unread(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, bundle.MaxFileBytes+1))
	if err != nil {
		return unread(err)
	}
	return b, nil
}

// Inspect reads what stands outside the seal, and checks the checksum.
func Inspect(path string) (bundle.Head, error) {
	b, err := Read(path)
	if err != nil {
		return bundle.Head{}, err
	}
	h, _, err := bundle.DecodeFile(b)
	return h, err
}

// Place is where a bundle named name goes when a person named to: into the folder, under its
// own name, or to the file.
func Place(to, name string) string {
	if info, err := os.Stat(to); err == nil && info.IsDir() || err != nil && !strings.HasSuffix(to, bundle.Suffix) {
		return filepath.Join(to, name)
	}
	return to
}

// Write puts a bundle under a name. When it returns nil the file is on disk, has been read
// back and is what was given: safe to remove. there reports that it was so before. A file
// with another content is left alone ([syncproto.CodeBundleExists]); after any error nothing
// half-written stands under the name.
func Write(path string, data []byte) (there bool, err error) {
	const op = "write bundle"
	dir, name := filepath.Dir(path), filepath.Base(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, WriteError(dir, err)
	}
	switch err := atomicfile.Check(path, bytes.NewReader(data)); {
	case err == nil:
		return true, nil
	case errors.Is(err, atomicfile.ErrDiffers):
		return false, syncproto.Fail(syncproto.CodeBundleExists, op, err, "file", name)
	case !errors.Is(err, fs.ErrNotExist):
		return false, syncproto.Fail(syncproto.CodeStickRead, op, err, "file", name)
	}
	if err := atomicfile.Write(path, data, 0o644); err != nil {
		return false, WriteError(dir, err)
	}
	return false, ReadBack(path, bytes.NewReader(data))
}

// ReadBack compares a file just written with what was to be written; one that differs is
// removed: it must not be taken for good.
func ReadBack(path string, want io.Reader) error {
	err := atomicfile.Check(path, want)
	if err == nil {
		return nil
	}
	return syncproto.Fail(syncproto.CodeStickReadBack, "read back", errors.Join(err, os.Remove(path)), "file", filepath.Base(path))
}

// WriteError tells a full disk from a folder that cannot be written.
func WriteError(dir string, err error) error {
	if atomicfile.Full(err) {
		return syncproto.Fail(syncproto.CodeStickFull, "write bundle", err, "dir", dir)
	}
	return syncproto.Fail(syncproto.CodeStickWrite, "write bundle", err, "dir", dir)
}

// Find gives the paths of the bundles in a folder, in order of their names, by the end of
// the name; of a path that is no folder, the path itself.
func Find(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeStickRead, "find bundles", err, "file", filepath.Base(path))
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeStickRead, "find bundles", err, "file", filepath.Base(path))
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(e.Name(), bundle.Suffix) && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, filepath.Join(path, e.Name()))
		}
	}
	slices.Sort(out)
	return out, nil
}
