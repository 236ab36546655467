package layers

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Hard stops; the aim is 120 and 10.
const (
	maxFileLines     = 600
	maxFunctionLines = 80
)

// TestSizes fails on files and functions that nobody can read in one go.
func TestSizes(t *testing.T) {
	for _, s := range sources(t) {
		if s.generated {
			continue
		}
		if s.lines > maxFileLines {
			t.Errorf("%s has %d lines, at most %d", s.path, s.lines, maxFileLines)
		}
		if s.test {
			continue // a table of cases is long and still plain
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1; n > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, at most %d", s.path, f.Name.Name, n, maxFunctionLines)
			}
		}
	}
}

// TestPackageComments: each package says what it owns and what it never imports.
func TestPackageComments(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		documented[s.dir] = documented[s.dir] || s.file.Doc != nil || s.generated
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// TestExportedAreDocumented: every exported identifier has a comment of its own, or of the
// group that it stands in.
func TestExportedAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.generated || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s is exported and has no comment", s.path, name)
			}
		}
	}
}

func undocumented(d ast.Decl) []string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		var names []string
		for _, spec := range d.Specs {
			names = append(names, undocumentedSpec(spec, d.Doc != nil)...)
		}
		return names
	}
	return nil
}

func undocumentedSpec(spec ast.Spec, group bool) []string {
	var names []string
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() && spec.Doc == nil && spec.Comment == nil && !group {
			names = append(names, spec.Name.Name)
		}
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			if name.IsExported() && spec.Doc == nil && spec.Comment == nil && !group {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	e := f.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// TestGoroutinesHaveAnOwner: a go statement stands in a function named Run or run…, which
// waits for what it starts; everything else uses errgroup.
func TestGoroutinesHaveAnOwner(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.generated {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil || strings.HasPrefix(strings.ToLower(f.Name.Name), "run") {
				continue
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if g, ok := n.(*ast.GoStmt); ok {
					t.Errorf("%s: go statement in %s", fset.Position(g.Pos()), f.Name.Name)
				}
				return true
			})
		}
	}
}

// TestTestsNeitherSleepNorSkip: a sleeping test is slow or flaky, a skipped one proves nothing.
func TestTestsNeitherSleepNorSkip(t *testing.T) {
	banned := map[string]bool{"time.Sleep": true, "t.Skip": true, "t.Skipf": true, "t.SkipNow": true}
	for _, s := range sources(t) {
		if !s.test {
			continue
		}
		forEachSelector(s, func(name, at string) {
			if banned[name] {
				t.Errorf("%s: %s in a test", at, name)
			}
		})
	}
}

// TestNoGlobalLogger: loggers are passed in.
func TestNoGlobalLogger(t *testing.T) {
	for _, s := range sources(t) {
		for _, imp := range s.imports {
			if imp == "log" && !s.generated {
				t.Errorf("%s imports log: pass in a *slog.Logger", s.path)
			}
		}
		forEachSelector(s, func(name, at string) {
			switch name {
			case "slog.SetDefault", "slog.Info", "slog.Warn", "slog.Error", "slog.Debug", "slog.Default":
				t.Errorf("%s: %s: pass in a *slog.Logger", at, name)
			}
		})
	}
}

// forEachSelector calls look with each pkg.Name (or variable.Name) in the file.
func forEachSelector(s source, look func(name, at string)) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok {
			look(x.Name+"."+sel.Sel.Name, fset.Position(sel.Pos()).String())
		}
		return true
	})
}

// leftover matches work that was put off, and paths of somebody's machine.
var leftover = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b|(^|[\s"'` + "`" + `(])/(work|home|root)/`)

// TestNothingIsLeftOver reads every text of the project.
func TestNothingIsLeftOver(t *testing.T) {
	for _, root := range append([]string{"docs", ".ci", "Makefile", "README.md", "README.zh-CN.md", "CHANGELOG.md"}, roots...) {
		err := filepath.WalkDir(filepath.Join("..", "..", root), func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if !textual(name) {
				return nil
			}
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			for i, line := range strings.Split(string(b), "\n") {
				if found := leftover.FindString(line); found != "" {
					t.Errorf("%s:%d: %q", name, i+1, found)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func textual(name string) bool {
	switch filepath.Ext(name) {
	case ".go", ".md", ".yaml", ".yml", ".proto", ".sh", ".txt", "":
		return !strings.Contains(filepath.ToSlash(name), "/testdata/")
	default:
		return false
	}
}
