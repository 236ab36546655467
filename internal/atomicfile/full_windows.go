package atomicfile

import "golang.org/x/sys/windows"

// fullDisk are the system's errors of a disk without room.
var fullDisk = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED}
