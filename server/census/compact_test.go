package census

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestIndex holds an index against a map, over several doublings.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.Uint32Range(0, 300), 0, 400).Draw(t, "keys")
		var at pool[uint32]
		x := newIndex(func(n int32) uint32 { return *at.at(n) })
		model := map[uint32]int32{}
		for _, k := range keys {
			want, ok := model[k]
			if !ok {
				want = none
			}
			if got := x.find(k); got != want {
				t.Fatalf("key %d is at %d, want %d", k, got, want)
			}
			if !ok {
				model[k] = at.add(k)
				x.add(model[k])
			}
		}
		for k, want := range model {
			if got := x.find(k); got != want {
				t.Fatalf("in the end key %d is at %d, want %d", k, got, want)
			}
		}
	})
}

// TestPool keeps pointers good over blocks.
func TestPool(t *testing.T) {
	var p pool[int32]
	first := p.at(p.add(7))
	for i := int32(1); i < 3*poolBlock; i++ {
		if n := p.add(i); n != i {
			t.Fatalf("number %d, want %d", n, i)
		}
	}
	*first = 9
	if *p.at(0) != 9 || *p.at(poolBlock) != poolBlock || p.len() != 3*poolBlock {
		t.Fatal(*p.at(0), *p.at(poolBlock), p.len())
	}
}

// TestMarks holds marks against a map, emptied now and then.
func TestMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m marks
		model := map[int32]bool{}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			n := rapid.Int32Range(-20, 200).Draw(t, "n")
			if n >= 0 {
				m.add(n)
				model[n] = true
				continue
			}
			if got, want := m.take(), slices.Sorted(maps.Keys(model)); !slices.Equal(got, want) {
				t.Fatalf("%v, want %v", got, want)
			}
			clear(model)
		}
	})
}

// TestList takes each of a list in turn out of it.
func TestList(t *testing.T) {
	for out := range int32(4) {
		next := []int32{1, 2, 3, none}
		first := int32(0)
		at := func(n int32) *int32 { return &next[n] }
		unlist(&first, out, at)
		want := slices.DeleteFunc([]int32{0, 1, 2, 3}, func(n int32) bool { return n == out })
		if got := slices.Collect(list(first, at)); !slices.Equal(got, want) {
			t.Errorf("without %d: %v", out, got)
		}
	}
}
