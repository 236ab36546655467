package sim

import (
	"os"
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
	r, err := Run(Options{Seed: seed, Unions: unions, Nights: nights, Dir: folder(t), Features: Full()})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	for _, v := range r.Violations {
		t.Errorf("seed %d, night %d: %s", seed, v.Night, v.What)
	}
	return r
}

func TestWorlds(t *testing.T) {
	for seed := range uint64(6) {
		r := play(t, seed, 2, 60)
		t.Logf("seed %d: %s %d faults %v", seed, r.Hash, r.Faults, r.Events)
	}
}

// TestSameSeedSameTrace: a world is repeated by its seed.
func TestSameSeedSameTrace(t *testing.T) {
	for seed := range uint64(3) {
		if a, b := play(t, seed, 2, 60), play(t, seed, 2, 60); a.Hash != b.Hash {
			t.Errorf("seed %d gives %s, then %s", seed, a.Hash, b.Hash)
		}
	}
}
