package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"unionsync/internal/proc"
)

// ingest delivers the city; it is in when all three nodes have applied it.
func (l *lab) ingest(ctx context.Context) error {
	leader, err := l.centre.Leader(ctx)
	if err != nil {
		return err
	}
	for _, n := range l.centre.Nodes {
		l.memory.add(n.ID, n.PID())
	}
	l.say("delivering %d records, %d MiB packed, to %s", l.city.records, l.city.end>>20, leader.ID)
	profiled := l.profile(ctx, leader)
	began, told := time.Now(), int64(0)
	again, err := l.city.feed(ctx, leader.URL(), func(in int64) {
		if step := in * 10 / int64(l.city.records); step > told {
			told = step // off by one at worst
			l.say("%d records in, %.0f a second; %s", in, float64(in)/time.Since(began).Seconds(), l.memory)
		}
	})
	if err != nil {
		return err
	}
	answered := time.Since(began)
	if err := l.centre.Level(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	l.say("answered after %v, applied by all nodes after %v, %d requests sent again", answered, took, again)
	if now, err := l.centre.Leader(ctx); err != nil {
		return err
	} else if now != leader {
		l.say("%s lost its leadership meanwhile, %s leads now", leader.ID, now.ID)
	}
	l.say("processor time a record: %s", l.memory.costs(l.city.records))
	if err := profiled(); err != nil {
		return err
	}
	return l.print("city_ingest", float64(l.city.records)/took.Seconds(), "records/s")
}

// follower gives a node that does not lead.
func (l *lab) follower(ctx context.Context) (*proc.Node, error) {
	leader, err := l.centre.Leader(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range l.centre.Nodes {
		if n != leader {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no node follows %s", leader.ID)
}

// snapshotLog makes a node take a snapshot soon after its start.
const snapshotLog = "UNIONSYNC_SNAPSHOT_LOG"

// restart kills a follower and measures how long it takes until an agent can come to it. From
// then on it takes snapshots early.
func (l *lab) restart(ctx context.Context) error {
	n, err := l.follower(ctx)
	if err != nil {
		return err
	}
	if err := n.Kill(); err != nil {
		return err
	}
	if err := os.Setenv(snapshotLog, "1MiB"); err != nil {
		return fmt.Errorf("set when snapshots are taken: %w", err)
	}
	began := time.Now()
	if err := n.Start(ctx); err != nil {
		return err
	}
	body, err := l.city.body(0)
	if err != nil {
		return err
	}
	if _, _, err := l.city.devices[0].insist(ctx, n.URL(), body); err != nil {
		return err
	}
	took := time.Since(began)
	l.say("%s was killed, and answered an exchange %v after its start", n.ID, took)
	l.memory.add(n.ID, n.PID())
	return l.print("city_restart", took.Seconds(), "s")
}

// taken is what a node writes of a snapshot.
var taken = regexp.MustCompile(`snapshot taken.* elapsed=(\S+)`)

// snapshotPatience is how long a snapshot may take to begin and end.
const snapshotPatience = 5 * time.Minute

// snapshot waits for the snapshot of the node that was restarted, then until its store has
// compacted, and measures both.
func (l *lab) snapshot(ctx context.Context) error {
	n, err := l.follower(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, snapshotPatience)
	defer cancel()
	from := time.Now()
	var took time.Duration
	err = proc.Poll(ctx, "a snapshot", func() error {
		m := taken.FindAllStringSubmatch(n.Tail(1000), -1)
		if len(m) == 0 {
			return fmt.Errorf("none after %v", time.Since(from))
		}
		took, err = time.ParseDuration(m[len(m)-1][1])
		return err
	})
	if err != nil {
		return err
	}
	if err := l.print("city_snapshot", took.Seconds(), "s"); err != nil {
		return err
	}
	bytes, err := l.settled(ctx, n)
	if err != nil {
		return err
	}
	return l.print("city_disk", float64(bytes)/float64(l.city.records), "B/record")
}

// settled gives what a node's folder takes on disk once that does not move any more.
func (l *lab) settled(ctx context.Context, n *proc.Node) (bytes int64, err error) {
	const still = 5
	for last, same := int64(-1), 0; same < still; {
		bytes = 0
		var parts []string
		for _, part := range []string{"ledger", "raft/log", "raft/snapshots", "."} {
			b, err := used(filepath.Join(n.Data, part))
			if err != nil {
				return 0, err
			}
			parts = append(parts, fmt.Sprintf("%s %d MiB", part, b>>20))
			bytes = b
		}
		if same++; bytes != last {
			last, same = bytes, 0
		} else if same == still {
			l.say("%s has on disk: %s", n.ID, strings.Join(parts, ", "))
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return bytes, nil
}

// install lets the node with the snapshot lead, and measures how long a new node takes to be a
// ready voter.
func (l *lab) install(ctx context.Context) error {
	n, err := l.follower(ctx)
	if err != nil {
		return err
	}
	if err := n.Ask(ctx, nil, "cluster", "transfer", n.ID); err != nil {
		return err
	}
	if _, err := l.centre.Leader(ctx); err != nil {
		return err
	}
	began := time.Now()
	fresh, err := l.centre.Add(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began)
	l.memory.add(fresh.ID, fresh.PID())
	if err := l.centre.Level(ctx); err != nil {
		return err
	}
	return l.print("city_install", took.Seconds(), "s")
}

// leave ends the nodes, so that the plain ones have the machine, and gives their peak memory.
func (l *lab) leave(context.Context) error {
	peak, err := l.memory.peak()
	if err != nil {
		return err
	}
	l.say("memory: %s", l.memory)
	if err := l.centre.Kill(); err != nil {
		return err
	}
	return l.print("city_rss", float64(peak)/kibPerMiB, "MiB")
}
