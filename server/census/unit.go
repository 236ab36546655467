package census

import (
	"slices"

	"unionsync/syncproto"
	"unionsync/syncproto/merge"
)

// unit is what the org tree says of a union.
type unit struct {
	present    bool
	grassroots bool
	county     uint8
	name       string
	parent     uint32 // the number of the parent's code; its own if there is none
	life       Span
}

// isGrassroots reports whether the unit is counted as a grassroots union on day d.
func (u unit) isGrassroots(d Day) bool {
	return u.present && u.grassroots && u.life.From <= d && d < u.life.To
}

// forever is the life of a union of which the tree gives no days.
var forever = Span{Always, Open}

// units is the org tree as it stands now, owned by who owns people.
type units struct {
	records map[syncproto.RecordID]unitRecord
	byCode  map[uint32][]syncproto.RecordID // in order; the first speaks for the code
	changed map[uint32]bool                 // codes whose unit changed since the last settle
}

type unitRecord struct {
	code uint32
	unit unit
}

func newUnits() *units {
	return &units{records: map[syncproto.RecordID]unitRecord{}, byCode: map[uint32][]syncproto.RecordID{}, changed: map[uint32]bool{}}
}

// at gives the unit of a union's code.
func (u *units) at(code uint32) unit {
	if ids := u.byCode[code]; len(ids) > 0 {
		return u.records[ids[0]].unit
	}
	return unit{life: forever, parent: code}
}

// putUnit takes a record of the org tree. Where it changes a union's life, all members of
// that union are worked out anew.
func (p *people) putUnit(id syncproto.RecordID, r *merge.Record) {
	u := p.units
	code, x := p.readUnit(r)
	codes := []uint32{}
	if old, ok := u.records[id]; ok {
		codes = append(codes, old.code)
	}
	if x.present && !slices.Contains(codes, code) {
		codes = append(codes, code)
	}
	for _, c := range codes {
		before := u.at(c)
		u.take(id, c, code, x)
		if after := u.at(c); after != before {
			u.changed[c] = true
			if after.life != before.life {
				p.touchUnion(c)
			}
		}
	}
}

// take sets what record id, with this code, says about code c.
func (u *units) take(id syncproto.RecordID, c, code uint32, x unit) {
	ids := slices.DeleteFunc(u.byCode[c], func(o syncproto.RecordID) bool { return o == id })
	if c != code || !x.present {
		u.byCode[c] = ids
		delete(u.records, id)
		return
	}
	i, _ := slices.BinarySearchFunc(ids, id, compareID)
	u.byCode[c] = slices.Insert(ids, i, id)
	u.records[id] = unitRecord{code: code, unit: x}
}

func compareID(a, b syncproto.RecordID) int {
	return syncproto.RecordKey{ID: a}.Compare(syncproto.RecordKey{ID: b})
}

func (p *people) touchUnion(code uint32) {
	if int(code) < len(p.inUnion) {
		for _, m := range p.inUnion[code] {
			p.touch(m)
		}
	}
}

func (p *people) readUnit(r *merge.Record) (code uint32, x unit) {
	s := p.schema
	text := r.Text(s.code)
	if text == "" || r.Void() {
		return 0, unit{}
	}
	code = p.unions.number(text)
	county, _ := r.Value(s.county)
	x = unit{
		present: true, name: r.Text(s.name), county: s.counties.number(county),
		grassroots: r.Text(s.grassroots) == "1", parent: code, life: forever,
	}
	if parent := r.Text(s.parent); parent != "" {
		x.parent = p.unions.number(parent)
	}
	if v, ok := r.Value(s.founded); ok {
		if d, ok := recordDay(v); ok {
			x.life.From = d
		}
	}
	if v, ok := r.Value(s.dissolved); ok {
		if d, ok := recordDay(v); ok {
			x.life.To = d
		}
	}
	return code, x
}
