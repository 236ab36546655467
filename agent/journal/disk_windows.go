package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// FreeBytes gives how many bytes the disk that holds dir has free for this user.
func FreeBytes(dir string) (uint64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, fmt.Errorf("ask for free space: %w", err)
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, fmt.Errorf("ask for free space: %w", err)
	}
	return free, nil
}

func isDiskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// notWritten reports whether a failed commit is one in which no fsync failed: a write that
// found the disk full. Its system call stands in the error; that of fsync does not.
func notWritten(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && p.Op == "write" && isDiskFull(err)
}

// syncDir does nothing: Windows cannot sync a folder, and NTFS journals renames itself.
func syncDir(string) error { return nil }

// unlock does nothing: closing the handle gives its lock back.
func unlock(*os.File) {}
