package main

import (
	"math"
	"slices"
	"time"
)

// samples are repetitions of one measurement.
type samples []float64

func (s *samples) add(x float64) { *s = append(*s, x) }

// took adds a time in the unit given.
func (s *samples) took(d, unit time.Duration) { s.add(float64(d) / float64(unit)) }

func (s samples) median() float64 { return s.percentile(50) }

// percentile gives the smallest sample that at least p per cent of them do not exceed; of an
// even number of samples the median is the mean of the middle two.
func (s samples) percentile(p float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	at := int(math.Ceil(p / 100 * float64(len(sorted))))
	x := sorted[max(at, 1)-1]
	if p == 50 && len(sorted)%2 == 0 {
		x = (x + sorted[at]) / 2
	}
	return x
}
