package ledger

import (
	"cmp"
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// maxRecent bounds the records that are kept for those who follow the log, in bytes as they
// are stored; decoded they take some three times as much.
const maxRecent = 3 << 20

// recent is what the newest changes touched, as it stood behind each. Whoever follows the log
// closely is given it from here: to read it again would cost more than to follow. It is whole
// above from.
type recent struct {
	from  syncproto.Position
	items []recentRecord // ascending
	bytes int
}

// recentRecord is a record behind one change. Nobody changes it any more.
type recentRecord struct {
	position syncproto.Position
	name     unionKey
	record   *merge.Record
	bytes    int // as it is stored
}

// add takes what a commit touched, and forgets the oldest beyond the bound.
func (r *recent) add(touched []recentRecord) {
	for _, t := range touched {
		r.bytes += t.bytes
	}
	r.items = append(r.items, touched...)
	n := 0
	for ; r.bytes > maxRecent; n++ {
		r.bytes -= r.items[n].bytes
		r.from = r.items[n].position
	}
	r.items = slices.Delete(r.items, 0, n)
}

// above gives what changes above a position touched, each record once and as it stands now,
// in the order of the first change to each; false if not all of it is here.
func (r *recent) above(after syncproto.Position, kinds []syncproto.KindNumber) ([]recentRecord, bool) {
	if after < r.from {
		return nil, false
	}
	first, _ := slices.BinarySearchFunc(r.items, after+1, func(x recentRecord, p syncproto.Position) int {
		return cmp.Compare(x.position, p)
	})
	var out []recentRecord
	at := map[unionKey]int{}
	for _, x := range r.items[first:] {
		if !wanted(kinds, x.name.key.Kind) {
			continue
		}
		if i, ok := at[x.name]; ok {
			out[i] = x
			continue
		}
		at[x.name] = len(out)
		out = append(out, x)
	}
	return out, true
}

// recently is [Ledger.Since] from what is kept in memory; false if that does not reach back
// far enough.
func (l *Ledger) recently(after syncproto.Position, kinds []syncproto.KindNumber) ([]recentRecord, syncproto.Position, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	touched, ok := l.recent.above(after, kinds)
	return touched, headOf(l.meta), ok
}
