package census

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"unionsync/syncproto"
)

// Claim is one union's stretch of a person.
type Claim struct {
	Stretch
	Union  string             // the union's code: decides between claims of one first day
	Record syncproto.RecordID // decides between two records of one union
	Life   Span               // the union's life
	tag    int                // the caller's own: which record this claim is of
}

// Span is a time from a day up to, but not including, another.
type Span struct{ From, To Day }

// State says how a row counts.
type State uint8

// States of a row. Counted and InTransfer are members; of each person at most one row is in
// force on a day that is one of these or Retained.
const (
	Counted      State = iota
	InTransfer         // 转移中: counted by the union that was left
	Retained           // 保留会籍: not in the number of members
	Duplicate          // another union's claim goes before this one
	WithoutEvent       // a record without any event that counts
	numStates
)

// Settled is a part of a claim and how it counts.
type Settled struct {
	Span
	State State
	tag   int
}

// Settle decides day by day which claim on a person counts. It depends on the set of
// claims only:
//
//   - a claim is clipped to its union's life;
//   - who is in transfer has arrived when another record begins on a later day than this
//     stretch did, or began on the same day and is in force, not in transfer itself, on the
//     day of leaving; the transfer ends then and does not come back;
//   - of the claims in force the one with the later first day counts, then that of the lower
//     union code, then that of the lower record id; the others are duplicates;
//   - a retained stretch counts as such where no claim of membership is in force.
func Settle(claims []Claim) []Settled {
	members, retained := clipped(claims)
	arrive(members)
	members = slices.DeleteFunc(members, func(c Claim) bool { return c.From >= c.To })
	var out []Settled
	cover := paint(members, func(c Claim, won bool, s Span) { out = appendMember(out, c, won, s) })
	paint(retained, func(c Claim, won bool, s Span) {
		if !won {
			return
		}
		for _, free := range subtract(s, cover) {
			out = append(out, Settled{Span: free, State: Retained, tag: c.tag})
		}
	})
	return out
}

// clipped cuts the claims to their unions' lives, drops what is left empty and orders each
// kind by the claim that goes first.
func clipped(claims []Claim) (members, retained []Claim) {
	for _, c := range claims {
		c.From, c.To = max(c.From, c.Life.From), min(c.To, c.Life.To)
		switch {
		case c.From >= c.To:
		case c.Retained:
			retained = append(retained, c)
		default:
			members = append(members, c)
		}
	}
	slices.SortFunc(members, Claim.before)
	slices.SortFunc(retained, Claim.before)
	return members, retained
}

// before orders claims by which one counts.
func (c Claim) before(o Claim) int {
	return cmp.Or(
		cmp.Compare(o.From, c.From),
		strings.Compare(c.Union, o.Union),
		bytes.Compare(c.Record[:], o.Record[:]),
	)
}

// leaves gives the first day in transfer, or Open.
func (c Claim) leaves() Day {
	if c.Transfer >= c.To {
		return Open
	}
	return max(c.Transfer, c.From)
}

// arrive ends the transfers that have come to their end. Claims are in order.
func arrive(claims []Claim) {
	ends := make([]Day, len(claims))
	first := 0 // of the claims that begin on the same day
	for i, c := range claims {
		if claims[first].From != c.From {
			first = i
		}
		ends[i] = c.To
		if c.leaves() == Open {
			continue
		}
		if first > 0 { // the claim before begins later, and no other so soon after this one
			ends[i] = min(ends[i], max(claims[first-1].From, c.leaves()))
		}
		for j := first; j < len(claims) && claims[j].From == c.From; j++ {
			if o := claims[j]; j != i && c.leaves() < min(o.To, o.leaves()) {
				ends[i] = min(ends[i], c.leaves())
			}
		}
	}
	for i := range claims {
		claims[i].To = ends[i]
	}
}

// paint lays claims over each other, those that go first on top, and tells for each which
// parts of it are seen. It gives what is covered in the end. Because claims come with
// falling first days, what is covered from a claim's first day on is one span after it, so
// that all claims together take time in proportion to their number.
func paint(claims []Claim, part func(c Claim, won bool, s Span)) []Span {
	var cover []Span // disjoint, the earliest last
	for _, c := range claims {
		at := c.From
		for len(cover) > 0 && at < c.To {
			top := cover[len(cover)-1]
			if top.From > c.To {
				break
			}
			emit(part, c, true, Span{at, min(top.From, c.To)})
			emit(part, c, false, Span{max(at, top.From), min(top.To, c.To)})
			at = max(at, top.To)
			cover = cover[:len(cover)-1]
		}
		emit(part, c, true, Span{at, c.To})
		cover = append(cover, Span{c.From, max(at, c.To)})
	}
	slices.Reverse(cover)
	return cover
}

func emit(part func(Claim, bool, Span), c Claim, won bool, s Span) {
	if s.From < s.To {
		part(c, won, s)
	}
}

// appendMember adds a part of a claim of membership, in two where the transfer begins
// inside it. A neighbour of the same state grows instead.
func appendMember(out []Settled, c Claim, won bool, s Span) []Settled {
	if !won {
		return grow(out, Settled{Span: s, State: Duplicate, tag: c.tag})
	}
	leaves := c.leaves()
	if s.From < leaves {
		out = grow(out, Settled{Span: Span{s.From, min(s.To, leaves)}, State: Counted, tag: c.tag})
	}
	if leaves < s.To {
		out = grow(out, Settled{Span: Span{max(s.From, leaves), s.To}, State: InTransfer, tag: c.tag})
	}
	return out
}

func grow(out []Settled, s Settled) []Settled {
	if n := len(out) - 1; n >= 0 && out[n].To == s.From && out[n].State == s.State && out[n].tag == s.tag {
		out[n].To = s.To
		return out
	}
	return append(out, s)
}

// subtract gives the parts of s that are not covered. Covered spans are disjoint and in order.
func subtract(s Span, covered []Span) []Span {
	var out []Span
	for _, c := range covered {
		if c.To <= s.From || c.From >= s.To {
			continue
		}
		if s.From < c.From {
			out = append(out, Span{s.From, c.From})
		}
		s.From = max(s.From, c.To)
	}
	if s.From < s.To {
		out = append(out, s)
	}
	return out
}
