package main

import (
	"context"
	"fmt"
	"time"

	"unionsync/internal/proc"
)

// benchFirstSync enrols a second PC for a union of 10,000 members, as a real process: from the
// code that is typed to the last page in its store.
func benchFirstSync(ctx context.Context, e *env) (values, error) {
	if e.large == nil {
		if _, err := e.ingest(ctx); err != nil {
			return nil, err
		}
	}
	var took, peak samples
	for range min(e.o.runs, maxIngests) {
		t, kib, err := e.firstSync(ctx)
		if err != nil {
			return nil, err
		}
		e.say("first sync in %v, peak %d MiB", t.Round(time.Millisecond), kib/kibPerMiB)
		took.took(t, time.Second)
		peak.add(float64(kib) / kibPerMiB)
	}
	return values{"first_sync_10000": took.median(), "first_sync_rss": peak.median()}, nil
}

// firstSync gives a new PC the large union's records, and checks that it has them all.
func (e *env) firstSync(ctx context.Context) (time.Duration, int, error) {
	programs, err := e.built(ctx)
	if err != nil {
		return 0, 0, err
	}
	union, err := e.large.agent.Which("")
	if err != nil {
		return 0, 0, err
	}
	node := e.city.nodes.Nodes[0]
	code, err := node.Code(ctx, union)
	if err != nil {
		return 0, 0, err
	}
	dir := e.folder("pc")
	began := time.Now()
	kib, err := peakOf(ctx, programs.Agent, "enrol", "--centre", node.URL(), "--code", code, "--data", dir, "--json")
	took := time.Since(began)
	if err != nil {
		return 0, 0, err
	}
	s, err := proc.NewAgent(programs, union, dir).Status(ctx)
	if err == nil && (!s.Fetched || s.Records["member"] < len(e.large.members)) {
		err = fmt.Errorf("first sync: %+v, want %d members", s, len(e.large.members))
	}
	return took, kib, err
}
