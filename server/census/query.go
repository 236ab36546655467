package census

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Dimension is what members can be counted and filtered by.
type Dimension string

// Dimensions.
const (
	ByUnion          Dimension = "union"
	ByCounty         Dimension = "county" // through the org tree
	BySex            Dimension = "sex"
	ByGroup          Dimension = "group"           // new-employment group
	ByMigrant        Dimension = "migrant"         // migrant worker
	ByEducation      Dimension = "education"       // as recorded
	ByEducationLevel Dimension = "education_level" // the level that GB/T 4658 puts it in
	ByAge            Dimension = "age"             // age band on the day asked
)

// Dimensions lists all dimensions.
func Dimensions() []Dimension {
	return []Dimension{ByUnion, ByCounty, BySex, ByGroup, ByMigrant, ByEducation, ByEducationLevel, ByAge}
}

// Label names the dimension for people.
func (d Dimension) Label() kind.Label {
	switch d {
	case ByUnion:
		return kind.Label{Zh: "工会", En: "union"}
	case ByCounty:
		return kind.Label{Zh: "县（市、区）", En: "county"}
	case BySex:
		return kind.Label{Zh: "性别", En: "sex"}
	case ByGroup:
		return kind.Label{Zh: "新就业形态", En: "new-employment group"}
	case ByMigrant:
		return kind.Label{Zh: "农民工", En: "migrant worker"}
	case ByEducation:
		return kind.Label{Zh: "学历", En: "education"}
	case ByEducationLevel:
		return kind.Label{Zh: "学历层次", En: "level of education"}
	case ByAge:
		return kind.Label{Zh: "年龄段", En: "age band"}
	}
	return kind.Label{Zh: string(d), En: string(d)}
}

// Limits of a question.
const (
	MaxDimensions = 3
	MaxCells      = 1 << 22 // of the dimensions' product, before empty cells are left out
)

// DefaultFreshWithin is how long after an exchange a union counts as fresh: a night and what
// a PC needs that was off in it.
const DefaultFreshWithin = 36 * time.Hour

// Condition keeps those whose code of a dimension is one of Codes; "" is the code of those
// of whom it is not known.
type Condition struct {
	Dimension Dimension `json:"dimension"`
	Codes     []string  `json:"codes"`
}

// Query is a question. What the answer depends on beside the records comes with it.
type Query struct {
	Day    Day
	Known  syncproto.Position // as known at this position; 0: at the newest
	By     []Dimension        // at most MaxDimensions, each once
	Filter []Condition        // all must hold
	Bands  []Band             // of ByAge; nil: DefaultBands
	Zeros  bool               // also cells without anybody, of codes that exist

	Now         int64              // Unix seconds
	Contacts    map[string]Contact // by union code
	FreshWithin time.Duration      // 0: DefaultFreshWithin

	// Unions of which a device may still send again what the centre lacks since its newest life
	// began, by code, and when that was, Unix seconds. None: nothing is known to be missing.
	Reconfirming      map[string]bool
	ReconfirmingSince int64
}

// Contact is when a union was last heard of.
type Contact struct {
	Last   int64 // Unix seconds of the end of the last complete exchange; 0: never
	Proved bool  // its agent has shown to hold the same records as the centre
}

// Band is an age band: full years from From to To, both included.
type Band struct {
	From, To int // To 0: no upper end
	Label    kind.Label
}

// DefaultBands are the bands used where a question names none.
func DefaultBands() []Band {
	return []Band{
		{From: 0, To: 24, Label: kind.Label{Zh: "24岁及以下", En: "24 and under"}},
		{From: 25, To: 34, Label: kind.Label{Zh: "25—34岁", En: "25 to 34"}},
		{From: 35, To: 44, Label: kind.Label{Zh: "35—44岁", En: "35 to 44"}},
		{From: 45, To: 54, Label: kind.Label{Zh: "45—54岁", En: "45 to 54"}},
		{From: 55, To: 0, Label: kind.Label{Zh: "55岁及以上", En: "55 and over"}},
	}
}

// Code names the band: "25-34", "55-".
func (b Band) Code() string {
	code := strconv.Itoa(b.From) + "-"
	if b.To > 0 {
		code += strconv.Itoa(b.To)
	}
	return code
}

// label gives the band's label, or its code.
func (b Band) label() kind.Label {
	if b.Label.Zh == "" {
		return kind.Label{Zh: b.Code(), En: b.Code()}
	}
	return b.Label
}

// check reports what is wrong with q itself and fills in what it leaves open.
func (q *Query) check() error {
	const op = "check query"
	if len(q.By) > MaxDimensions {
		return syncproto.Fail(syncproto.CodeCountTooMany, op, nil, "max", strconv.Itoa(MaxDimensions))
	}
	for i, d := range q.By {
		if !slices.Contains(Dimensions(), d) || slices.Contains(q.By[:i], d) {
			return unknownDimension(op, d)
		}
	}
	for _, c := range q.Filter {
		if !slices.Contains(Dimensions(), c.Dimension) {
			return unknownDimension(op, c.Dimension)
		}
	}
	if q.Bands == nil {
		q.Bands = DefaultBands()
	}
	if q.FreshWithin == 0 {
		q.FreshWithin = DefaultFreshWithin
	}
	return checkBands(op, q.Bands)
}

func unknownDimension(op string, d Dimension) error {
	var names []string
	for _, known := range Dimensions() {
		names = append(names, string(known))
	}
	return syncproto.Fail(syncproto.CodeCountDimension, op, nil, "dimension", clip(string(d)), "known", strings.Join(names, " "))
}

const maxAge = 200

func checkBands(op string, bands []Band) error {
	next := 0
	for i, b := range bands {
		open := b.To == 0 && i == len(bands)-1
		if b.From < next || b.From > maxAge || b.To > maxAge || b.To < b.From && !open {
			return syncproto.Fail(syncproto.CodeCountBands, op, nil, "band", b.Code())
		}
		next = b.To + 1
	}
	return nil
}
