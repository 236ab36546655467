package health

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// DiskOf tells the room on the disk that holds a folder: what this process may use.
func DiskOf(dir string) (Disk, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Disk{}, fmt.Errorf("read room on disk: %w", err)
	}
	var d Disk
	if err := windows.GetDiskFreeSpaceEx(name, &d.Free, &d.Size, nil); err != nil {
		return Disk{}, fmt.Errorf("read room on disk: %w", err)
	}
	return d, nil
}

// FilesLimit is how many files this process may have open; Windows has no limit that matters.
func FilesLimit() (uint64, bool) { return 0, false }
