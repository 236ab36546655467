package main

import (
	"testing"

	"unionsync/internal/proc"
)

// TestTown: the recount reads from the three files what their makers put there.
func TestTown(t *testing.T) {
	root, err := proc.Root()
	if err != nil {
		t.Fatal(err)
	}
	town, err := newTown(root, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if u, c := town.perLevel("union"), town.perLevel("county"); u != 33 || c != 11 || town.perLevel("city") != 1 {
		t.Errorf("%d unions, %d counties", u, c)
	}
	third := town.offices[2]
	if third.rows != 111 || third.counts[rowAccept] != 78 || third.counts[rowNormalise] != 12 || third.counts[rowRefuse] != 21 {
		t.Errorf("messy roster: %d rows, %v", third.rows, third.counts)
	}
	good := 0
	for i, o := range town.offices {
		good += o.good()
		for _, r := range town.known.Rosters[i].Rows {
			if len(r.ID) != 18 || r.Sex == "" || r.Joined == "" {
				t.Fatalf("%s: a row that counts lacks something: sex %q, joined %q", o.file, r.Sex, r.Joined)
			}
		}
	}
	day := today()
	if got := town.known.Recount(day, nil)[""]; town.twice != 3 || got != good-town.twice {
		t.Errorf("%d members from %d good rows, %d persons twice", got, good, town.twice)
	}
}
