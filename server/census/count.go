package census

import (
	"strconv"

	"unionsync/syncproto"
)

// Count answers a question. It may be called from many goroutines.
func (c *Census) Count(q Query) (Answer, error) {
	if err := q.check(); err != nil {
		return Answer{}, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	b := c.book
	if b == nil {
		return Answer{}, syncproto.Fail(syncproto.CodeCountNotReady, "count", nil)
	}
	k, position, err := b.knownAt(q.Known)
	if err != nil {
		return Answer{}, err
	}
	s, err := c.newScan(b, &q, k)
	if err != nil {
		return Answer{}, err
	}
	s.run(q.Day, k)
	a := Answer{
		Day: q.Day.String(), Position: position.String(), By: q.By, Filter: q.Filter,
		Rows: s.rows(q.Zeros), Total: s.total.numbers(),
	}
	a.Unions = c.fresh(b, &q, k, s.masks)
	a.reconfirm(b, &q, k, s.masks)
	return a, nil
}

// tally counts rows by state.
type tally [numStates]uint32

// numbers gives what people ask for: who is in transfer is a member.
func (t tally) numbers() Numbers {
	return Numbers{
		Members: int(t[Counted]) + int(t[InTransfer]), InTransfer: int(t[InTransfer]), Retained: int(t[Retained]),
		Duplicates: int(t[Duplicate]), WithoutEvent: int(t[WithoutEvent]),
	}
}

// scan is one pass over the rows.
type scan struct {
	table *table
	by    []axis
	masks []mask
	cells []tally // dense: the product of the axes, the last one fastest
	total tally   // counted by itself, not summed from the cells
}

func (c *Census) newScan(b *book, q *Query, k epoch) (*scan, error) {
	s := &scan{table: &b.rows}
	for _, f := range q.Filter {
		m, err := newMask(c.axisOf(b, q, k, f.Dimension), f)
		if err != nil {
			return nil, err
		}
		s.masks = append(s.masks, m)
	}
	cells := 1
	for _, d := range q.By {
		a := c.axisOf(b, q, k, d)
		s.narrow(b, k, &a)
		s.by = append(s.by, a)
		cells *= a.size
		if cells > MaxCells {
			return nil, syncproto.Fail(syncproto.CodeCountTooLarge, "count", nil, "cells", strconv.Itoa(cells), "max", strconv.Itoa(MaxCells))
		}
	}
	s.cells = make([]tally, cells)
	return s, nil
}

// narrow takes the codes that the filters exclude out of those shown without anybody.
func (s *scan) narrow(b *book, k epoch, a *axis) {
	var shown, rest []int
	for i, n := range a.order {
		wanted := a.dim != ByUnion || passes(b, uint32(n), k, s.masks)
		for _, m := range s.masks {
			wanted = wanted && (m.axis.dim != a.dim || m.keep[n])
		}
		if i < a.shown && wanted {
			shown = append(shown, n)
		} else {
			rest = append(rest, n)
		}
	}
	a.shown, a.order = len(shown), append(shown, rest...)
}

// run counts the rows in force on day d as known at k, block by block: first which rows,
// then for each axis their numbers, then the cells.
func (s *scan) run(d Day, k epoch) {
	var rowBuf [blockRows]int32
	var cellBuf, numberBuf [blockRows]uint32
	var totals [4]tally // several, so that one addition need not wait for the one before
	for begin := 0; begin < s.table.len(); begin += blockRows {
		rows := s.table.matches(begin, d, k, &rowBuf)
		for _, m := range s.masks {
			m.axis.numbers(s.table, rows, numberBuf[:])
			rows = m.filter(rows, numberBuf[:])
		}
		for i, r := range rows {
			totals[i%len(totals)][s.table.state[r]]++
		}
		if len(s.by) == 0 {
			continue
		}
		cells := cellBuf[:len(rows)]
		s.by[0].numbers(s.table, rows, cells)
		for _, a := range s.by[1:] {
			a.numbers(s.table, rows, numberBuf[:])
			for i := range cells {
				cells[i] = cells[i]*uint32(a.size) + numberBuf[i]
			}
		}
		for i, r := range rows {
			s.cells[cells[i]][s.table.state[r]]++
		}
	}
	for _, t := range totals {
		for state, n := range t {
			s.total[state] += n
		}
	}
}

// filter keeps the rows whose numbers the mask keeps, in place.
func (m *mask) filter(rows []int32, numbers []uint32) []int32 {
	n := 0
	for i, r := range rows {
		if m.keep[numbers[i]] {
			rows[n] = r
			n++
		}
	}
	return rows[:n]
}

// rows gives the cells as rows in the order of their axes: those that count anything and,
// when zeros are wanted, those of codes that exist.
func (s *scan) rows(zeros bool) []Row {
	out := []Row{}
	if len(s.by) == 0 {
		return out
	}
	at := make([]int, len(s.by)) // places in each axis' order
	for {
		cell, shown := 0, zeros
		for i, a := range s.by {
			if a.size == 0 {
				return out
			}
			cell = cell*a.size + a.order[at[i]]
			shown = shown && at[i] < a.shown
		}
		if t := s.cells[cell]; shown || t != (tally{}) {
			out = append(out, s.row(at, t))
		}
		i := len(at) - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < len(s.by[i].order) {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			return out
		}
	}
}

func (s *scan) row(at []int, t tally) Row {
	r := Row{Numbers: t.numbers()}
	for i, a := range s.by {
		n := a.order[at[i]]
		label := a.label(n)
		r.Keys = append(r.Keys, Key{Dimension: a.dim, Code: a.code(n), Zh: label.Zh, En: label.En})
	}
	return r
}
