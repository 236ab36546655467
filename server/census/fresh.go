package census

import (
	"slices"
	"time"
)

// fresh says how far the unions of an answer have been heard of. It looks at the grassroots
// unions of the tree that pass the filter by union and county and are there both on the day
// asked and today: one dissolved since has nothing more to say.
func (c *Census) fresh(b *book, q *Query, k epoch, masks []mask) Unions {
	u := Unions{WithinHours: q.FreshWithin.Hours(), AskedAt: q.Now}
	since := q.Now - int64(q.FreshWithin/time.Second)
	today := DayAt(q.Now)
	for n, code := range b.codes {
		at := b.unitAt(uint32(n), k)
		if !at.isGrassroots(q.Day) || !at.isGrassroots(today) || !passes(b, uint32(n), k, masks) {
			continue
		}
		u.Grassroots++
		contact := q.Contacts[code]
		switch {
		case contact.Last == 0:
			u.Never++
		case contact.Last < since, contact.Last > q.Now+clockSkew:
			// A note from the future was written by a clock that was wrong: when the union was
			// heard of is not known, so it is not called fresh.
			u.Late++
		default:
			u.Fresh++
			if contact.Proved {
				u.Proved++
			}
		}
	}
	return u
}

// reconfirm marks what is being re-confirmed. A union that has not come into the tree or the
// rows yet, since all of it is still to be sent again, counts where no filter says otherwise.
func (a *Answer) reconfirm(b *book, q *Query, k epoch, masks []mask) {
	for code := range q.Reconfirming { // counted: in any order
		n, known := b.unionNumber(code)
		if known && passes(b, n, k, masks) || !known && !slices.ContainsFunc(q.Filter, ofUnions) {
			a.Unions.Reconfirming++
		}
	}
	if a.Unions.Reconfirming > 0 {
		a.Unions.ReconfirmingSince = q.ReconfirmingSince
	}
	for i := range a.Rows {
		for _, key := range a.Rows[i].Keys {
			a.Rows[i].Reconfirming = a.Rows[i].Reconfirming || key.Dimension == ByUnion && q.Reconfirming[key.Code]
		}
	}
}

// ofUnions reports whether a condition chooses unions.
func ofUnions(c Condition) bool { return c.Dimension == ByUnion || c.Dimension == ByCounty }

// clockSkew is how far the clocks of two nodes may lie apart, in seconds.
const clockSkew = 10 * 60

// china is the time zone by which a moment becomes a day; it has had no summer time since 1991.
var china = time.FixedZone("UTC+8", chinaOffset)

const chinaOffset = 8 * 60 * 60 // seconds

// passes reports whether the filters by union and county keep a union.
func passes(b *book, union uint32, k epoch, masks []mask) bool {
	for _, m := range masks {
		switch m.axis.dim {
		case ByUnion:
			if !m.keep[union] {
				return false
			}
		case ByCounty:
			if !m.keep[b.countyAt(union, k)] {
				return false
			}
		}
	}
	return true
}
