//go:build !windows

package health

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// DiskOf tells the room on the disk that holds a folder: what an ordinary process may use.
func DiskOf(dir string) (Disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Disk{}, fmt.Errorf("read room on disk: %w", err)
	}
	size := uint64(st.Bsize)
	return Disk{Free: st.Bavail * size, Size: st.Blocks * size}, nil
}

// FilesLimit is how many files this process may have open; false if that is not known.
func FilesLimit() (uint64, bool) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, false
	}
	return l.Cur, true
}
