package atomicfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// forget asks the system to drop what it has of the file in memory, so that the next read
// comes from the disk. It is a wish: nothing depends on it.
func forget(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
