package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// figure is one number that is printed. Names and units are permanent.
type figure struct{ name, unit string }

// values are what a bench came to, by the figure's name.
type values map[string]float64

// bench measures figures that share their preparation.
type bench struct {
	figures []figure
	run     func(context.Context, *env) (values, error)
}

// benches are all benches in the order in which they are printed.
var benches = []bench{
	{[]figure{{"save_p50", "us"}, {"save_p99", "us"}}, benchSave},
	{[]figure{{"import", "rows/s"}}, benchImport},
	{[]figure{{"exchange_idle", "ms"}, {"exchange_idle_requests", "n"}, {"exchange_idle_bytes", "B"}}, benchIdle},
	{[]figure{{"exchange_5_bytes", "B"}}, benchFive},
	{[]figure{{"exchange_111_bytes", "B"}}, benchRoster},
	{[]figure{{"ingest_one_agent", "records/s"}}, benchIngest},
	{[]figure{{"agent_rss_111", "MiB"}}, benchSmallAgent},
	{[]figure{{"agent_rss_10000", "MiB"}}, benchLargeAgent},
	{[]figure{{"first_sync_10000", "s"}, {"first_sync_rss", "MiB"}}, benchFirstSync},
	{[]figure{{"count_111k", "ms"}}, benchCount},
}

func names(all []bench) []string {
	var out []string
	for _, b := range all {
		out = append(out, b.names()...)
	}
	return out
}

func (b bench) names() []string {
	var out []string
	for _, f := range b.figures {
		out = append(out, f.name)
	}
	return out
}

func (b bench) wanted(only []string) bool {
	return len(only) == 0 || slices.ContainsFunc(b.figures, func(f figure) bool { return slices.Contains(only, f.name) })
}

// print writes the figures that are asked for; one without a value is an error.
func (b bench) print(w io.Writer, only []string, v values) error {
	for _, f := range b.figures {
		if len(only) > 0 && !slices.Contains(only, f.name) {
			continue
		}
		x, ok := v[f.name]
		if !ok || math.IsNaN(x) || math.IsInf(x, 0) || x <= 0 {
			return fmt.Errorf("%s was not measured: %v", f.name, x)
		}
		if _, err := fmt.Fprintf(w, "%s %s %s\n", f.name, number(x), f.unit); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}

// number writes x with about three digits, and never in exponents.
func number(x float64) string {
	switch {
	case x == math.Trunc(x) || x >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}
