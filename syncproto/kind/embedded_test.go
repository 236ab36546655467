package kind_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func itoa(n int) string { return strconv.Itoa(n) }

// TestEmbedded: the files that the program is built with are good, rules included, so that
// Embedded never panics and no rule fails to compile in the field.
func TestEmbedded(t *testing.T) {
	files := map[string][]byte{}
	for _, f := range kind.Embedded().Files() {
		files[f.Name] = f.Data
	}
	s, err := kind.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]syncproto.KindNumber{
		"union": 1, "member": 2, "membership-event": 3, "congress-term": 4, "delegate": 5,
		"congress-session": 6, "motion": 7, "disclosure": 8, "org-unit": 9, "case": 10, "finding": 11,
	}
	if len(s.All()) != len(numbers) {
		t.Errorf("%d kinds, want %d", len(s.All()), len(numbers))
	}
	for name, n := range numbers {
		if k, ok := s.Kind(name); !ok || k.Number != n {
			t.Errorf("kind %s is not number %d", name, n)
		}
	}
}

// TestFieldNumbersArePermanent: numbers, types and merge classes of fields, and the codes of
// tables, are in records and changes for ever. A line of the golden file is never edited;
// new lines are added with go test -run Permanent -rewrite.
func TestFieldNumbersArePermanent(t *testing.T) {
	var b strings.Builder
	for _, k := range kind.Embedded().All() {
		fmt.Fprintf(&b, "kind %d %s append_only=%v\n", k.Number, k.Name, k.AppendOnly)
		for _, f := range k.Fields {
			fmt.Fprintf(&b, "  %d %s %s%s %s", f.Number, f.Name, f.Type, strings.TrimRight(" "+string(f.Elem), " "), f.Class)
			if f.Table != nil {
				fmt.Fprintf(&b, " %s", f.Table.Name)
			}
			b.WriteString(strings.TrimRight(" "+f.Ref, " ") + "\n")
		}
		for _, tb := range k.Tables {
			fmt.Fprintf(&b, "  table %s:", tb.Name)
			for _, c := range tb.Codes {
				fmt.Fprintf(&b, " %s=%s", c.Code, c.Zh)
			}
			b.WriteString("\n")
		}
	}
	const golden = "testdata/fields.golden"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestMergeClasses: identity and legal facts ask, telephones and addresses take the latest,
// sets merge by element, and what is not known asks.
func TestMergeClasses(t *testing.T) {
	m, _ := kind.Embedded().Kind("member")
	u, _ := kind.Embedded().Kind("union")
	for _, c := range []struct {
		k    *kind.Kind
		name string
		want syncproto.MergeClass
	}{
		{m, "id_no", syncproto.ClassAsk}, {m, "name", syncproto.ClassAsk}, {m, "mobile", syncproto.ClassLatest},
		{m, "union_post", syncproto.ClassSet}, {u, "address", syncproto.ClassLatest},
	} {
		f, _ := c.k.Field(c.name)
		if got := c.k.Class(f.Number); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, n := range []syncproto.FieldNumber{syncproto.FieldVoid, syncproto.FieldSameAs, 9999} {
		if m.Class(n) != syncproto.ClassAsk {
			t.Errorf("field %d does not ask", n)
		}
	}
}

// TestRulesHaveSources: a rule from memory or from another province never blocks.
func TestRulesHaveSources(t *testing.T) {
	for _, k := range kind.Embedded().All() {
		for _, r := range k.Rules {
			unsure := strings.Contains(r.Source, "未核实") || strings.Contains(r.Source, "不具约束力")
			if unsure && (r.Class == kind.ClassBlocks || r.Class == kind.ClassApproval) {
				t.Errorf("%s %s is of class %s on the word of %s", k.Name, r.ID, r.Class, r.Source)
			}
		}
	}
}

// TestConcurrentFirstUse: rules are compiled once however many goroutines check first.
func TestConcurrentFirstUse(t *testing.T) {
	files := map[string][]byte{}
	for _, f := range kind.Embedded().Files() {
		files[f.Name] = f.Data
	}
	k, _ := kind.Embedded().Kind("congress-term")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := k.Check(kind.Values{}, kind.Env{Today: "2026-11-23"}); len(got) == 0 {
				t.Error("an empty record passes")
			}
		})
	}
	wg.Wait()
}

// TestOwnFilesAreReadOnce: the files that the program was built with give the very set that it
// has, one byte more gives another; neither shares its bytes with the caller.
func TestOwnFilesAreReadOnce(t *testing.T) {
	files := map[string][]byte{}
	for _, f := range kind.Embedded().Files() {
		files[f.Name] = slices.Clone(f.Data)
	}
	if s, err := kind.LoadFiles(files); err != nil || s != kind.Embedded() {
		t.Errorf("the same files give another set: %v", err)
	}
	own := kind.Embedded().Files()[0]
	f, err := kind.ReadFile(own.Name, own.Data)
	if err != nil || f.Kind != own.Kind || f.Version != own.Version || &f.Data[0] == &own.Data[0] {
		t.Errorf("%s version %d, %v", f.Kind, f.Version, err)
	}
	files["another.yaml"] = []byte("kind: another\n")
	if s, err := kind.LoadFiles(files); s == kind.Embedded() {
		t.Errorf("more files give the same set: %v", err)
	}
	delete(files, "another.yaml")
	files[own.Name] = append(files[own.Name], '\n')
	if s, err := kind.LoadFiles(files); err != nil || s == kind.Embedded() {
		t.Errorf("other files give the same set: %v", err)
	}
	delete(files, own.Name)
	if s, err := kind.LoadFiles(files); s == kind.Embedded() {
		t.Errorf("fewer files give the same set: %v", err)
	}
}
