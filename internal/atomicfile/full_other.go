//go:build !windows

package atomicfile

import "golang.org/x/sys/unix"

// fullDisk are the system's errors of a disk without room.
var fullDisk = []error{unix.ENOSPC, unix.EDQUOT}
