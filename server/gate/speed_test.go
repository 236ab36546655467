package gate

import (
	"testing"

	"google.golang.org/protobuf/proto"
)

// BenchmarkIdle makes exchanges without changes, each over a line of its own, as a night has
// them: both ends, with a whole handshake.
func BenchmarkIdle(b *testing.B) {
	s := serveBench(b, func(c *Capacity) { c.DeviceRate = 1 << 30 })
	q := s.ask()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.call(s.own, q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIdleInside is the part of it behind the door.
func BenchmarkIdleInside(b *testing.B) {
	s := newBench(b)
	q, _, err := s.agent.Ask()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.exchange(proto.CloneOf(q)); err != nil {
			b.Fatal(err)
		}
	}
}
