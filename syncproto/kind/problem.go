package kind

import (
	"fmt"
	"strings"

	"unionsync/syncproto"
)

// Note is one visible normalisation: what was typed, what it became, and why. From and To
// are a person's data: show them, never log them.
type Note struct {
	Code  syncproto.Code // 280–299
	Field *Field
	From  string
	To    string
}

// Err gives the note as a coded sentence, without the values.
func (n Note) Err() *syncproto.Error {
	return syncproto.Fail(n.Code, "normalise value", nil, labels(n.Field)...)
}

// Problem says why a value is refused. It never holds the value.
type Problem struct {
	Code  syncproto.Code
	Field *Field
	Args  []string // further placeholders of the sentence, in pairs
}

// Err gives the problem as a coded error.
func (p *Problem) Err() *syncproto.Error {
	return syncproto.Fail(p.Code, "check value", nil, append(labels(p.Field), p.Args...)...)
}

// Error implements error, for logs: code and field, no value.
func (p *Problem) Error() string { return fmt.Sprintf("field %s: E%d", p.Field.Name, p.Code) }

// Severity classes of a finding, from the most severe.
const (
	ClassBlocks   = "A" // the record cannot be saved so
	ClassApproval = "B" // it waits for an approver
	ClassExplain  = "C" // it wants an explanation of at least [MinExplanation] characters
	ClassHint     = "D" // for information
)

// MinExplanation is how many characters an explanation of a class C finding has at least.
const MinExplanation = 6

// Finding is one result of checking a record.
type Finding struct {
	Code      syncproto.Code
	Class     string   // A to D
	Rule      string   // the rule's id; empty for what every kind checks
	Fields    []*Field // what it is about, the first foremost
	Source    string   // the article
	Explained bool     // class C: an explanation was given
	Args      []string // placeholders of the sentence, in pairs
}

// Blocks reports whether the record cannot be saved as it is: class A, or class C without
// an explanation.
func (f Finding) Blocks() bool {
	return f.Class == ClassBlocks || f.Class == ClassExplain && !f.Explained
}

// Err gives the finding as a coded error.
func (f Finding) Err() *syncproto.Error {
	var args []string
	if len(f.Fields) > 0 {
		args = labels(f.Fields[0])
	}
	return syncproto.Fail(f.Code, "check record", nil, append(args, f.Args...)...)
}

// Field gives the name of the field foremost concerned, or "".
func (f Finding) Field() string {
	if len(f.Fields) == 0 {
		return ""
	}
	return f.Fields[0].Name
}

// labels are the placeholders that every sentence about a field may use.
func labels(f *Field) []string {
	return []string{"label_zh", f.Label.Zh, "label_en", f.Label.En, "field", f.Name}
}

// Values are a record's current values by field number, in canonical bytes. A field
// without a value is not in the map; an empty value does not exist.
type Values map[syncproto.FieldNumber][]byte

// Text gives a value as a string, "" if there is none.
func (v Values) Text(f *Field) string { return string(v[f.Number]) }

// setSeparator stands between the elements of a set. No element holds it.
const setSeparator = "\n"

// JoinSet makes the canonical bytes of a set in [Values]: its elements in byte order, each
// once, a line feed between them. Records keep the elements one by one.
func JoinSet(elements []string) []byte {
	return []byte(strings.Join(sortUnique(elements), setSeparator))
}

// SplitSet gives the elements of a set's canonical bytes.
func SplitSet(value []byte) []string {
	if len(value) == 0 {
		return nil
	}
	return strings.Split(string(value), setSeparator)
}
