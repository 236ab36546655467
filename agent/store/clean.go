package store

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"unionsync/internal/atomicfile"
	"unionsync/internal/seal"
)

// clean is what a cleanly closed folder held. The file is sealed JSON behind a version
// byte; it stands only while the folder is closed.
type clean struct {
	State []byte      `json:"state"` // encoded State
	Files []cleanFile `json:"files"`
}

// cleanFile is one file of the folder.
type cleanFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Hash []byte `json:"hash"` // SHA-256
}

const cleanVersion = 1

var aadClean = []byte("unionsync store clean")

// writeClean syncs every file of the closed folder, because Badger's own sync is empty on
// Windows, and notes what they hold.
func (s *Store) writeClean() error {
	files, err := listFiles(s.path(DirName), true)
	if err != nil {
		return fmt.Errorf("note clean close: %w", err)
	}
	b, err := json.Marshal(clean{State: s.state.encode(), Files: files})
	if err != nil {
		return fmt.Errorf("note clean close: %w", err)
	}
	box, err := seal.Seal(s.key, s.rand, b, aadClean)
	if err != nil {
		return fmt.Errorf("note clean close: %w", err)
	}
	return atomicfile.Write(s.path(CleanName), append([]byte{cleanVersion}, box...), 0o600)
}

// listFiles reads every file of a folder, in order of names.
func listFiles(dir string, sync bool) ([]cleanFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := make([]cleanFile, 0, len(entries))
	for _, e := range entries {
		if !e.Type().IsRegular() {
			return nil, fmt.Errorf("%s is no file", e.Name())
		}
		f, err := hashFile(filepath.Join(dir, e.Name()), sync)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func hashFile(path string, sync bool) (c cleanFile, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) // Windows syncs only what is open for writing
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if sync {
		if err := f.Sync(); err != nil {
			return c, err
		}
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	return cleanFile{Name: filepath.Base(path), Size: n, Hash: h.Sum(nil)}, err
}

// takeClean reads the note of the last clean close and removes it: from here on a crash
// leaves none. It gives the state if the folder is what the note says, and otherwise why
// it cannot be trusted.
func (s *Store) takeClean() (st State, why string, err error) {
	raw, err := os.ReadFile(s.path(CleanName))
	if errors.Is(err, fs.ErrNotExist) {
		return st, "not closed cleanly", nil
	}
	if err != nil {
		return st, "", fmt.Errorf("read note of clean close: %w", err)
	}
	if err := os.Remove(s.path(CleanName)); err != nil {
		return st, "", fmt.Errorf("remove note of clean close: %w", err)
	}
	if err := syncDir(s.dir); err != nil {
		return st, "", fmt.Errorf("sync folder: %w", err)
	}
	c, st, err := s.openClean(raw)
	if err != nil {
		return st, err.Error(), nil //nolint:nilerr // a reason, not a failure
	}
	return st, s.compareFiles(c.Files), nil
}

func (s *Store) openClean(raw []byte) (c clean, st State, err error) {
	if len(raw) == 0 || raw[0] != cleanVersion {
		return c, st, errors.New("note of clean close is of another version")
	}
	b, err := seal.Open(s.key, raw[1:], aadClean)
	if err != nil {
		return c, st, fmt.Errorf("note of clean close: %w", err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, st, fmt.Errorf("note of clean close: %w", err)
	}
	st, err = decodeState(c.State)
	return c, st, err
}

// compareFiles says what differs from the note, "" if nothing does.
func (s *Store) compareFiles(want []cleanFile) string {
	got, err := listFiles(s.path(DirName), false)
	if err != nil {
		return "folder cannot be read"
	}
	if len(got) != len(want) {
		return "files are missing or new"
	}
	for i := range got {
		if got[i].Name != want[i].Name || got[i].Size != want[i].Size || string(got[i].Hash) != string(want[i].Hash) {
			return "a file is not what it was"
		}
	}
	return ""
}
