package census

import (
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// axis is a dimension made ready for one scan: it numbers the codes of a dimension densely.
type axis struct {
	dim   Dimension
	size  int
	code  func(n int) string
	label func(n int) kind.Label
	order []int // the numbers as they are shown
	shown int   // how many of order stand also without anybody, when zeros are wanted
	find  func(code string) (int, bool)

	// numbers writes the number of each row into out.
	numbers func(t *table, rows []int32, out []uint32)
}

// axisOf makes a dimension ready for a count of day q.Day as known at k.
func (c *Census) axisOf(b *book, q *Query, k epoch, d Dimension) axis {
	s := c.schema
	switch d {
	case ByUnion:
		return unionAxis(b, k, q.Day)
	case ByCounty:
		return countyAxis(b, s.counties, k)
	case BySex:
		return codedAxis(d, s.words[codedSex], codedSex)
	case ByGroup:
		return codedAxis(d, s.words[codedGroup], codedGroup)
	case ByMigrant:
		return codedAxis(d, s.words[codedMigrant], codedMigrant)
	case ByEducation:
		return codedAxis(d, s.words[codedEducation], codedEducation)
	case ByEducationLevel:
		return levelAxis(s.words[codedEducation])
	}
	return ageAxis(q.Bands, q.Day)
}

// dictionaryAxis is an axis over a dictionary; numbers is for the caller to set.
func dictionaryAxis(d Dimension, words *dictionary) axis {
	a := axis{dim: d, size: len(words.codes), shown: len(words.codes) - 2}
	a.code = func(n int) string { return words.codes[n] }
	a.label = func(n int) kind.Label { return words.labels[n] }
	for n := otherCode + 1; n < a.size; n++ {
		a.order = append(a.order, n)
	}
	a.order = append(a.order, otherCode, noCode)
	a.find = func(code string) (int, bool) {
		n := slices.Index(words.codes, code)
		return n, n >= 0
	}
	return a
}

func codedAxis(d Dimension, words *dictionary, column int) axis {
	a := dictionaryAxis(d, words)
	a.numbers = func(t *table, rows []int32, out []uint32) {
		col := t.dims[column]
		for i, r := range rows {
			out[i] = uint32(col[r])
		}
	}
	return a
}

// levelAxis groups education by its level: the first digit of a code of GB/T 4658, of which
// the table has a row with 0 behind it (31 大学专科毕业 → 30 大学专科教育).
func levelAxis(words *dictionary) axis {
	levels := make([]uint32, len(words.codes))
	a := dictionaryAxis(ByEducationLevel, words)
	a.order = nil
	for n, code := range words.codes {
		levels[n] = uint32(n)
		if len(code) == 2 {
			if level, ok := words.index[code[:1]+"0"]; ok {
				levels[n] = uint32(level)
			}
		}
		if n > otherCode && levels[n] == uint32(n) {
			a.order = append(a.order, n)
		}
	}
	a.shown = len(a.order)
	a.order = append(a.order, otherCode, noCode)
	a.find = func(code string) (int, bool) {
		n := slices.Index(words.codes, code)
		return n, slices.Contains(a.order, n)
	}
	a.numbers = func(t *table, rows []int32, out []uint32) {
		col := t.dims[codedEducation]
		for i, r := range rows {
			out[i] = levels[col[r]]
		}
	}
	return a
}

func countyAxis(b *book, words *dictionary, k epoch) axis {
	a := dictionaryAxis(ByCounty, words)
	a.label = func(n int) kind.Label {
		if n == noCode {
			return kind.Label{Zh: "不在组织机构中", En: "not in the org tree"}
		}
		return words.labels[n]
	}
	counties := make([]uint32, len(b.codes))
	for u := range counties {
		counties[u] = uint32(b.countyAt(uint32(u), k))
	}
	a.numbers = func(t *table, rows []int32, out []uint32) {
		for i, r := range rows {
			out[i] = counties[t.union[r]]
		}
	}
	return a
}

// unionAxis shows unions by their code; those that are grassroots unions on day d stand also
// without anybody.
func unionAxis(b *book, k epoch, d Day) axis {
	a := axis{dim: ByUnion, size: len(b.codes)}
	a.code = func(n int) string { return b.codes[n] }
	a.label = func(n int) kind.Label {
		name := b.unitAt(uint32(n), k).name
		if name == "" {
			name = b.codes[n]
		}
		return kind.Label{Zh: name, En: name}
	}
	var rest []int
	for _, n := range b.sorted {
		if u := b.unitAt(n, k); u.isGrassroots(d) {
			a.order = append(a.order, int(n))
		} else {
			rest = append(rest, int(n))
		}
	}
	a.shown = len(a.order)
	a.order = append(a.order, rest...)
	a.find = func(code string) (int, bool) {
		n, ok := b.unionNumber(code)
		return int(n), ok
	}
	a.numbers = func(t *table, rows []int32, out []uint32) {
		for i, r := range rows {
			out[i] = t.union[r]
		}
	}
	return a
}

// ageAxis numbers ages on day d: number 0 is no known birth day, 1 an age in no band, then
// the bands.
func ageAxis(bands []Band, d Day) axis {
	words := newDictionary()
	words.labels[otherCode] = kind.Label{Zh: "其他年龄", En: "other age"}
	youngest := make([]Day, len(bands)) // the last birth day of who is in the band or older
	oldest := make([]Day, len(bands))   // the last birth day of who is too old for it
	for i, b := range bands {
		words.add(b.Code(), b.label())
		youngest[i], oldest[i] = d.bornBy(b.From), Always
		if b.To > 0 {
			oldest[i] = d.bornBy(b.To + 1)
		}
	}
	band := func(birth Day) uint32 {
		if birth == Always {
			return noCode
		}
		for i := range youngest {
			if oldest[i] < birth && birth <= youngest[i] {
				return uint32(otherCode + 1 + i)
			}
		}
		return otherCode
	}
	a := dictionaryAxis(ByAge, words)
	a.numbers = func(t *table, rows []int32, out []uint32) {
		for i, r := range rows {
			out[i] = band(t.birth[r])
		}
	}
	return a
}

// mask is a filter made ready for one scan.
type mask struct {
	axis axis
	keep []bool // by number
}

func newMask(a axis, cond Condition) (mask, error) {
	m := mask{axis: a, keep: make([]bool, a.size)}
	for _, code := range cond.Codes {
		n, ok := a.find(code)
		if !ok {
			return m, syncproto.Fail(syncproto.CodeCountCode, "check query", nil, "dimension", string(cond.Dimension), "code", clip(code))
		}
		m.keep[n] = true
	}
	return m, nil
}
