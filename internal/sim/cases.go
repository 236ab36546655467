package sim

import (
	"fmt"
	"strconv"

	"unionsync/syncproto"
)

// doubts are the questions that must stand open in a union, by the id of their case.
type doubts map[syncproto.RecordID]string

// caseID is the id of a case as docs/protocol.md makes it.
func caseID(typ string, key syncproto.RecordKey, field syncproto.FieldNumber, j syncproto.JournalID, about *syncproto.Dot) syncproto.RecordID {
	parts := []string{"case", typ, "", "", "", ""}
	if key.Kind != 0 {
		parts[2], parts[3] = strconv.Itoa(int(key.Kind)), key.ID.String()
	}
	if field != 0 {
		parts[4] = strconv.Itoa(int(field))
	}
	if j != 0 {
		parts[5] = j.String()
	}
	if about != nil {
		parts = append(parts, about.String())
	}
	return syncproto.HashedID(parts...)
}

// doubts works out what people must be asked about in a union: fields with several values,
// changes that are held, journals that went two ways.
func (m *model) doubts(code string) doubts {
	out := doubts{}
	for _, n := range m.union(code) {
		for number, f := range m.recs[n].fields {
			if len(f.values) > 1 && !f.set && m.classOf(n.key.Kind, number) == syncproto.ClassAsk {
				out[caseID("conflict", n.key, number, 0, nil)] = fmt.Sprintf("conflict in field %d of %d %s", number, n.key.Kind, n.key.ID)
			}
		}
	}
	for q, held := range m.queue {
		if q.union == code && len(held) > 0 {
			out[caseID("held", q.key, 0, q.journal, nil)] = fmt.Sprintf("held change %s", held[0].dot())
		}
	}
	for _, x := range m.log {
		if x.Union == code && x.change == nil && x.held {
			d := x.dot()
			out[caseID("held", syncproto.RecordKey{}, 0, d.Journal, &d)] = fmt.Sprintf("lost change %s", d)
		}
	}
	for j, tips := range m.tips(code) {
		if tips > 1 {
			out[caseID("fork", syncproto.RecordKey{}, 0, j, nil)] = fmt.Sprintf("fork of %s", j)
		}
	}
	return out
}

// tips counts the ends of each journal of a union.
func (m *model) tips(code string) map[syncproto.JournalID]int {
	followed, out := map[syncproto.Dot]bool{}, map[syncproto.JournalID]int{}
	for _, x := range m.log {
		if x.Union == code && x.Place.Seq > 1 {
			followed[syncproto.Dot{Journal: x.Place.Journal, Seq: x.Place.Seq - 1, Tag: x.Previous}] = true
		}
	}
	for _, x := range m.log {
		if x.Union == code && !followed[x.dot()] {
			out[x.Place.Journal]++
		}
	}
	return out
}

// checkCases: I7, every conflict, held change and fork has an open case at the centre and,
// since all PCs have its records, at both ends; a case whose doubt is gone is not open.
func (w *world) checkCases(m *model) error {
	if !w.o.Features.Cases {
		return nil
	}
	k, err := w.kinds.Find("case")
	if err != nil {
		return err
	}
	for _, code := range w.codes {
		want := m.doubts(code)
		for id, what := range want {
			r := m.recs[recordName{code, syncproto.RecordKey{Kind: k.Number, ID: id}}]
			if r == nil || r.value(k, "state") != "open" {
				return w.violate("I7 %s: no open case about the %s", code, what)
			}
		}
		for _, n := range m.union(code) {
			if n.key.Kind != k.Number || m.recs[n].value(k, "state") != "open" {
				continue
			}
			switch typ := m.recs[n].value(k, "type"); typ {
			case "conflict", "held", "fork":
				if _, ok := want[n.key.ID]; !ok {
					return w.violate("I7 %s: an open %s case about nothing: %s", code, typ, m.recs[n])
				}
			}
		}
	}
	return nil
}
