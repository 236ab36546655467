package syncproto

import (
	"encoding/binary"
	"testing"
)

// FuzzLineage: whatever lives of the centre somebody knows of, what one holds is all before
// some position, and going back ends at a position that it holds, never above the one that
// it began with.
func FuzzLineage(f *testing.F) {
	entry := func(number uint16, random byte, base Position) []byte {
		return binary.BigEndian.AppendUint64(append(binary.BigEndian.AppendUint16(nil, number), random), uint64(base))
	}
	f.Add(append(entry(1, 1, 0), entry(2, 2, MakePosition(1, 5))...), uint64(MakePosition(1, 9)), uint64(3))
	f.Add(append(entry(3, 1, MakePosition(1, 2)), entry(3, 2, MakePosition(2, 5))...), uint64(MakePosition(2, 4)), uint64(1))
	f.Add(append(entry(1, 1, MakePosition(2, 2)), entry(2, 2, MakePosition(1, 5))...), uint64(MakePosition(2, 2)), uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, at, less uint64) {
		const size = 11
		var l Lineage
		for ; len(b) >= size && len(l) < 12; b = b[size:] {
			base := Position(binary.BigEndian.Uint64(b[3:]))
			more, grew := l.With(Generation{Number: binary.BigEndian.Uint16(b) % 8, Random: uint64(b[2]), Base: base})
			if grew != (len(more) > len(l)) {
				t.Fatal("it does not say whether it grew")
			}
			l = more
		}
		p := Position(at)
		q := p - Position(min(less, p.Count()))
		if l.Holds(p) && q.Count() > 0 && !l.Holds(q) {
			t.Fatalf("it holds %s and not %s", p, q)
		}
		for number := range uint16(9) {
			if end, ok := l.history(number)[p.Generation()]; !ok || p > end {
				continue // that life never had it
			}
			cut := l.Cut(p, number)
			if cut > p || cut != 0 && !l.Holds(cut) {
				t.Fatalf("back from %s in life %d to %s", p, number, cut)
			}
		}
	})
}
