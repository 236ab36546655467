package kind

import (
	"sync"

	"cel.dev/cel-go/cel"

	"unionsync/syncproto"
)

// Type says what values a field holds. The words are those of the kind files.
type Type string

// Field types, each with its canonical bytes.
const (
	TypeText       Type = "text"       // UTF-8 in NFC
	TypeCode       Type = "code"       // the code of a row of the field's table
	TypeDate       Type = "date"       // 2006-01-02, or 2006-01 where only the month is known
	TypeMonth      Type = "month"      // 2006-01
	TypeInteger    Type = "integer"    // decimal digits, a minus sign before negative ones
	TypeMoney      Type = "money"      // fen, as an integer
	TypeYesNo      Type = "yesno"      // 1 or 0
	TypeCitizenID  Type = "citizenid"  // 18 characters; with TypeField any document's number
	TypeCreditCode Type = "creditcode" // 18 characters of GB 32100
	TypePhone      Type = "phone"      // 11 digits, or a landline as 0579-89814516
	TypeReference  Type = "reference"  // 16 raw bytes of a record id; to a union: its code
	TypeSet        Type = "set"        // elements of type Elem, see [JoinSet]
)

// Need says whether a field must have a value.
type Need string

// Needs of a field.
const (
	NeedNo   Need = ""     // may be empty
	NeedHint Need = "hint" // wanted: a hint of class D when empty
	NeedYes  Need = "yes"  // required: blocks when empty
)

// RefUnion is the Ref of a reference to a union: its value is the union's code as text.
const RefUnion = "union"

// Label is a text in both languages.
type Label struct {
	Zh string `yaml:"zh"`
	En string `yaml:"en"`
}

// In gives the text in language "en", or in Chinese for any other.
func (l Label) In(lang string) string {
	if lang == "en" && l.En != "" {
		return l.En
	}
	return l.Zh
}

// Kind is one kind of record, as its file says. It is read only once loaded.
type Kind struct {
	Name       string
	Number     syncproto.KindNumber
	Version    uint32
	Label      Label
	AppendOnly bool       // only void and same-as may be edited
	Title      string     // the field that names a record to a person
	Key        []string   // the fields by which a sheet's row finds an existing record
	Companion  *Companion // the record that a sheet's new row makes beside this one
	Fields     []*Field   // in the order of the file
	Rules      []*Rule    // in the order of the file
	Tables     []*Table   // in the order of the file

	byName   map[string]*Field
	byNumber map[syncproto.FieldNumber]*Field
	set      *Set
	file     string // the file's name, for messages
	ruleOnce sync.Once
	ruleErr  error    // guarded by ruleOnce, as are the programs in Rules
	ruled    []*Field // likewise: what the rules read of the record itself
}

// Companion says which record stands beside a new one of this kind, in the same group: the
// 入会 event beside a member.
type Companion struct {
	Kind    string            `yaml:"kind"`    // the companion's kind
	Link    string            `yaml:"link"`    // its field that refers to the new record
	Set     map[string]string `yaml:"set"`     // canonical values that it always has
	Columns []Column          `yaml:"columns"` // its fields that stand in the same sheet row
}

// Column is a field of the companion in the sheet of the main kind.
type Column struct {
	Field   string   `yaml:"field"`
	Label   Label    `yaml:"label"`   // its heading there; the field's own label if empty
	Aliases []string `yaml:"aliases"` // other headings
}

// Field is one field of a kind.
type Field struct {
	Number    syncproto.FieldNumber
	Name      string
	Label     Label
	Help      Label
	Type      Type
	Elem      Type // of a set's elements
	Style     string
	Need      Need
	Class     syncproto.MergeClass
	Sensitive bool     // shown masked, see [Field.Mask]
	Table     *Table   // of a code, or of a set of codes
	Ref       string   // the kind that a reference names; [RefUnion] for a union
	TypeField string   // of a citizenid: the field with the document's type
	Citizen   []string // of a citizenid: the document types whose numbers GB 11643 checks
	Max       int      // characters of a text
	Default   string   // canonical value of a new record that gives none
	Derive    *Derive
	Aliases   []string // other headings of its column
}

// Derive says from which field a value follows.
type Derive struct {
	From string `yaml:"from"` // a citizenid field
	What string `yaml:"what"` // "birth" or "sex"
}

// StyleName marks a text that is a person's name: blanks between Han characters go, and
// look-alikes of the middle dot become U+00B7.
const StyleName = "name"

// Table is a code table.
type Table struct {
	Name   string
	Label  Label
	Source string // where it was read
	Codes  []*Code

	byCode map[string]*Code
	byWord map[string]word
}

// Code is one row of a code table.
type Code struct {
	Code    string   `yaml:"code"`
	Zh      string   `yaml:"zh"`
	En      string   `yaml:"en"`
	Words   []string `yaml:"words"`   // other official or everyday words: taken as they are
	Aliases []string `yaml:"aliases"` // words that are replaced visibly, with a note
}

// word is what a typed word means; noted says that replacing it is worth a note.
type word struct {
	code  *Code
	noted bool
}

// Code gives a row by its code.
func (t *Table) Code(code string) (*Code, bool) {
	c, ok := t.byCode[code]
	return c, ok
}

// Rule is one rule of a kind.
type Rule struct {
	ID       string   `yaml:"id"`
	Class    string   `yaml:"class"`    // A blocks, B waits for an approver, C wants an explanation, D hints
	Expr     string   `yaml:"expr"`     // CEL; true where all is well
	Optional []string `yaml:"optional"` // fields that may be empty when the rule is worked out
	Message  Label    `yaml:"message"`
	Source   string   `yaml:"source"` // the article

	line     int         // of Expr in the file
	reading  []*variable // what Expr reads
	needs    []*variable // of those, what it cannot do without
	concerns []*Field    // the kind's own fields that Expr reads
	program  cel.Program
}

// Field gives a field by its name.
func (k *Kind) Field(name string) (*Field, bool) {
	f, ok := k.byName[name]
	return f, ok
}

// FieldByNumber gives a field by its number.
func (k *Kind) FieldByNumber(n syncproto.FieldNumber) (*Field, bool) {
	f, ok := k.byNumber[n]
	return f, ok
}

// Class gives the merge class of a field. A field that is not known here, void and same-as
// have class ask.
func (k *Kind) Class(n syncproto.FieldNumber) syncproto.MergeClass {
	if f, ok := k.byNumber[n]; ok {
		return f.Class
	}
	return syncproto.ClassAsk
}

// Table gives a table of this kind by its name.
func (k *Kind) Table(name string) (*Table, bool) {
	for _, t := range k.Tables {
		if t.Name == name {
			return t, true
		}
	}
	return nil, false
}
