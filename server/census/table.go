package census

import "math"

// epoch numbers the steps in which the census followed the source; a row's two known dates
// are epochs. What position an epoch stands for is in book.steps.
type epoch uint32

// stands is the known-to of a row that is still true.
const stands epoch = math.MaxUint32

// table is the rows as columns. Rows are only ever appended; of a row that stands, knownTo
// alone is written once more.
type table struct {
	from, to           []Day   // valid: the days on which the row counts
	knownFrom, knownTo []epoch // known: the steps at which the centre knew so
	state              []State
	union              []uint32
	birth              []Day
	dims               [numCoded][]uint8
}

func (t *table) len() int { return len(t.from) }

// row gives row i without its known dates.
func (t *table) row(i int32) row {
	r := row{Span: Span{t.from[i], t.to[i]}, union: t.union[i], birth: t.birth[i], state: t.state[i]}
	for d := range t.dims {
		r.dims[d] = t.dims[d][i]
	}
	return r
}

func (t *table) append(r row, at epoch) {
	t.from, t.to = append(t.from, r.From), append(t.to, r.To)
	t.knownFrom, t.knownTo = append(t.knownFrom, at), append(t.knownTo, stands)
	t.state = append(t.state, r.state)
	t.union, t.birth = append(t.union, r.union), append(t.birth, r.birth)
	for d := range t.dims {
		t.dims[d] = append(t.dims[d], r.dims[d])
	}
}

func (t *table) close(i int32, at epoch) { t.knownTo[i] = at }

// blockRows is how many rows a scan takes at once: what it writes down for them stays in
// the processor's cache.
const blockRows = 2048

// matches writes down which rows of a block are in force on day d as known at k.
func (t *table) matches(begin int, d Day, k epoch, out *[blockRows]int32) []int32 {
	end := min(begin+blockRows, t.len())
	from, to := t.from[begin:end], t.to[begin:end]
	knownFrom, knownTo := t.knownFrom[begin:end], t.knownTo[begin:end]
	n := 0
	for i := range from {
		if from[i] <= d && d < to[i] && knownFrom[i] <= k && k < knownTo[i] {
			out[n] = int32(begin + i)
			n++
		}
	}
	return out[:n]
}
