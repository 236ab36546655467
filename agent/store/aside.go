package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// keepAside is how many folders that were set aside are kept: the newest ones.
const keepAside = 2

// setAside renames the folder, unopened, and removes the oldest of those set aside before.
func (s *Store) setAside() error {
	if _, err := os.Lstat(s.path(DirName)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	numbers, err := s.asides()
	if err != nil {
		return err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	if err := os.Rename(s.path(DirName), s.asidePath(next)); err != nil {
		return fmt.Errorf("set store aside: %w", err)
	}
	if err := syncDir(s.dir); err != nil {
		return fmt.Errorf("set store aside: %w", err)
	}
	for _, n := range numbers[:max(0, len(numbers)+1-keepAside)] {
		if err := os.RemoveAll(s.asidePath(n)); err != nil {
			s.log.Warn("an old store set aside cannot be removed", "number", n, "error", err)
		}
	}
	return nil
}

func (s *Store) asidePath(n int) string { return s.path(AsideName + "-" + strconv.Itoa(n)) }

// asides gives the numbers of the folders set aside, ascending.
func (s *Store) asides() ([]int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list stores set aside: %w", err)
	}
	var out []int
	for _, e := range entries {
		if rest, ok := strings.CutPrefix(e.Name(), AsideName+"-"); ok {
			if n, err := strconv.Atoi(rest); err == nil {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

// Asides says how many folders are set aside.
func (s *Store) Asides() (int, error) {
	numbers, err := s.asides()
	return len(numbers), err
}

// DropAsides removes the folders set aside. The caller has just ended an exchange with
// equal digests: nothing can be in them alone.
func (s *Store) DropAsides() error {
	numbers, err := s.asides()
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if err := os.RemoveAll(s.asidePath(n)); err != nil {
			return fmt.Errorf("remove store set aside: %w", err)
		}
	}
	return nil
}
