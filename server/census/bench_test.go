package census

import (
	"fmt"
	"runtime"
	"testing"

	"unionsync/syncproto/merge"
)

// fill gives a census of n members in a number of unions, each member with one stretch that
// was corrected so many times.
func fill(b *testing.B, unions, n, corrected int) *stepper {
	c := newStepper(b)
	big := c.book
	for u := range unions {
		c.people.put("city", aUnit(fmt.Sprint("U", u), "330782").key(), aUnit(fmt.Sprint("U", u), []string{"330782", "330702", "SBJ"}[u%3]).record())
	}
	c.step()
	for i := range n {
		r := row{Span: Span{Day(18000 + i%2000), Open}, union: uint32(i % unions), birth: Day(i % 15000)}
		r.dims = [numCoded]uint8{uint8(2 + i%2), uint8(2 + i%9), uint8(2 + i%2), uint8(2 + i%30)}
		if i%10 == 0 {
			r.To = r.From + 500
		}
		for range corrected {
			big.rows.append(r, 1)
			big.rows.close(int32(big.rows.len()-1), 1)
		}
		big.rows.append(r, 1)
	}
	return c
}

func benchCount(b *testing.B, c *stepper, q Query) {
	q.Day = 19500
	b.ReportAllocs()
	for b.Loop() {
		if a, err := c.Count(q); err != nil || a.Total.Members == 0 {
			b.Fatal(a.Total, err)
		}
	}
	b.ReportMetric(float64(c.book.rows.len()), "rows")
}

func BenchmarkCount111k(b *testing.B) {
	c := fill(b, 1000, 111_000, 0)
	for _, by := range [][]Dimension{nil, {BySex}, {ByCounty, BySex}, {ByUnion}, {ByAge, ByEducation}, {ByUnion, ByEducation, ByAge}} {
		b.Run(fmt.Sprint(by), func(b *testing.B) { benchCount(b, c, Query{By: by}) })
	}
}

func BenchmarkCount1300kTimes3(b *testing.B) {
	c := fill(b, 12_040, 1_300_000, 2)
	b.Run("county-sex", func(b *testing.B) { benchCount(b, c, Query{By: []Dimension{ByCounty, BySex}}) })
	b.Run("filter", func(b *testing.B) {
		benchCount(b, c, Query{By: []Dimension{BySex}, Filter: []Condition{{ByCounty, []string{"SBJ"}}}})
	})
}

// BenchmarkBuild is the first reading: members with their joining events.
func BenchmarkBuild(b *testing.B) {
	const n = 100_000
	type item struct {
		p plain
		r *merge.Record
	}
	var items []item
	for i := range n {
		id := fmt.Sprint(i)
		for _, p := range []plain{
			aMember(fmt.Sprint("U", i%1000), id, "sex", "1", "education", "21", "birth", "1990-01-01", "id_type", "414", "id_no", fmt.Sprint("E1234", i)),
			anEvent(fmt.Sprint("U", i%1000), id, id, EventJoin, "2020-01-01"),
		} {
			items = append(items, item{p, p.record()})
		}
	}
	b.ReportAllocs()
	var c *stepper
	before := heap()
	for b.Loop() {
		c = newStepper(b)
		for _, it := range items {
			c.people.put(it.p.union, it.p.key(), it.r)
		}
		c.step()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/member")
	b.ReportMetric(float64(heap()-before)/n, "B/member")
	runtime.KeepAlive(c)
	runtime.KeepAlive(items)
}

// heap gives the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
