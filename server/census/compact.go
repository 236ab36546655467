package census

import (
	"hash/maphash"
	"slices"
)

// A city has millions of records here, each small. What holds them has no pointers, so that
// the garbage collector never looks at it, and grows without being copied.

// pool is values by number, from 0 on. A pointer at one stays good.
type pool[T any] struct {
	blocks [][]T
	n      int32
}

const (
	poolShift = 12
	poolBlock = 1 << poolShift
)

func (p *pool[T]) len() int32 { return p.n }

func (p *pool[T]) at(i int32) *T { return &p.blocks[i>>poolShift][i&(poolBlock-1)] }

// add appends a value and gives its number.
func (p *pool[T]) add(v T) int32 {
	i := p.n
	if i&(poolBlock-1) == 0 {
		p.blocks = append(p.blocks, make([]T, poolBlock))
	}
	p.n++
	*p.at(i) = v
	return i
}

// index finds the number of a key among numbers from 0 on, each of which knows its own key:
// open addressing, where a slot holds a number + 1. Nothing is ever taken out.
type index[K comparable] struct {
	keyOf func(int32) K
	seed  maphash.Seed
	slots []int32 // a power of two of them, at most 3/4 taken
	n     int
}

func newIndex[K comparable](keyOf func(int32) K) *index[K] {
	return &index[K]{keyOf: keyOf, seed: maphash.MakeSeed(), slots: make([]int32, 16)}
}

// find gives the number of k, or none.
func (x *index[K]) find(k K) int32 { return x.slots[x.slot(k)] - 1 }

// add takes number n, whose key is not there yet.
func (x *index[K]) add(n int32) {
	if x.n++; x.n*4 > len(x.slots)*3 {
		old := x.slots
		x.slots = make([]int32, 2*len(old))
		for _, s := range old {
			if s != 0 {
				x.slots[x.slot(x.keyOf(s-1))] = s
			}
		}
	}
	x.slots[x.slot(x.keyOf(n))] = n + 1
}

// slot gives the slot that k has or would get.
func (x *index[K]) slot(k K) int {
	mask := len(x.slots) - 1
	for i := int(maphash.Comparable(x.seed, k)) & mask; ; i = (i + 1) & mask {
		if s := x.slots[i]; s == 0 || x.keyOf(s-1) == k {
			return i
		}
	}
}

// marks is a set of numbers from 0 on.
type marks struct {
	in   []uint64
	list []int32
}

func (m *marks) add(n int32) {
	word, bit := int(n>>6), uint64(1)<<(n&63)
	if word >= len(m.in) {
		m.in = append(m.in, make([]uint64, word+1-len(m.in))...)
	}
	if m.in[word]&bit == 0 {
		m.in[word] |= bit
		m.list = append(m.list, n)
	}
}

// take gives the numbers in order and empties the set.
func (m *marks) take() []int32 {
	list := m.list
	m.list = nil
	for _, n := range list {
		m.in[n>>6] = 0
	}
	slices.Sort(list)
	return list
}
