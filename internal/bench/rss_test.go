//go:build linux

package main

import (
	"os"
	"testing"
)

// TestPeak: this test's own process has a peak, and it does not fall.
func TestPeak(t *testing.T) {
	before, err := peakKiB(os.Getpid())
	if err != nil || before < 1<<10 {
		t.Fatalf("%d KiB, %v", before, err)
	}
	block := make([]byte, 64<<20)
	for i := range block {
		block[i] = byte(i)
	}
	after, err := peakKiB(os.Getpid())
	if err != nil || after < before+(32<<10) {
		t.Errorf("%d KiB before and %d after 64 MiB, %v", before, after, err)
	}
	if _, err := peakKiB(1 << 30); err == nil {
		t.Error("a process that does not exist has a peak")
	}
}
