package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestEveryFaultCanBePlanted: when the code moves, the list moves with it. That each fault is
// caught is for `make mutants`.
func TestEveryFaultCanBePlanted(t *testing.T) {
	t.Chdir(filepath.Join("..", "..", ".."))
	all, err := load()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 40 {
		t.Errorf("%d faults, want at least 40", len(all))
	}
	for _, m := range all {
		if _, err := m.overlay(t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		if m.By == "sim" {
			continue
		}
		if info, err := os.Stat(m.By); err != nil || !info.IsDir() {
			t.Errorf("%s: no package %s", m.Name, m.By)
		}
	}
}
