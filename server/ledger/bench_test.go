package ledger

import (
	"encoding/binary"
	"testing"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
)

// BenchmarkApply applies batches of 500 new members from one journal; b.N counts changes.
func BenchmarkApply(b *testing.B) {
	n := begun(b, Config{Dir: b.TempDir(), Key: testKey})
	name := memberField(b, "name")
	at := syncproto.Place{Journal: 5}
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		s := &entrypb.Segment{Journal: 5, First: at.Seq + 1, Signature: make([]byte, 65)}
		if at.Seq > 0 {
			s.Previous = at.Hash.Wire()
		}
		for range min(500, b.N-done) {
			c := syncproto.Change{Union: "u1", Kind: memberKind, Actor: "clerk", Edits: []syncproto.Edit{{Field: name, Value: []byte("somebody")}}}
			binary.BigEndian.PutUint64(c.ID[:], at.Seq+1)
			s.Changes = append(s.Changes, c.Encode(5))
			at = at.Next(s.Changes[len(s.Changes)-1])
			done++
		}
		n.apply(&entrypb.Batch{Time: 1, Items: []*entrypb.Item{{Union: "u1", Segments: []*entrypb.Segment{s}}}})
	}
}
