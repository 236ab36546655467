package census

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"unionsync/syncproto"
	"unionsync/syncproto/kind"
	"unionsync/syncproto/merge"
)

// Source is where the census reads records. Its methods are called one at a time. A record
// given to do may be used until do returns; the error of do ends the call.
type Source interface {
	// Scan gives every record of these kinds, once, in any order and all of one moment, and
	// the position of that moment.
	Scan(kinds []syncproto.KindNumber, do Do) (syncproto.Position, error)
	// Since gives each record of these kinds that a change above after touched, once, as it
	// stands at the position returned, and that position. It may stop before the newest
	// position; the steps that it makes are the moments of which the census can say what was
	// known then.
	Since(after syncproto.Position, kinds []syncproto.KindNumber, do Do) (syncproto.Position, error)
	// Wait returns nil once there is a position above after, or ctx's error.
	Wait(ctx context.Context, after syncproto.Position) error
}

// Do takes one record.
type Do = func(union string, key syncproto.RecordKey, r *merge.Record) error

// Config is what a census needs.
type Config struct {
	Source Source
	Kinds  *kind.Set
	Key    []byte // the city's key under which persons are named; at least MinKeyBytes
	Log    *slog.Logger
}

// MinKeyBytes is the least that the key of persons may have.
const MinKeyBytes = 16

// Census counts members. Make it with [New], let [Census.Run] follow the source, ask with
// [Census.Count].
type Census struct {
	source Source
	schema *schema
	key    []byte
	log    *slog.Logger

	mu      sync.RWMutex
	book    *book         // guarded by mu; nil until the first reading is complete
	stepped chan struct{} // guarded by mu; closed at each step, then replaced
}

// New makes a census that knows nothing yet.
func New(c Config) (*Census, error) {
	if len(c.Key) < MinKeyBytes {
		return nil, fmt.Errorf("new census: key of %d bytes, want at least %d", len(c.Key), MinKeyBytes)
	}
	s, err := newSchema(c.Kinds)
	if err != nil {
		return nil, err
	}
	return &Census{source: c.Source, schema: s, key: c.Key, log: c.Log, stepped: make(chan struct{})}, nil
}

// Run reads all records and then follows the source until ctx ends or the source fails.
// Called again it reads everything anew; until that is complete the earlier rows answer.
// What was known before the position of the first reading cannot be asked.
func (c *Census) Run(ctx context.Context) error {
	p := newPeople(c.schema, c.key)
	b := new(book)
	head, err := c.source.Scan(c.schema.kinds(), c.put(ctx, p))
	if err != nil {
		return fmt.Errorf("census: scan: %w", err)
	}
	b.turn(p.settle(0, b.rows.row), p.unions.codes, head)
	c.publish(func() { c.book = b })
	c.log.Info("census ready", "position", head.String(), "rows", b.rows.len(), "members", p.members.len(), "events", p.events.len())
	for {
		if err := c.source.Wait(ctx, head); err != nil {
			return fmt.Errorf("census: wait: %w", err)
		}
		next, err := c.source.Since(head, c.schema.kinds(), c.put(ctx, p))
		if err != nil {
			return fmt.Errorf("census: follow: %w", err)
		}
		if next <= head {
			return fmt.Errorf("census: follow: source went from %s to %s", head, next)
		}
		change := p.settle(int32(b.rows.len()), b.rows.row)
		c.publish(func() { b.turn(change, p.unions.codes, next) })
		head = next
	}
}

// put gives what takes the source's records.
func (c *Census) put(ctx context.Context, p *people) Do {
	return func(union string, key syncproto.RecordKey, r *merge.Record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.put(union, key, r)
		return nil
	}
}

// publish makes a step visible and wakes who waits for it.
func (c *Census) publish(step func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	step()
	close(c.stepped)
	c.stepped = make(chan struct{})
}

// Ready reports whether the first reading is complete.
func (c *Census) Ready() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.book != nil
}

// Position gives the position up to which everything is counted; 0 until ready.
func (c *Census) Position() syncproto.Position {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.position()
}

// position is Position under mu.
func (c *Census) position() syncproto.Position {
	if c.book == nil {
		return 0
	}
	return c.book.head
}

// WaitFor returns nil once everything up to position p is counted and the census is ready,
// or ctx's error.
func (c *Census) WaitFor(ctx context.Context, p syncproto.Position) error {
	for {
		c.mu.RLock()
		reached, stepped := c.book != nil && c.position() >= p, c.stepped
		c.mu.RUnlock()
		if reached {
			return nil
		}
		select {
		case <-stepped:
		case <-ctx.Done():
			return fmt.Errorf("census: wait for %s: %w", p, ctx.Err())
		}
	}
}
