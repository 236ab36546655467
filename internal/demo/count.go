package main

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"unionsync/internal/proc"
	"unionsync/internal/testcity"
)

// numbers are those of a count's row.
type numbers struct {
	Members      int `json:"members"`
	InTransfer   int `json:"in_transfer"`
	Retained     int `json:"retained"`
	Duplicates   int `json:"duplicates"`
	WithoutEvent int `json:"without_event"`
}

// answer is what the demo reads of `union-server counts --json`.
type answer struct {
	Day      string `json:"day"`
	Position string `json:"position"`
	Rows     []struct {
		Keys []struct {
			Dimension string `json:"dimension"`
			Code      string `json:"code"`
			Zh        string `json:"zh"`
			En        string `json:"en"`
		} `json:"keys"`
		numbers
	} `json:"rows"`
	Total  numbers `json:"total"`
	Unions struct {
		Grassroots int `json:"grassroots"`
		Fresh      int `json:"fresh"`
		Late       int `json:"late"`
		Never      int `json:"never"`
		Proved     int `json:"proved"`
	} `json:"unions"`
}

// ask asks a node for a count.
func ask(ctx context.Context, n *proc.Node, day string, by ...string) (answer, error) {
	var a answer
	err := n.Ask(ctx, &a, "counts", "--day", day, "--by", strings.Join(by, ","))
	return a, err
}

// cells gives the members by the codes of their group.
func (a answer) cells() map[string]int {
	out := map[string]int{}
	for _, r := range a.Rows {
		var codes []string
		for _, k := range r.Keys {
			codes = append(codes, k.Code)
		}
		if r.Members > 0 {
			out[strings.Join(codes, " ")] = r.Members
		}
	}
	return out
}

// recount counts the input files, and what was done since, without the programs.
func (t *town) recount(day string, by ...string) map[string]int {
	var dims []testcity.Dim
	for _, d := range by {
		dims = append(dims, testcity.Dims[d])
	}
	return t.known.Recount(day, nil, dims...)
}

// compare asks every node that runs for a count and checks every cell of it.
func (d *demo) compare(ctx context.Context, day string, by ...string) (answer, error) {
	want := d.town.recount(day, by...)
	var last answer
	for _, n := range d.centre.Nodes {
		if !n.Up() {
			continue
		}
		a, err := ask(ctx, n, day, by...)
		if err != nil {
			return a, err
		}
		if err := sameCells(a.cells(), want); err != nil {
			return a, fmt.Errorf("count of %s by %s at %s: %w", day, strings.Join(by, " and "), n.ID, err)
		}
		last = a
	}
	total := 0
	for _, n := range want {
		total += n
	}
	who := fmt.Sprintf("count of %s by %s", day, strings.Join(by, " and "))
	return last, d.check(who, number{"groups", len(last.cells()), len(want)}, number{"members", last.Total.Members, total})
}

// sameCells says which group differs first.
func sameCells(got, want map[string]int) error {
	groups := map[string]bool{}
	for g := range got {
		groups[g] = true
	}
	for g := range want {
		groups[g] = true
	}
	var names []string
	for g := range groups {
		names = append(names, g)
	}
	sort.Strings(names)
	for _, g := range names {
		if got[g] != want[g] {
			return fmt.Errorf("group %q: the centre says %d, the recount of the input files says %d", g, got[g], want[g])
		}
	}
	return nil
}
