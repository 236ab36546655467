package sim

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// folder gives an empty folder in memory if there is such a place.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := TempDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func play(t testing.TB, seed uint64, unions, nights int) Result {
	t.Helper()
	return playWith(t, Options{Seed: seed, Unions: unions, Nights: nights, Features: Full()})
}

func playWith(t testing.TB, o Options) Result {
	t.Helper()
	o.Dir = folder(t)
	r, err := Run(o)
	if err != nil {
		t.Fatalf("seed %d: %v", o.Seed, err)
	}
	for _, v := range r.Violations {
		t.Errorf("seed %d, night %d: %s", o.Seed, v.Night, v.What)
	}
	return r
}

// TestWorlds plays a few small worlds. `make sim` plays more.
func TestWorlds(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := play(t, 1000+seed, 2, 50)
			t.Logf("%s %d faults %v", r.Hash, r.Faults, r.Events)
		})
	}
}

// TestSameSeedSameTrace: a world is repeated by its seed alone.
func TestSameSeedSameTrace(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			if a, b := play(t, seed, 2, 40), play(t, seed, 2, 40); a.Hash != b.Hash {
				t.Errorf("%s, then %s", a.Hash, b.Hash)
			}
		})
	}
}

// TestCity plays a small city; `make sim-city` plays one of 200 PCs.
func TestCity(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r, err := Run(Options{Seed: 2000 + seed, Unions: 5, Dir: folder(t), Features: Full(), City: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range r.Violations {
				t.Errorf("night %d: %s", v.Night, v.What)
			}
			t.Logf("%s %d faults %v", r.Hash, r.Faults, r.Events)
		})
	}
}

// TestSeedsThatFailedOnce plays the list in testdata.
func TestSeedsThatFailedOnce(t *testing.T) {
	f, err := os.Open("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	features := Full()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if names, ok := strings.CutPrefix(line, "features "); ok {
			if features, ok = ParseFeatures(names); !ok {
				t.Fatalf("%q names no features", line)
			}
			continue
		}
		var seed uint64
		var unions, nights int
		if _, err := fmt.Sscan(line, &seed, &unions, &nights); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			playWith(t, Options{Seed: seed, Unions: unions, Nights: nights, Features: features})
		})
	}
}
