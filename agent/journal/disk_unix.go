//go:build !windows

package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// FreeBytes gives how many bytes the disk that holds dir has free for this user.
func FreeBytes(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("ask for free space: %w", err)
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil //nolint:unconvert // types differ by system
}

func isDiskFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// notWritten reports whether a failed commit is one in which no fsync failed: a write that
// found the disk full. Its system call stands in the error; that of fsync does not.
func notWritten(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && p.Op == "write" && isDiskFull(err)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// unlock gives bbolt's lock back. Closing alone does not while a memory map, which bbolt
// left behind when it panicked, still holds the file.
func unlock(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }
