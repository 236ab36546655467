package protodoc

import (
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write the examples of docs/protocol.md anew")

const pageFile = "../../docs/protocol.md"

// fence is a labelled block: three backquotes, a language, the label, the text.
var fence = regexp.MustCompile("(?ms)^```(json|hex|text) ([a-z][a-z. -]*)\n(.*?)^```$")

// page is docs/protocol.md, taken apart.
type page struct {
	t      *testing.T
	text   string
	values map[string]string // what is given, by label
	shown  map[string]string // what follows from it, by label
	used   map[string]bool
}

func readPage(t *testing.T) *page {
	t.Helper()
	b, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{t: t, text: string(b), values: map[string]string{}, shown: map[string]string{}, used: map[string]bool{}}
	for _, m := range fence.FindAllStringSubmatch(p.text, -1) {
		into := p.shown
		if m[1] == "json" {
			into = p.values
		}
		if _, twice := into[m[2]]; twice {
			t.Fatalf("two blocks are labelled %q", m[2])
		}
		into[m[2]] = m[3]
	}
	return p
}

// value reads a block of values.
func (p *page) value(label string, into any) {
	p.t.Helper()
	text, ok := p.values[label]
	if !ok {
		p.t.Fatalf("the page gives no values %q", label)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		p.t.Fatalf("values %q: %v", label, err)
	}
	p.used[label] = true
}

// check compares an example of the page with what the code makes of the page's values.
func (p *page) check(label, got string) {
	p.t.Helper()
	want, ok := p.shown[label]
	p.used[label] = true
	switch {
	case !ok:
		p.t.Errorf("the page has no example %q", label)
	case want == got:
	case *rewrite:
		head := regexp.MustCompile("(?ms)^(```(?:hex|text) " + regexp.QuoteMeta(label) + "\n)(.*?)^```$")
		p.text = head.ReplaceAllStringFunc(p.text, func(s string) string {
			return s[:strings.Index(s, "\n")+1] + got + "```"
		})
	default:
		p.t.Errorf("example %q (-page +code):\n%s", label, cmp.Diff(want, got))
	}
}

// end fails for a block that nothing was compared with.
func (p *page) end() {
	p.t.Helper()
	for _, blocks := range []map[string]string{p.values, p.shown} {
		for label := range blocks {
			if !p.used[label] {
				p.t.Errorf("nothing checks the block %q", label)
			}
		}
	}
	if !*rewrite {
		return
	}
	if err := os.WriteFile(pageFile, []byte(p.text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}
