package kind

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// todayVar is the variable that holds today's day in every rule.
const todayVar = "today"

// variable is what a rule can read: a field of the record, or a field of the record that a
// reference field names, as member.birth.
type variable struct {
	name  string
	via   *Field // the reference field; nil for the record's own fields
	field *Field
}

// variables gives all variables of the kind's rules by name.
func (k *Kind) variables() map[string]*variable {
	vars := map[string]*variable{}
	for _, f := range k.Fields {
		vars[f.Name] = &variable{name: f.Name, field: f}
		other := k.set.byName[f.Ref]
		if other == nil || f.Ref == RefUnion {
			continue
		}
		for _, g := range other.Fields {
			name := f.Name + "." + g.Name
			vars[name] = &variable{name: name, via: f, field: g}
		}
	}
	return vars
}

// compileRules compiles the kind's rules once; it is safe for concurrent use.
func (k *Kind) compileRules() error {
	k.ruleOnce.Do(func() { k.ruleErr = k.compileAll() })
	return k.ruleErr
}

// compileAll compiles every rule in one environment.
func (k *Kind) compileAll() error {
	vars := k.variables()
	opts := append(dateFunctions(), cel.Variable(todayVar, cel.StringType))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		opts = append(opts, cel.Variable(name, celType(vars[name].field)))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return fileError(k.file, 1, "the fields make no rule environment", err)
	}
	for _, r := range k.Rules {
		if err := k.compileRule(env, r, vars); err != nil {
			return err
		}
	}
	for _, f := range k.Fields {
		if slices.ContainsFunc(k.Rules, func(r *Rule) bool { return slices.Contains(r.concerns, f) }) {
			k.ruled = append(k.ruled, f)
		}
	}
	return nil
}

// compileRule checks one expression and finds out which variables it reads.
func (k *Kind) compileRule(env *cel.Env, r *Rule, vars map[string]*variable) error {
	checked, issues := env.Compile(r.Expr)
	if issues != nil && issues.Err() != nil {
		first := issues.Errors()[0]
		line := r.line
		if strings.Contains(r.Expr, "\n") { // a literal block begins below its key
			line += first.Location.Line()
		}
		return fileError(k.file, line, fmt.Sprintf("rule %s: %s", r.ID, first.Message), nil)
	}
	if checked.OutputType() != cel.BoolType {
		return fileError(k.file, r.line, fmt.Sprintf("rule %s: the expression gives %s, want true or false", r.ID, checked.OutputType()), nil)
	}
	program, err := env.Program(checked)
	if err != nil {
		return fileError(k.file, r.line, "rule "+r.ID, err)
	}
	r.program = program
	read := map[string]bool{}
	for _, info := range checked.NativeRep().ReferenceMap() {
		read[info.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(read)) {
		if v := vars[name]; v != nil {
			r.reads(v)
		}
	}
	slices.SortFunc(r.concerns, func(a, b *Field) int { return strings.Index(r.Expr, a.Name) - strings.Index(r.Expr, b.Name) })
	return nil
}

// reads notes that the rule reads v.
func (r *Rule) reads(v *variable) {
	own := v.field
	if v.via != nil {
		own = v.via
	}
	if !slices.Contains(r.concerns, own) {
		r.concerns = append(r.concerns, own)
	}
	r.reading = append(r.reading, v)
	if !slices.Contains(r.Optional, v.name) {
		r.needs = append(r.needs, v)
	}
}

// celType is the type that a rule sees of a field.
func celType(f *Field) *cel.Type {
	switch f.Type {
	case TypeInteger, TypeMoney:
		return cel.IntType
	case TypeYesNo:
		return cel.BoolType
	case TypeSet:
		return cel.ListType(cel.StringType)
	}
	return cel.StringType
}

// dateFunctions are the functions that rules have besides those of CEL.
func dateFunctions() []cel.EnvOption {
	str, num := cel.StringType, cel.IntType
	return []cel.EnvOption{
		cel.Function("years", cel.Overload("years_between", []*cel.Type{str, str}, num, cel.BinaryBinding(
			func(a, b ref.Val) ref.Val { return count(a, b, yearsBetween) }))),
		cel.Function("days", cel.Overload("days_between", []*cel.Type{str, str}, num, cel.BinaryBinding(
			func(a, b ref.Val) ref.Val { return count(a, b, daysBetween) }))),
		cel.Function("add_days", cel.Overload("add_days_to", []*cel.Type{str, num}, str, cel.BinaryBinding(
			func(a, n ref.Val) ref.Val { return shift(a, n, addDays) }))),
		cel.Function("add_years", cel.Overload("add_years_to", []*cel.Type{str, num}, str, cel.BinaryBinding(
			func(a, n ref.Val) ref.Val { return shift(a, n, addYears) }))),
		cel.Function("year", cel.Overload("year_of", []*cel.Type{str}, num, cel.UnaryBinding(
			func(a ref.Val) ref.Val { return yearOf(string(a.(types.String))) }))),
	}
}

// count applies a function of two dates.
func count(a, b ref.Val, f func(from, to string) (int, error)) ref.Val {
	n, err := f(string(a.(types.String)), string(b.(types.String)))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Int(n)
}

// shift applies a function of a date and a number.
func shift(a, n ref.Val, f func(date string, n int) (string, error)) ref.Val {
	s, err := f(string(a.(types.String)), int(n.(types.Int)))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.String(s)
}

// yearOf gives the year of a date.
func yearOf(s string) ref.Val {
	t, err := firstDay(s)
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Int(t.Year())
}
