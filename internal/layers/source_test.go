package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "unionsync"

// roots are the folders with Go code of the project.
var roots = []string{"agent", "server", "syncproto", "internal", "cmd"}

// source is one parsed file.
type source struct {
	path      string // from the project's root, with slashes
	dir       string
	file      *ast.File
	test      bool // a _test.go file
	generated bool
	lines     int
	imports   []string
}

var fset = token.NewFileSet()

// readAll parses every Go file once, whatever system it is built for.
var readAll = sync.OnceValues(func() ([]source, error) {
	var all []source
	for _, root := range roots {
		err := filepath.WalkDir(filepath.Join("..", "..", root), func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "testdata" {
				return filepath.SkipDir
			}
			if d.IsDir() || !strings.HasSuffix(name, ".go") {
				return nil
			}
			s, err := read(name)
			all = append(all, s)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
})

func read(name string) (source, error) {
	f, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	rel := strings.TrimPrefix(filepath.ToSlash(name), "../../")
	s := source{
		path: rel, dir: path.Dir(rel), file: f,
		test:      strings.HasSuffix(rel, "_test.go"),
		generated: ast.IsGenerated(f),
		lines:     fset.Position(f.FileEnd).Line,
	}
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return s, err
		}
		s.imports = append(s.imports, p)
	}
	return s, nil
}

func sources(t *testing.T) []source {
	t.Helper()
	all, err := readAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d files found", len(all))
	}
	return all
}

// under tells whether dir is one of the patterns: a folder, or with /... also all below it.
func under(dir string, patterns []string) bool {
	for _, p := range patterns {
		base, deep := strings.CutSuffix(p, "/...")
		if dir == base || deep && strings.HasPrefix(dir, base+"/") {
			return true
		}
	}
	return false
}
