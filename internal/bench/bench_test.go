package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// permanent are the names and units that readers of the output rely on, in its order.
const permanent = `save_p50 us
save_p99 us
import rows/s
exchange_idle ms
exchange_idle_requests n
exchange_idle_bytes B
exchange_5_bytes B
exchange_111_bytes B
ingest_one_agent records/s
agent_rss_111 MiB
agent_rss_10000 MiB
first_sync_10000 s
first_sync_rss MiB
count_111k ms
`

func TestFiguresArePermanent(t *testing.T) {
	var got strings.Builder
	for _, b := range benches {
		for _, f := range b.figures {
			fmt.Fprintln(&got, f.name, f.unit)
		}
	}
	if diff := cmp.Diff(permanent, got.String()); diff != "" {
		t.Error(diff)
	}
}

// TestFiguresAreDocumented: docs/benchmarks.md says of each figure what it is.
func TestFiguresAreDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names(benches) {
		if !strings.Contains(string(b), "`"+name+"`") {
			t.Errorf("docs/benchmarks.md does not name %s", name)
		}
	}
}

func TestPercentile(t *testing.T) {
	for _, tc := range []struct {
		why  string
		s    samples
		p    float64
		want float64
	}{
		{"one sample is every percentile", samples{3}, 99, 3},
		{"the middle one, whatever the order", samples{9, 1, 5}, 50, 5},
		{"two middle ones: their mean", samples{4, 1, 2, 3}, 50, 2.5},
		{"of 100, the 99th", upTo(100), 99, 99},
		{"of 1000, ten are above", upTo(1000), 99, 990},
		{"the last", upTo(10), 100, 10},
		{"the first", upTo(10), 0, 1},
	} {
		if got := tc.s.percentile(tc.p); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.why, got, tc.want)
		}
	}
	if !math.IsNaN(samples(nil).median()) {
		t.Error("the median of nothing is a number")
	}
}

func upTo(n int) samples {
	var s samples
	for i := n; i > 0; i-- {
		s.add(float64(i))
	}
	return s
}

func TestNumber(t *testing.T) {
	for x, want := range map[float64]string{
		1: "1", 4021: "4021", 0.1234: "0.12", 9.876: "9.88", 12.345: "12.3", 123.9: "124", 36600.4: "36600", 1e9: "1000000000",
	} {
		if got := number(x); got != want {
			t.Errorf("%v is written %s, want %s", x, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		why  string
		args []string
		ok   bool
		want options
	}{
		{"nothing said", nil, true, options{runs: defaultRuns}},
		{"quick is one run", []string{"-quick"}, true, options{runs: quickRuns, quick: true}},
		{"runs go before quick", []string{"-quick", "-runs", "3"}, true, options{runs: 3, quick: true}},
		{"two figures", []string{"-only", "import,count_111k"}, true, options{runs: defaultRuns, only: []string{"import", "count_111k"}}},
		{"a figure that is none", []string{"-only", "import,speed"}, false, options{}},
		{"less than nothing", []string{"-runs", "-1"}, false, options{}},
		{"an argument without a flag", []string{"import"}, false, options{}},
		{"an unknown flag", []string{"-fast"}, false, options{}},
	} {
		got, err := parse(tc.args, &bytes.Buffer{})
		if (err == nil) != tc.ok {
			t.Errorf("%s: error %v", tc.why, err)
		}
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(options{})); tc.ok && diff != "" {
			t.Errorf("%s: %s", tc.why, diff)
		}
	}
}

func fixed(v values, err error) func(context.Context, *env) (values, error) {
	return func(context.Context, *env) (values, error) { return v, err }
}

// TestMeasure: what is printed, and which outcomes are errors.
func TestMeasure(t *testing.T) {
	two := []figure{{"a", "ms"}, {"b", "n"}}
	for _, tc := range []struct {
		why  string
		b    bench
		only []string
		want string
		ok   bool
	}{
		{"both", bench{two, fixed(values{"a": 1.5, "b": 2}, nil)}, nil, "a 1.50 ms\nb 2 n\nlast 7 B\n", true},
		{"only what was asked for", bench{two, fixed(values{"a": 1.5, "b": 2}, nil)}, []string{"b"}, "b 2 n\n", true},
		{"one value is missing", bench{two, fixed(values{"a": 1.5}, nil)}, nil, "a 1.50 ms\nlast 7 B\n", false},
		{"nothing was measured", bench{two, fixed(values{"a": math.NaN(), "b": 1}, nil)}, nil, "last 7 B\n", false},
		{"nothing takes no time", bench{two, fixed(values{"a": 0, "b": 1}, nil)}, nil, "last 7 B\n", false},
		{"it failed, the others go on", bench{two, fixed(nil, errors.New("no disk"))}, nil, "last 7 B\n", false},
	} {
		var out, progress bytes.Buffer
		all := []bench{tc.b, {[]figure{{"last", "B"}}, fixed(values{"last": 7}, nil)}}
		err := measure(t.Context(), options{only: tc.only, dir: t.TempDir()}, all, &out, &progress)
		if (err == nil) != tc.ok {
			t.Errorf("%s: error %v", tc.why, err)
		}
		if diff := cmp.Diff(tc.want, out.String()); diff != "" {
			t.Errorf("%s: %s", tc.why, diff)
		}
	}
}

// TestMeasureLeavesNothing: the temporary folder is gone afterwards.
func TestMeasureLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	all := []bench{{[]figure{{"a", "n"}}, func(_ context.Context, e *env) (values, error) {
		return values{"a": 1}, os.WriteFile(e.folder("x"), []byte("x"), 0o600)
	}}}
	if err := measure(t.Context(), options{dir: dir}, all, &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

// TestQuick measures, with small inputs, what needs neither processes nor a centre.
func TestQuick(t *testing.T) {
	var out, progress bytes.Buffer
	status := run(t.Context(), []string{"-quick", "-dir", t.TempDir(), "-only", "save_p50,save_p99,import,count_111k"}, &out, &progress)
	want := regexp.MustCompile(`^save_p50 [0-9.]+ us\nsave_p99 [0-9.]+ us\nimport [0-9.]+ rows/s\ncount_111k [0-9.]+ ms\n$`)
	if status != statusGood || !want.MatchString(out.String()) {
		t.Errorf("status %d, output %q\n%s", status, out.String(), progress.String())
	}
}

// TestStatus: usage errors have a status of their own.
func TestStatus(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want int
	}{
		{[]string{"-h"}, statusGood},
		{[]string{"-only", "nothing"}, statusUsage},
		{[]string{"-quick", "-only", "count_111k", "-dir", "/no/such/folder"}, statusMissing},
	} {
		var out bytes.Buffer
		if got := run(t.Context(), tc.args, &out, &bytes.Buffer{}); got != tc.want || out.Len() > 0 {
			t.Errorf("%v: status %d, want %d; output %q", tc.args, got, tc.want, out.String())
		}
	}
}
