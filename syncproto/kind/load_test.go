package kind_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// good is a kind file with all that the broken ones below break.
const good = `kind: visit
number: 50
version: 1
label: {zh: 走访, en: Visit}
title: name
key: [id_no]
fields:
  - {number: 10, name: name, label: {zh: 姓名, en: Name}, type: text, style: name}
  - {number: 11, name: id_no, label: {zh: 证件号码, en: Number}, type: citizenid}
  - {number: 12, name: birth, label: {zh: 出生日期, en: Birth}, type: date, derive: {from: id_no, what: birth}}
  - {number: 13, name: state, label: {zh: 状态, en: State}, type: code, table: state, default: "1"}
  - {number: 14, name: tags, label: {zh: 标签, en: Tags}, type: set, elem: text}
  - {number: 15, name: before, label: {zh: 上次, en: Before}, type: reference, ref: visit}
tables:
  - name: state
    source: 设计
    codes:
      - {code: "1", zh: 好, en: good, words: [不错]}
      - {code: "2", zh: 坏, en: bad, aliases: [差]}
  - name: many
    source: 设计
    codes:
      - {code: "1", zh: 甲、乙, en: both}
rules:
  - id: V-1
    class: A
    expr: birth <= today
    message: {zh: 晚于今天, en: after today}
    source: 设计
  - id: V-2
    class: D
    expr: >-
      before.birth == birth ||
      state == '1'
    message: {zh: 不同, en: differs}
    source: 设计
`

// companionFile is a kind with a companion.
const companionFile = `kind: visitor
number: 51
version: 1
label: {zh: 访客, en: Visitor}
title: name
companion: {kind: visit, link: owner, set: {state: "1"}, columns: [{field: birth, aliases: [生日]}]}
fields:
  - {number: 10, name: name, label: {zh: 姓名, en: Name}, type: text}
`

func TestLoadGood(t *testing.T) {
	with := strings.Replace(good, "fields:\n", "fields:\n  - {number: 20, name: owner, label: {zh: 主, en: Owner}, type: reference, ref: visitor}\n", 1)
	s, err := kind.Load(fstest.MapFS{"visit.yaml": {Data: []byte(with)}, "visitor.yaml": {Data: []byte(companionFile)}, "README": {Data: []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.All()) != 2 || len(s.Files()) != 2 || s.Files()[0].Name != "visit.yaml" || string(s.Files()[0].Data) != with {
		t.Errorf("kinds %d, files %d", len(s.All()), len(s.Files()))
	}
	if _, err := s.Find("visits"); syncproto.CodeOf(err) != syncproto.CodeUnknownKind {
		t.Errorf("unknown kind: %v", err)
	}
	k, _ := s.ByNumber(50)
	if _, err := k.Find("nothing"); syncproto.CodeOf(err) != syncproto.CodeUnknownName {
		t.Errorf("unknown field: %v", err)
	}
}

// TestLoadBroken: whatever is wrong with a kind file, the message says file, line and what.
func TestLoadBroken(t *testing.T) {
	for _, c := range []struct {
		why, old, new string
		line          int
		want          string
	}{
		{"unknown key", "title: name", "titel: name", 5, "unknown field"},
		{"unknown key inside a field", "elem: text}", "elm: text}", 12, "unknown field"},
		{"no YAML: seen where the next line begins", "label: {zh: 走访, en: Visit}", "label: {zh: 走访, en: Visit", 5, ""},
		{"duplicate key", "version: 1", "number: 50", 3, "already defined"},
		{"wrong type", "number: 50", "number: fifty", 2, ""},
		{"bad kind name", "kind: visit", "kind: Visit", 1, "want a name"},
		{"number zero", "number: 50", "number: 0", 2, "permanent number"},
		{"version zero", "version: 1", "version: 0", 3, "version"},
		{"missing label", "label: {zh: 走访, en: Visit}", "label: {zh: 走访}", 4, "label"},
		{"missing label of a field", "label: {zh: 证件号码, en: Number}", "label: {en: Number}", 9, `field "id_no": label`},
		{"unknown type", "type: citizenid", "type: citizen", 9, "unknown type"},
		{"duplicate number", "number: 11", "number: 10", 9, `taken by "name"`},
		{"number below ten", "number: 11", "number: 2", 9, "from 10 up"},
		{"duplicate name", "name: id_no", "name: name", 9, "stands twice"},
		{"name that CEL cannot read", "name: tags", "name: tag-s", 12, "field name"},
		{"name of the day", "name: tags", "name: today", 12, "not today"},
		{"unknown class", "type: text, style", "class: first, type: text, style", 8, "merge class"},
		{"class set without set", "type: text, style", "class: set, type: text, style", 8, "class set"},
		{"unknown need", "type: text, style", "required: always, type: text, style", 8, "required"},
		{"unknown style", "style: name", "style: shout", 8, "style"},
		{"unknown table", "table: state", "table: states", 11, "unknown table"},
		{"table of an unknown kind", "table: state", "table: other.state", 11, "unknown table"},
		{"code without table", ", table: state", "", 11, "needs a table"},
		{"text with a table", "type: text, style: name", "type: text, table: state", 8, "only a code"},
		{"set without elem", "type: set, elem: text", "type: set", 12, "needs elem"},
		{"set of sets", "elem: text", "elem: set", 12, "needs elem"},
		{"a set's label with a separator", "type: set, elem: text", "type: set, elem: code, table: many", 12, "separator"},
		{"default outside the table", `default: "1"`, `default: "3"`, 11, "default"},
		{"reference to unknown kind", "ref: visit}", "ref: visits}", 13, "unknown kind"},
		{"reference without kind", ", ref: visit}", "}", 13, "ref"},
		{"derivation from unknown field", "from: id_no", "from: id_number", 10, "unknown field"},
		{"derivation from a text", "from: id_no", "from: name", 10, "unknown field"},
		{"unknown derivation", "what: birth", "what: age", 10, "derive birth or sex"},
		{"derivation into the wrong type", "type: date, derive", "type: text, derive", 10, "birth is a date"},
		{"title of no field", "title: name", "title: nome", 5, "title"},
		{"key of no field", "key: [id_no]", "key: [no]", 6, "key"},
		{"table without source", "    source: 设计\n    codes", "    codes", 15, "source"},
		{"duplicate code", `code: "2"`, `code: "1"`, 19, "stands twice"},
		{"code without label", "zh: 坏, ", "", 19, "zh and en"},
		{"word of two codes", "aliases: [差]", "aliases: [不错]", 19, "means two codes"},
		{"heading of two fields", "{zh: 状态, en: State}", "{zh: 姓名, en: State}", 11, "heading"},
		{"bad CEL", "birth <= today", "birth <= ", 27, "rule V-1"},
		{"CEL of an unknown field", "birth <= today", "born <= today", 27, "undeclared"},
		{"CEL comparing text with a number", "birth <= today", "birth <= 5", 27, "rule V-1"},
		{"CEL that is no condition", "birth <= today", "birth + today", 27, "want true or false"},
		{"CEL error in a folded expression: where it begins", "state == '1'\n", "stat == '1'\n", 32, "rule V-2"},
		{"CEL error on the second line of a literal expression", ">-\n      before.birth == birth ||\n      state", "|-\n      before.birth == birth ||\n      stat", 34, "rule V-2"},
		{"unknown class of a rule", "class: D", "class: E", 31, "class is A, B, C or D"},
		{"rule without message", "message: {zh: 不同, en: differs}", "message: {zh: 不同}", 35, "message"},
		{"rule without source", "differs}\n    source: 设计\n", "differs}\n", 30, "source"},
		{"rule twice", "id: V-2", "id: V-1", 30, "id of its own"},
		{"optional field that is none", "class: D", "class: D\n    optional: [stat]", 32, "no field"},
		{"two documents", "kind: visit\n", "kind: visit\n---\nkind: visit\n", 1, "one YAML document"},
	} {
		t.Run(c.why, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatalf("%q does not stand in the good file", c.old)
			}
			_, err := kind.LoadFiles(map[string][]byte{"visit.yaml": []byte(text)})
			checkLoadError(t, err, "visit.yaml", c.line, c.want)
		})
	}
}

// checkLoadError looks at an error of a kind file.
func checkLoadError(t *testing.T, err error, file string, line int, want string) {
	t.Helper()
	var e *syncproto.Error
	if !errors.As(err, &e) || e.Code != syncproto.CodeKindFile {
		t.Fatalf("got %v, want an error of a kind file", err)
	}
	if e.Args["file"] != file || e.Args["cause"] == "" || !strings.Contains(e.Args["cause"], want) {
		t.Errorf("args %v, want %s and %q", e.Args, file, want)
	}
	if got := e.Args["line"]; got != itoa(line) {
		t.Errorf("line %s, want %d: %s", got, line, e.Args["cause"])
	}
}

func TestLoadBrokenTogether(t *testing.T) {
	owner := strings.Replace(good, "fields:\n", "fields:\n  - {number: 20, name: owner, label: {zh: 主, en: Owner}, type: reference, ref: visitor}\n", 1)
	for _, c := range []struct {
		why, a, b string
		file      string
		line      int
		want      string
	}{
		{"one kind in two files", good, good, "b.yaml", 1, "stands in two files"},
		{"one number for two kinds", good, strings.Replace(good, "kind: visit\n", "kind: visit2\n", 1), "b.yaml", 2, "belongs to another"},
		{"companion of an unknown kind", companionFile, strings.Replace(good, "kind: visit\n", "kind: visits\n", 1), "a.yaml", 6, "companion"},
		{"companion without link", companionFile, good, "a.yaml", 6, "no reference"},
		{"companion with a value that does not fit", strings.Replace(companionFile, `state: "1"`, `state: "7"`, 1), owner, "a.yaml", 6, "does not fit"},
		{"companion with an unknown column", strings.Replace(companionFile, "field: birth", "field: born", 1), owner, "a.yaml", 6, "no field"},
	} {
		t.Run(c.why, func(t *testing.T) {
			b := strings.ReplaceAll(c.b, "ref: visit}", "ref: visit}")
			if strings.Contains(c.b, "kind: visits\n") {
				b = strings.ReplaceAll(c.b, "ref: visit}", "ref: visits}")
			}
			_, err := kind.LoadFiles(map[string][]byte{"a.yaml": []byte(c.a), "b.yaml": []byte(b)})
			checkLoadError(t, err, c.file, c.line, c.want)
		})
	}
}

// FuzzLoad: no file makes the loader panic, and a loaded one has rules that compile.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("kind: x\nfields: [a, {b: c}]"))
	f.Add([]byte("- 1\n- 2"))
	f.Add([]byte("rules: [null]\ntables: [null]\nfields: [null]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := kind.LoadFiles(map[string][]byte{"x.yaml": data}); err != nil && syncproto.CodeOf(err) != syncproto.CodeKindFile {
			t.Errorf("an error without file and line: %v", err)
		}
	})
}
