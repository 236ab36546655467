package kind

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"unionsync/syncproto"
)

// kindFile is the form of a kind file.
type kindFile struct {
	Kind       string      `yaml:"kind"`
	Number     uint16      `yaml:"number"`
	Version    uint32      `yaml:"version"`
	Label      Label       `yaml:"label"`
	AppendOnly bool        `yaml:"append_only"`
	Title      string      `yaml:"title"`
	Key        []string    `yaml:"key"`
	Companion  *Companion  `yaml:"companion"`
	Fields     []fieldFile `yaml:"fields"`
	Tables     []tableFile `yaml:"tables"`
	Rules      []*Rule     `yaml:"rules"`
}

// fieldFile is the form of a field in a kind file.
type fieldFile struct {
	Number    uint16   `yaml:"number"`
	Name      string   `yaml:"name"`
	Label     Label    `yaml:"label"`
	Help      Label    `yaml:"help"`
	Type      Type     `yaml:"type"`
	Elem      Type     `yaml:"elem"`
	Style     string   `yaml:"style"`
	Required  Need     `yaml:"required"`
	Class     string   `yaml:"class"`
	Sensitive bool     `yaml:"sensitive"`
	Table     string   `yaml:"table"`
	Ref       string   `yaml:"ref"`
	TypeField string   `yaml:"type_field"`
	Citizen   []string `yaml:"citizen"`
	Max       int      `yaml:"max"`
	Default   string   `yaml:"default"`
	Derive    *Derive  `yaml:"derive"`
	Aliases   []string `yaml:"aliases"`
}

// tableFile is the form of a code table in a kind file.
type tableFile struct {
	Name   string  `yaml:"name"`
	Label  Label   `yaml:"label"`
	Source string  `yaml:"source"`
	Codes  []*Code `yaml:"codes"`
}

// document is a kind file being read: what errors need to name the line.
type document struct {
	name string
	tree *ast.File
	kind *Kind
	file kindFile
}

// load reads and links the files, without compiling rules.
func load(files map[string][]byte) (*Set, error) {
	s := &Set{byName: map[string]*Kind{}, byNumber: map[syncproto.KindNumber]*Kind{}}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	docs := make([]*document, 0, len(names))
	for _, name := range names {
		d, err := read(name, files[name])
		if err != nil {
			return nil, err
		}
		if err := s.add(d, files[name]); err != nil {
			return nil, err
		}
		docs = append(docs, d)
	}
	for _, step := range []func(*document) error{
		func(d *document) error { return d.linkFields(s) },
		func(d *document) error { return d.link(s) },
	} {
		for _, d := range docs {
			if err := step(d); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(s.kinds, func(a, b *Kind) int { return int(a.Number) - int(b.Number) })
	slices.SortFunc(s.files, func(a, b File) int { return int(a.Number) - int(b.Number) })
	return s, nil
}

// add puts a read kind into the set.
func (s *Set) add(d *document, data []byte) error {
	k := d.kind
	if _, ok := s.byName[k.Name]; ok {
		return d.fail("$.kind", "kind %q stands in two files", k.Name)
	}
	if _, ok := s.byNumber[k.Number]; ok {
		return d.fail("$.number", "number %d belongs to another kind", k.Number)
	}
	k.set = s
	s.kinds = append(s.kinds, k)
	s.byName[k.Name], s.byNumber[k.Number] = k, k
	s.files = append(s.files, File{Kind: k.Name, Number: k.Number, Version: k.Version, Name: d.name, Data: slices.Clone(data)})
	return nil
}

// read decodes one file and checks what concerns it alone.
func read(name string, data []byte) (d *document, err error) {
	defer func() {
		if p := recover(); p != nil { // the YAML library meets a file that it cannot read
			d, err = nil, fileError(name, 1, "no YAML", nil)
		}
	}()
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, yamlError(name, err)
	}
	d = &document{name: name, tree: tree}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return nil, fileError(name, 1, "want one YAML document", nil)
	}
	if err := yaml.NodeToValue(tree.Docs[0].Body, &d.file, yaml.DisallowUnknownField()); err != nil {
		return nil, yamlError(name, err)
	}
	f := &d.file
	d.kind = &Kind{
		Name: f.Kind, Number: syncproto.KindNumber(f.Number), Version: f.Version, Label: f.Label,
		AppendOnly: f.AppendOnly, Title: f.Title, Key: f.Key, Companion: f.Companion, Rules: f.Rules,
		byName: map[string]*Field{}, byNumber: map[syncproto.FieldNumber]*Field{},
	}
	d.kind.file = name
	if err := d.checkHead(); err != nil {
		return nil, err
	}
	if err := d.addTables(); err != nil {
		return nil, err
	}
	return d, d.addFields()
}

// checkHead checks the lines above the fields.
func (d *document) checkHead() error {
	switch f := &d.file; {
	case !isName(f.Kind):
		return d.fail("$.kind", "kind: want a name of a-z, 0-9, - and _, have %q", f.Kind)
	case f.Number == 0:
		return d.fail("$.number", "number: want a permanent number above 0")
	case f.Version == 0:
		return d.fail("$.version", "version: want a number above 0")
	case f.Label.Zh == "" || f.Label.En == "":
		return d.fail("$.label", "label: zh and en are both wanted")
	case len(f.Fields) == 0:
		return d.fail("$.fields", "fields: a kind needs at least one")
	}
	return nil
}

// isName reports whether s can name a kind, field or table.
func isName(s string) bool {
	if s == "" || len(s) > 40 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// fail makes the error of the node at path, or of the nearest node above it that exists.
func (d *document) fail(path, format string, args ...any) error {
	return fileError(d.name, d.line(path), fmt.Sprintf(format, args...), nil)
}

// line gives the line of the node at path.
func (d *document) line(path string) int {
	for path != "" && path != "$" {
		if p, err := yaml.PathString(path); err == nil {
			if node, err := p.FilterFile(d.tree); err == nil && node != nil && node.GetToken() != nil {
				return firstLine(node)
			}
		}
		path = path[:max(strings.LastIndexByte(path, '.'), strings.LastIndexByte(path, '['), 0)]
	}
	return 1
}

// firstLine gives the line on which a node begins: of a mapping, that of its first key.
func firstLine(node ast.Node) int {
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken().Position.Line
	}
	if m, ok := node.(*ast.MappingValueNode); ok {
		return m.Key.GetToken().Position.Line
	}
	return node.GetToken().Position.Line
}

// yamlError turns an error of the YAML library into one with file and line.
func yamlError(name string, err error) error {
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil && y.GetToken().Position != nil {
		return fileError(name, y.GetToken().Position.Line, y.GetMessage(), nil)
	}
	return fileError(name, 1, err.Error(), nil)
}

// fileError is the one form of an error in a kind file.
func fileError(name string, line int, cause string, err error) error {
	if err == nil {
		err = fmt.Errorf("%s:%d: %s", name, line, cause)
	} else {
		err = fmt.Errorf("%s:%d: %s: %w", name, line, cause, err)
	}
	return syncproto.Fail(syncproto.CodeKindFile, "read kind file", err,
		"file", name, "line", strconv.Itoa(line), "cause", cause)
}
