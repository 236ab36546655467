package kind

import (
	"bytes"
	"embed"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"unionsync/syncproto"
)

//go:embed files/*.yaml
var embedded embed.FS

// Set is all kinds that are known together: a reference or a companion names another kind
// of the same set. It is read only and safe for concurrent use.
type Set struct {
	kinds    []*Kind // by number
	byName   map[string]*Kind
	byNumber map[syncproto.KindNumber]*Kind
	files    []File
}

// File is a kind's file as it was read; the centre publishes these through its log.
type File struct {
	Kind    string
	Number  syncproto.KindNumber
	Version uint32
	Name    string // the file's name, as in member.yaml
	Data    []byte
}

// Embedded gives the kinds that this program was built with.
func Embedded() *Set { return loadEmbedded() }

// loadEmbedded reads the embedded files once. They are tested, so that it does not panic in
// a program that was released; their rules are compiled when first used.
var loadEmbedded = sync.OnceValue(func() *Set {
	sub, err := fs.Sub(embedded, "files")
	if err != nil {
		panic("kind: embedded files: " + err.Error())
	}
	files, err := readFiles(sub)
	if err != nil {
		panic("kind: embedded files: " + err.Error())
	}
	s, err := load(files)
	if err != nil {
		panic("kind: embedded files: " + err.Error())
	}
	return s
})

// Load reads all *.yaml files at the top of fsys and checks them, rules included. An error
// names file and line.
func Load(fsys fs.FS) (*Set, error) {
	files, err := readFiles(fsys)
	if err != nil {
		return nil, err
	}
	return LoadFiles(files)
}

// LoadFiles reads kind files, given by their names, like [Load]. For the files that this
// program was built with, byte by byte, it gives [Embedded]: to read them takes longer than
// all else that a program does when it starts.
func LoadFiles(files map[string][]byte) (*Set, error) {
	if s := Embedded(); s.isOf(files) {
		return s, nil
	}
	s, err := load(files)
	if err != nil {
		return nil, err
	}
	for _, k := range s.kinds {
		if err := k.compileRules(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// isOf reports whether the files are those of s, under the same names.
func (s *Set) isOf(files map[string][]byte) bool {
	return len(files) == len(s.files) && !slices.ContainsFunc(s.files, func(f File) bool {
		return !bytes.Equal(f.Data, files[f.Name])
	})
}

// readFiles reads the files' bytes.
func readFiles(fsys fs.FS) (map[string][]byte, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeInternal, "list kind files", err)
	}
	files := make(map[string][]byte, len(names))
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fileError(name, 0, "cannot be read", err)
		}
		files[name] = data
	}
	return files, nil
}

// Kind gives a kind by its name.
func (s *Set) Kind(name string) (*Kind, bool) {
	k, ok := s.byName[name]
	return k, ok
}

// ByNumber gives a kind by its number.
func (s *Set) ByNumber(n syncproto.KindNumber) (*Kind, bool) {
	k, ok := s.byNumber[n]
	return k, ok
}

// All gives the kinds by number.
func (s *Set) All() []*Kind { return slices.Clone(s.kinds) }

// Files gives the files as they were read, by kind number.
func (s *Set) Files() []File { return slices.Clone(s.files) }

// Find gives a kind by its name, or an error for a person.
func (s *Set) Find(name string) (*Kind, error) {
	if k, ok := s.byName[name]; ok {
		return k, nil
	}
	return nil, syncproto.Fail(syncproto.CodeUnknownKind, "find kind", nil, "kind", shorten(name))
}

// Find gives a field by its name, or an error for a person.
func (k *Kind) Find(name string) (*Field, error) {
	if f, ok := k.byName[name]; ok {
		return f, nil
	}
	return nil, syncproto.Fail(syncproto.CodeUnknownName, "find field", nil,
		"kind", k.Name, "field", shorten(name))
}

// shorten keeps a typed name short enough for a sentence.
func shorten(s string) string {
	const most = 40
	s = strings.ToValidUTF8(s, "?")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
