//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestQuick: a city of a few unions has its night, and every figure is printed.
func TestQuick(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	env := map[string]string{"UNIONS": "12", "DIR": dir}
	if err := run(t.Context(), func(name string) string { return env[name] }, &out, testWriter{t}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		var name, unit string
		var value float64
		if n, err := fmt.Sscan(line, &name, &value, &unit); n != 3 || err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if names = append(names, name+" "+unit); name == "stampede_errors" && value != 0 || name != "stampede_errors" && name != "night_cpu" && value <= 0 {
			t.Errorf("%s", line)
		}
	}
	if got, want := strings.Join(names, ", "), "night unions/s, night_p99 ms, night_cpu ms, night_idle unions/s, stampede_errors n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left: %v", left, err)
	}
}

type testWriter struct{ t *testing.T }

// Write implements io.Writer.
func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}

// TestCPU: what is read grows with what is done.
func TestCPU(t *testing.T) {
	before, err := cpuOf("self")
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
		_ = strings.Repeat("x", 1000)
	}
	if after, err := cpuOf("self"); err != nil || after <= before {
		t.Errorf("%v, then %v: %v", before, after, err)
	}
}

// TestUnionsBounds: a size that is none is refused before anything is built.
func TestUnionsBounds(t *testing.T) {
	for _, v := range []string{"0", "-1", "x", "12041"} {
		err := run(t.Context(), func(name string) string { return map[string]string{"UNIONS": v}[name] }, &bytes.Buffer{}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), v) {
			t.Errorf("%s: %v", v, err)
		}
	}
}
