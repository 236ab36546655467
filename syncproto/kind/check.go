package kind

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"

	"unionsync/syncproto"
)

// Env is what checking a record needs besides its values.
type Env struct {
	// Today is max(the PC's date, the date of the last Response), as 2006-01-02.
	Today string
	// Related gives the values of a record that is referred to, among them those of the
	// same group that are not saved yet. Nil: references are not followed.
	Related func(kind string, id syncproto.RecordID) (Values, bool)
	// Explain holds the explanations given for class C findings, by rule id. The one under
	// "" stands for all.
	Explain map[string]string
}

// Check looks at a whole record: required fields, the form of every value, derivations,
// references and rules. Findings come in the order of the kind file, derived
// fields behind the others, and rules behind the fields. A value that is wrong in itself takes part in no rule.
func (k *Kind) Check(values Values, env Env) []Finding {
	c := &checking{kind: k, values: values, env: env, bad: map[string]bool{}, related: map[string]Values{}}
	for _, derived := range []bool{false, true} { // what is derived looks at what it follows from
		for _, f := range k.Fields {
			if (f.Derive != nil) == derived {
				c.field(f)
			}
		}
	}
	c.rules()
	return c.found
}

// CheckRules gives of what [Kind.Check] finds only what the rules find. It looks at no more
// fields and references than they do.
func (k *Kind) CheckRules(values Values, env Env) []Finding {
	c := &checking{kind: k, values: values, env: env, bad: map[string]bool{}, related: map[string]Values{}}
	if k.compileRules() == nil {
		for _, f := range k.ruled {
			c.field(f)
		}
	}
	c.found = nil
	c.rules()
	return c.found
}

// Blocked reports whether any finding keeps the record from being saved.
func Blocked(findings []Finding) bool {
	for _, f := range findings {
		if f.Blocks() {
			return true
		}
	}
	return false
}

// checking is one run of [Kind.Check].
type checking struct {
	kind    *Kind
	values  Values
	env     Env
	bad     map[string]bool   // fields whose value takes part in no rule
	related map[string]Values // by reference field
	vars    map[string]any    // of the rules, filled as they need them
	found   []Finding
}

// add notes a finding about fields.
func (c *checking) add(class string, code syncproto.Code, f *Field, args ...string) {
	c.found = append(c.found, Finding{Code: code, Class: class, Fields: []*Field{f}, Args: args})
}

// field checks one field.
func (c *checking) field(f *Field) {
	value := c.values[f.Number]
	if len(value) == 0 {
		c.missing(f)
		return
	}
	problem := f.Valid(value)
	if problem == nil && f.TypeField != "" && f.isCitizen(c.kind, c.values) {
		problem = f.citizenProblem(string(value))
	}
	if problem != nil {
		c.bad[f.Name] = true
		c.add(ClassBlocks, problem.Code, f, problem.Args...)
		return
	}
	if want, ok := c.kind.derived(f, c.values); ok && !f.Same(value, []byte(want)) {
		from := c.kind.byName[f.Derive.From]
		c.add(ClassBlocks, syncproto.CodeContradicts, f, "from_zh", from.Label.Zh, "from_en", from.Label.En)
	}
	c.reference(f, value)
}

// missing notes that a field has no value. One that would follow from a value that is wrong
// or missing itself is not noted beside that.
func (c *checking) missing(f *Field) {
	if f.Derive != nil {
		from := c.kind.byName[f.Derive.From]
		if c.bad[from.Name] || len(c.values[from.Number]) == 0 && from.Need == NeedYes {
			return
		}
	}
	switch f.Need {
	case NeedYes:
		c.add(ClassBlocks, syncproto.CodeMissing, f)
	case NeedHint:
		c.add(ClassHint, syncproto.CodeExpected, f)
	}
}

// reference looks up the record that a field refers to.
func (c *checking) reference(f *Field, value []byte) {
	if f.Type != TypeReference || f.Ref == RefUnion || c.env.Related == nil {
		return
	}
	values, ok := c.env.Related(f.Ref, syncproto.RecordID(value))
	if !ok {
		c.add(ClassBlocks, syncproto.CodeNoRelated, f)
		return
	}
	c.related[f.Name] = values
}

// rules works out the kind's rules.
func (c *checking) rules() {
	if err := c.kind.compileRules(); err != nil {
		c.found = append(c.found, Finding{Code: syncproto.CodeRuleFailed, Class: ClassHint, Args: []string{"rule", c.kind.Name}})
		return
	}
	c.vars = map[string]any{todayVar: c.env.Today}
	for _, f := range c.kind.ruled {
		c.vars[f.Name] = celValue(f, c.values[f.Number], c.bad[f.Name])
	}
	for _, r := range c.kind.Rules {
		if c.ready(r) {
			c.rule(r)
		}
	}
}

// ready reports whether all that the rule cannot do without is there.
func (c *checking) ready(r *Rule) bool {
	for _, f := range r.concerns {
		if c.bad[f.Name] {
			return false
		}
	}
	for _, v := range r.needs {
		if len(c.valueOf(v)) == 0 {
			return false
		}
	}
	return true
}

// valueOf gives the canonical bytes of a variable.
func (c *checking) valueOf(v *variable) []byte {
	if v.via == nil {
		return c.values[v.field.Number]
	}
	return c.related[v.via.Name][v.field.Number]
}

// rule works out one rule.
func (c *checking) rule(r *Rule) {
	for _, v := range r.reading {
		if v.via != nil {
			value := c.valueOf(v)
			c.vars[v.name] = celValue(v.field, value, len(value) > 0 && v.field.Valid(value) != nil)
		}
	}
	out, _, err := r.program.Eval(c.vars)
	switch {
	case err != nil || out.Type() != types.BoolType:
		c.found = append(c.found, Finding{Code: syncproto.CodeRuleFailed, Class: ClassHint, Rule: r.ID,
			Fields: r.concerns, Source: r.Source, Args: []string{"rule", r.ID}})
	case out != types.True:
		c.found = append(c.found, Finding{Code: syncproto.CodeRule, Class: r.Class, Rule: r.ID, Fields: r.concerns,
			Source: r.Source, Explained: r.Class == ClassExplain && c.explained(r.ID),
			Args: []string{"rule", r.ID, "zh", r.Message.Zh, "en", r.Message.En, "source", r.Source}})
	}
}

// explained reports whether the clerk gave an explanation that is long enough.
func (c *checking) explained(rule string) bool {
	for _, key := range []string{rule, ""} {
		if utf8.RuneCountInString(strings.TrimSpace(c.env.Explain[key])) >= MinExplanation {
			return true
		}
	}
	return false
}

// celValue is what a rule sees of a value; without one, the empty value of its type.
func celValue(f *Field, value []byte, bad bool) any {
	if bad {
		value = nil
	}
	switch f.Type {
	case TypeInteger, TypeMoney:
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			n = 0 // no value
		}
		return n
	case TypeYesNo:
		return string(value) == "1"
	case TypeSet:
		return SplitSet(value)
	case TypeReference:
		return f.formatAs(TypeReference, string(value), "")
	}
	return string(value)
}
