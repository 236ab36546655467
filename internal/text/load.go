package text

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"unionsync/syncproto"
)

//go:embed catalogue/*.yaml
var files embed.FS

// Catalogue is a checked set of messages. The zero value is not usable: see [Load].
type Catalogue struct {
	codes map[syncproto.Code]entry
	words map[string]entry
}

// entry is one message as the files have it.
type entry struct {
	Code   syncproto.Code `yaml:"code"`
	ID     string         `yaml:"id"`
	ZH     string         `yaml:"zh"`
	EN     string         `yaml:"en"`
	HintZH string         `yaml:"hint_zh"`
	HintEN string         `yaml:"hint_en"`
}

// Builtin gives the catalogue that the program carries. A test loads it, so a broken one
// is never built into a release.
var Builtin = sync.OnceValue(func() *Catalogue {
	c, err := Load(files)
	if err != nil {
		panic("built-in catalogue: " + err.Error())
	}
	return c
})

// Load reads catalogue/*.yaml and gives all that is wrong with the files at once.
func Load(fsys fs.FS) (*Catalogue, error) {
	names, err := fs.Glob(fsys, "catalogue/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("load catalogue: %w", err)
	}
	c := &Catalogue{codes: map[syncproto.Code]entry{}, words: map[string]entry{}}
	var faults []error
	for _, name := range names {
		entries, err := read(fsys, name)
		faults = append(faults, err)
		for _, e := range entries {
			if err := c.add(e); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("load catalogue: %w", err)
	}
	return c, nil
}

func read(fsys fs.FS, name string) ([]entry, error) {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	var entries []entry
	err = yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&entries)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return entries, nil
}

// add checks e and puts it under its code or id.
func (c *Catalogue) add(e entry) error {
	if err := e.check(); err != nil {
		return fmt.Errorf("%s: %w", e.name(), err)
	}
	_, twice := c.words[e.ID]
	if e.ID == "" {
		_, twice = c.codes[e.Code]
	}
	if twice {
		return fmt.Errorf("%s: given twice", e.name())
	}
	if e.ID != "" {
		c.words[e.ID] = e
	} else {
		c.codes[e.Code] = e
	}
	return nil
}

func (e entry) name() string {
	if e.ID != "" {
		return "id " + e.ID
	}
	return fmt.Sprintf("code %d", e.Code)
}

func (e entry) check() error {
	switch {
	case (e.Code == 0) == (e.ID == ""):
		return errors.New("needs either a code or an id")
	case e.ZH == "" || e.EN == "":
		return errors.New("needs both languages")
	case (e.HintZH == "") != (e.HintEN == ""):
		return errors.New("needs the hint in both languages")
	case !maps.Equal(shared(e.ZH, Chinese), shared(e.EN, English)):
		return errors.New("the languages have different placeholders")
	case !maps.Equal(shared(e.HintZH, Chinese), shared(e.HintEN, English)):
		return errors.New("the hints have different placeholders")
	}
	return nil
}

var placeholder = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)

func placeholders(s string) map[string]bool {
	set := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatch(s, -1) {
		set[m[1]] = true
	}
	return set
}

// shared gives the placeholders of a text in lang, those that hold a word of this language
// ({label_zh} and {label_en}, or {zh} and {en}) under one name.
func shared(s string, lang Lang) map[string]bool {
	set := map[string]bool{}
	for p := range placeholders(s) {
		set[strings.TrimSuffix("_"+p, "_"+string(lang))] = true
	}
	return set
}

// Codes gives the codes that have a sentence, in order.
func (c *Catalogue) Codes() []syncproto.Code { return slices.Sorted(maps.Keys(c.codes)) }

// IDs gives the ids of the words, in order.
func (c *Catalogue) IDs() []string { return slices.Sorted(maps.Keys(c.words)) }

// Placeholders gives the placeholders of a code's sentence and hint in both languages, in
// order.
func (c *Catalogue) Placeholders(code syncproto.Code) []string {
	e := c.codes[code]
	return slices.Sorted(maps.Keys(placeholders(e.ZH + e.HintZH + e.EN + e.HintEN)))
}
