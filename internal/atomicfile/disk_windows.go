package atomicfile

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// syncDir does nothing: Windows cannot sync a folder, and NTFS journals renames itself.
func syncDir(string) error { return nil }

// Error numbers of Windows for a file that somebody else holds open.
const (
	errorAccessDenied     = syscall.Errno(5)
	errorSharingViolation = syscall.Errno(32)
)

// rename tries for about a second: a virus scanner or an indexer often holds a file open
// for some milliseconds after it was written, and Windows then refuses to rename over it.
func rename(from, to string) error {
	wait := 5 * time.Millisecond
	for {
		err := os.Rename(from, to)
		busy := errors.Is(err, errorAccessDenied) || errors.Is(err, errorSharingViolation)
		if !busy || wait > time.Second/2 {
			return err
		}
		time.Sleep(wait)
		wait *= 2
	}
}
