package census

import (
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// schema is what the census reads of the kind files: numbers by name, and code tables.
type schema struct {
	member, event, unit syncproto.KindNumber

	idType, idNo, birth syncproto.FieldNumber
	coded               [numCoded]syncproto.FieldNumber
	words               [numCoded]*dictionary

	eventMember, eventType, eventDate, destination syncproto.FieldNumber

	code, name, parent, county, grassroots, founded, dissolved syncproto.FieldNumber
	counties                                                   *dictionary

	citizen     []string // document types with a citizen's number
	defaultType string   // document type of a record that names none
}

// The coded dimensions that every row carries, in the order of its columns.
const (
	codedSex = iota
	codedGroup
	codedMigrant
	codedEducation
	numCoded
)

// codedFields names the member's fields in that order.
var codedFields = [numCoded]string{"sex", "new_form", "migrant", "education"}

// newSchema finds what the census needs, or says what is missing.
func newSchema(set *kind.Set) (*schema, error) {
	s := new(schema)
	f := finder{set: set}
	s.member = f.kind("member")
	s.idType, s.idNo, s.birth = f.field("id_type").Number, f.field("id_no").Number, f.field("birth").Number
	s.citizen, s.defaultType = f.field("id_no").Citizen, f.field("id_type").Default
	for i, name := range codedFields {
		s.coded[i] = f.field(name).Number
		s.words[i] = f.dictionary(name)
	}
	s.event = f.kind("membership-event")
	s.eventMember, s.eventType = f.field("member").Number, f.field("type").Number
	s.eventDate, s.destination = f.field("date").Number, f.field("destination").Number
	s.unit = f.kind("org-unit")
	s.code, s.name, s.parent = f.field("code").Number, f.field("name").Number, f.field("parent").Number
	s.county, s.grassroots = f.field("county").Number, f.field("grassroots").Number
	s.founded, s.dissolved = f.field("founded").Number, f.field("dissolved").Number
	s.counties = f.dictionary("county")
	return s, f.err
}

// kinds lists the kinds whose records the census reads.
func (s *schema) kinds() []syncproto.KindNumber {
	return []syncproto.KindNumber{s.member, s.event, s.unit}
}

// finder looks names up in a kind set and keeps the first failure.
type finder struct {
	set *kind.Set
	cur *kind.Kind
	err error
}

func (f *finder) fail(kindName, field string) {
	if f.err == nil {
		f.err = syncproto.Fail(syncproto.CodeCountKinds, "read kinds for the census", nil, "kind", kindName, "field", field)
	}
}

func (f *finder) kind(name string) syncproto.KindNumber {
	k, ok := f.set.Kind(name)
	if !ok {
		f.fail(name, "")
		k = &kind.Kind{Name: name}
	}
	f.cur = k
	return k.Number
}

func (f *finder) field(name string) *kind.Field {
	if x, ok := f.cur.Field(name); ok {
		return x
	}
	f.fail(f.cur.Name, name)
	return &kind.Field{Name: name}
}

// dictionary gives the words of a coded or yes-no field.
func (f *finder) dictionary(name string) *dictionary {
	x := f.field(name)
	d := newDictionary()
	switch {
	case x.Type == kind.TypeYesNo:
		d.add("1", kind.Label{Zh: "是", En: "yes"})
		d.add("0", kind.Label{Zh: "否", En: "no"})
	case x.Table != nil && len(x.Table.Codes) <= maxCodes:
		for _, c := range x.Table.Codes {
			d.add(c.Code, kind.Label{Zh: c.Zh, En: c.En})
		}
	default:
		f.fail(f.cur.Name, name)
	}
	return d
}

// dictionary numbers the codes of a table as its file orders them: the number of a code
// never depends on which record came first.
type dictionary struct {
	codes  []string
	labels []kind.Label
	index  map[string]uint8
}

// Numbers that every dictionary has.
const (
	noCode    = 0 // the record has no value
	otherCode = 1 // the value stands in no row of the table, as one of a newer kind file
	maxCodes  = 254
)

func newDictionary() *dictionary {
	d := &dictionary{index: map[string]uint8{}}
	d.codes = []string{"", "?"}
	d.labels = []kind.Label{{Zh: "未填", En: "not given"}, {Zh: "代码表外", En: "not in the table"}}
	return d
}

func (d *dictionary) add(code string, label kind.Label) {
	d.index[code] = uint8(len(d.codes))
	d.codes = append(d.codes, code)
	d.labels = append(d.labels, label)
}

// number gives the number of a canonical value.
func (d *dictionary) number(value []byte) uint8 {
	if len(value) == 0 {
		return noCode
	}
	if n, ok := d.index[string(value)]; ok {
		return n
	}
	return otherCode
}
