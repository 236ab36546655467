package census

import (
	"slices"
	"testing"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// FuzzPut gives the census records with any bytes in the fields that it reads: agents check
// values, but the ledger may hold what a newer or a broken one wrote.
func FuzzPut(f *testing.F) {
	id := shortID("m1")
	f.Add([]byte("111"), []byte("330782199003070013"), []byte("1990-03-07"), id[:], []byte("1"), []byte("2024-01-10"), []byte("B"))
	f.Add([]byte(""), []byte("\xff"), []byte("0000-00"), []byte("short"), []byte("9"), []byte("9999-12-31"), []byte(""))
	f.Add([]byte("414"), []byte("E1234"), []byte("0001-01"), id[:], []byte("4"), []byte("0001-01-01"), []byte("A"))
	f.Fuzz(func(t *testing.T, idType, idNo, birth, ref, what, date, other []byte) {
		c := newStepper(t)
		s := c.schema
		put := func(kind syncproto.KindNumber, union string, fields map[syncproto.FieldNumber][]byte) {
			r := new(merge.Record)
			for n, v := range fields {
				r.Fields = append(r.Fields, merge.Field{Number: n, Entries: []merge.Entry{{Value: v}}})
			}
			slices.SortFunc(r.Fields, func(a, b merge.Field) int { return int(a.Number) - int(b.Number) })
			c.people.put(union, syncproto.RecordKey{Kind: kind, ID: id}, r)
		}
		put(s.event, "A", map[syncproto.FieldNumber][]byte{s.eventMember: ref, s.eventType: what, s.eventDate: date, s.destination: other, syncproto.FieldSameAs: ref})
		put(s.member, "A", map[syncproto.FieldNumber][]byte{s.idType: idType, s.idNo: idNo, s.birth: birth, s.coded[codedSex]: what, syncproto.FieldSameAs: ref})
		put(s.unit, syncproto.CityUnion, map[syncproto.FieldNumber][]byte{s.code: other, s.county: idType, s.parent: other, s.founded: date, s.dissolved: birth})
		put(999, "A", nil)
		put(s.unit, "A", map[syncproto.FieldNumber][]byte{s.code: other}) // only the city says who is in the tree
		c.step()
		for _, d := range []Day{Always, MakeDay(2024, 1, 10), Open - 1} {
			a := c.count(t, Query{Day: d, By: []Dimension{ByUnion, ByAge}})
			if n := a.Total; n.Members+n.Retained+n.WithoutEvent > 1 || n.Duplicates > 0 {
				t.Fatalf("one record gives %+v", n)
			}
		}
	})
}
