package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"unionsync/internal/proc"
)

const (
	kibPerMiB = 1 << 10
	// lookEvery is short against what a command takes. A peak never falls, so only what the
	// very last moment of a process adds is missed.
	lookEvery = time.Millisecond
)

// benchSmallAgent measures the memory of an agent with the average union.
func benchSmallAgent(ctx context.Context, e *env) (values, error) {
	p, err := e.average(ctx)
	if err != nil {
		return nil, err
	}
	peak, err := e.peaks(ctx, p)
	return values{"agent_rss_111": peak}, err
}

// benchLargeAgent measures the memory of an agent with 10,000 members.
func benchLargeAgent(ctx context.Context, e *env) (values, error) {
	if e.large == nil {
		if _, err := e.ingest(ctx); err != nil {
			return nil, err
		}
	}
	peak, err := e.peaks(ctx, e.large)
	return values{"agent_rss_10000": peak}, err
}

// peaks runs a day's commands as real processes, some times over, and gives the median of
// the days' largest peaks in MiB.
func (e *env) peaks(ctx context.Context, p *pc) (float64, error) {
	programs, err := e.built(ctx)
	if err != nil {
		return 0, err
	}
	var all samples
	for run := range e.o.runs {
		largest, said := 0, ""
		for _, args := range p.day(run) {
			kib, err := peakOf(ctx, programs.Agent, append(args, "--data", p.dir, "--json")...)
			if err != nil {
				return 0, err
			}
			largest = max(largest, kib)
			said += fmt.Sprintf(" %s %d", args[0], kib/kibPerMiB)
		}
		e.say("peaks in MiB:%s", said)
		all.add(float64(largest) / kibPerMiB)
	}
	return all.median(), nil
}

// day is what a PC does on a day: it lists a page, saves, delivers, and syncs idle.
func (p *pc) day(run int) [][]string {
	id := p.members[run%len(p.members)].String()
	return [][]string{
		{"list", "member", "--limit", "20"},
		{"set", "member", id, "mobile=" + phone(100+run)},
		{"sync"},
		{"sync"},
		{"status"},
	}
}

// peakOf runs a command and gives the largest resident memory in KiB that it was seen with.
func peakOf(ctx context.Context, path string, args ...string) (int, error) {
	p, err := proc.Start(args[0], "", path, args...)
	if err != nil {
		return 0, err
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	peak, seen := 0, error(nil)
	for {
		select {
		case <-p.Ended():
			if status := p.Status(); status != 0 {
				return 0, fmt.Errorf("%s: exit status %d\n%s", proc.Line(path, args...), status, p.Tail(20))
			}
			if peak == 0 {
				return 0, fmt.Errorf("%s: its memory was never seen: %w", args[0], seen)
			}
			return peak, nil
		case <-ctx.Done():
			return 0, errors.Join(fmt.Errorf("%s: %w", args[0], context.Cause(ctx)), p.Kill())
		case <-look.C:
			kib, err := peakKiB(p.PID())
			if err != nil {
				seen = err // between its last moment and its end
			}
			peak = max(peak, kib)
		}
	}
}
