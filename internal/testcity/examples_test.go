package testcity

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write the files in examples/")

// TestExamples: the files that README's quick start works with are this city's.
func TestExamples(t *testing.T) {
	c := New(2026, Options{Counties: 3, Unions: 3, Members: 24})
	files := []struct {
		name   string
		cells  [][]string
		format Format
	}{
		{"units.csv", c.OrgTable(), CSV},
		{"roster-330702-00001.xlsx", c.Rosters[0].Table(), XLSX},
		{"roster-330782-00001.csv", c.Rosters[1].Table(), CSVBOM},
		{"roster-330783-00001.gb18030.csv", c.Rosters[2].Table(), GB18030},
	}
	for _, f := range files {
		name := filepath.Join("..", "..", "examples", f.name)
		want, err := Encode(f.cells, f.format)
		if err != nil {
			t.Fatal(err)
		}
		if *rewrite {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if f.format != XLSX && !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes: run with -rewrite", f.name)
		}
		if diff := cmp.Diff(f.cells, decode(t, got, f.format)); f.name != "units.csv" && diff != "" {
			t.Errorf("%s (-want +got)\n%s", f.name, diff)
		}
	}
}
