package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"unionsync/internal/atomicfile"
)

// saveNodes notes the addresses of the centre for the next start and for the operator's
// commands, if they have changed.
func saveNodes(dir string, addresses []string) error {
	var out []string
	for _, a := range addresses {
		if a != "" && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	if known, err := loadNodes(dir); err == nil && slices.Equal(known, out) {
		return nil
	}
	text := "# Addresses of this centre's nodes. Written by the program.\n" + strings.Join(out, "\n") + "\n"
	return atomicfile.Write(filepath.Join(dir, nodesFile), []byte(text), 0o600)
}

func loadNodes(dir string) ([]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, nodesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			out = append(out, line)
		}
	}
	return out, nil
}
