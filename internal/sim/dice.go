package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// dice is one stream of draws. Streams of other names do not move when one is used more.
type dice struct{ *rand.Rand }

func roll(seed uint64, name string) dice {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(name), seed))
	return dice{rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])))}
}

// source is a stream of bytes for what draws its own randomness: ids, nonces, keys.
func source(seed uint64, name string) *rand.ChaCha8 {
	return rand.NewChaCha8(sha256.Sum256(binary.BigEndian.AppendUint64([]byte("bytes "+name), seed)))
}

// chance is true in p of 1. It draws also when p is 0 or 1.
func (d dice) chance(p float64) bool { return d.Float64() < p }

// between gives a number from low to high, both included.
func (d dice) between(low, high int) int { return low + d.IntN(high-low+1) }

// one picks one of a list, which must not be empty.
func one[T any](d dice, of []T) T { return of[d.IntN(len(of))] }
