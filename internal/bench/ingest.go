package main

import (
	"context"
	"time"
)

const (
	largeMembers      = 10_000
	quickLargeMembers = 300
	maxIngests        = 3 // of the dear ones three are enough
)

// benchIngest delivers 10,000 members with their joining events from one agent to three
// nodes.
func benchIngest(ctx context.Context, e *env) (values, error) {
	var rate samples
	for range min(e.o.runs, maxIngests) {
		r, err := e.ingest(ctx)
		if err != nil {
			return nil, err
		}
		rate.add(r)
	}
	return values{"ingest_one_agent": rate.median()}, nil
}

// ingest fills a new PC with many members and gives the records that it delivered a second.
// The PC stays for whoever needs a large one.
func (e *env) ingest(ctx context.Context) (float64, error) {
	members := e.pick(largeMembers, quickLargeMembers)
	c, p, err := e.deliver(ctx, members)
	if err != nil {
		return 0, err
	}
	e.large = p
	e.say("%d records in %v, %d requests", c.result.Sent, c.took.Round(time.Millisecond), c.traffic.Requests)
	return float64(c.result.Sent) / c.took.Seconds(), nil
}
