package text

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"unionsync/syncproto"
)

const root = "../.."

// declaredCodes reads the Code constants of syncproto from its source. Types of other
// packages stay unresolved, which constants do not mind.
func declaredCodes(t *testing.T) map[string]syncproto.Code {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "syncproto", "code*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	conf := types.Config{Error: func(error) {}}
	pkg, _ := conf.Check("syncproto", fset, parsed, nil) // errors are the missing imports
	codes := map[string]syncproto.Code{}
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if !ok || !strings.HasPrefix(name, "Code") {
			continue
		}
		n, ok := constant.Uint64Val(constant.ToInt(c.Val()))
		if !ok {
			t.Errorf("%s is not a number", name)
		}
		codes[name] = syncproto.Code(n)
	}
	if codes["CodeInternal"] != syncproto.CodeInternal || len(codes) < 4 {
		t.Fatalf("the source gives only %v", codes)
	}
	return codes
}

// TestEveryCodeHasASentence: what the other end or a person can meet is never a bare number.
func TestEveryCodeHasASentence(t *testing.T) {
	codes, c := declaredCodes(t), Builtin()
	numbers := map[syncproto.Code]string{}
	for name, n := range codes {
		if other, twice := numbers[n]; twice {
			t.Errorf("%s and %s are both %d", name, other, n)
		}
		numbers[n] = name
		if _, ok := c.codes[n]; !ok {
			t.Errorf("%s (%d) has no sentence in catalogue/", name, n)
		}
	}
	for _, n := range c.Codes() {
		if numbers[n] == "" {
			t.Errorf("code %d has a sentence but no constant in syncproto/code*.go", n)
		}
	}
}

// TestSentencesEndLikeSentences: a person reads them one after the other.
func TestSentencesEndLikeSentences(t *testing.T) {
	c := Builtin()
	for _, n := range c.Codes() {
		e := c.codes[n]
		if strings.HasPrefix(e.ZH, "{") {
			continue // a rule of a kind file speaks for itself
		}
		if !strings.HasSuffix(e.ZH, "。") {
			t.Errorf("code %d: the Chinese sentence does not end with 。", n)
		}
		if !strings.HasSuffix(e.EN, ".") {
			t.Errorf("code %d: the English sentence does not end with a full stop", n)
		}
	}
}

// TestCallsFillTheirSentence looks at every call of syncproto.Fail whose arguments stand
// there literally: it must fill each placeholder of its code's sentence and hint.
func TestCallsFillTheirSentence(t *testing.T) {
	codes, c := declaredCodes(t), Builtin()
	calls := 0
	forEachFile(t, func(fset *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || calledName(call) != "Fail" || len(call.Args) < 3 {
				return true
			}
			code, ok := codes[lastName(call.Args[0])]
			if !ok || call.Ellipsis.IsValid() {
				return true
			}
			calls++
			keys, literal := literalKeys(call.Args[3:])
			for _, p := range c.Placeholders(code) {
				if literal && !slices.Contains(keys, p) {
					t.Errorf("%s: E%d is raised without {%s}", fset.Position(call.Pos()), code, p)
				}
			}
			return true
		})
	})
	t.Logf("%d calls looked at", calls)
}

// TestIDsExist looks at every literal id that is given to Of, T or Word: it must exist.
func TestIDsExist(t *testing.T) {
	c := Builtin()
	forEachFile(t, func(fset *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			arg, ok := map[string]int{"Of": 1, "T": 0}[calledName(call)]
			if !ok || len(call.Args) <= arg {
				return true
			}
			id, ok := literalString(call.Args[arg])
			if _, known := c.words[id]; ok && strings.Contains(id, ".") && !known {
				t.Errorf("%s: no words with the id %q", fset.Position(call.Pos()), id)
			}
			return true
		})
	})
}

// forEachFile parses the project's own files, without tests and generated ones.
func forEachFile(t *testing.T, look func(*token.FileSet, *ast.File)) {
	t.Helper()
	fset := token.NewFileSet()
	for _, dir := range []string{"agent", "server", "syncproto", "internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			if !ast.IsGenerated(f) {
				look(fset, f)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func calledName(call *ast.CallExpr) string { return lastName(call.Fun) }

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	default:
		return ""
	}
}

// literalKeys gives every other argument from the first; literal is false if one of them
// does not stand there as a string.
func literalKeys(args []ast.Expr) (keys []string, literal bool) {
	for i := 0; i < len(args); i += 2 {
		key, ok := literalString(args[i])
		if !ok {
			return nil, false
		}
		keys = append(keys, key)
	}
	return keys, true
}

func literalString(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}
