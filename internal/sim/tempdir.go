package sim

import (
	"fmt"
	"os"
)

// memoryDir is where Linux keeps files in memory.
const memoryDir = "/dev/shm"

// TempDir makes an empty folder for a world, in memory where there is such a place: the
// worlds sync many times in a night.
func TempDir() (string, error) {
	base := ""
	if info, err := os.Stat(memoryDir); err == nil && info.IsDir() {
		base = memoryDir
	}
	dir, err := os.MkdirTemp(base, "unionsync-sim-")
	if err != nil {
		dir, err = os.MkdirTemp("", "unionsync-sim-")
	}
	if err != nil {
		return "", fmt.Errorf("make folder for a world: %w", err)
	}
	return dir, nil
}
