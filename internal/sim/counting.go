package sim

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"unionsync/server/census"
	"unionsync/server/ledger"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// counting is a census that follows the first replica, step by step when it is told to: it
// works while the world waits, so that the world stays one thread.
type counting struct {
	c    *census.Census
	l    *ledger.Ledger
	step chan struct{}
	end  context.CancelFunc
	runs errgroup.Group
}

// newCounting begins to follow the ledger as it is now.
func (w *world) newCounting() error {
	if !w.o.Features.Census {
		return nil
	}
	c := &counting{l: w.centre.nodes[0], step: make(chan struct{}, 1)}
	var err error
	c.c, err = census.New(census.Config{Source: c, Kinds: w.kinds, Key: []byte("a key of the sim, 32 bytes long.."), Log: discard})
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(context.Background())
	c.end = end
	c.runs.Go(func() error { return c.c.Run(ctx) })
	w.centre.count = c
	return c.follow()
}

// follow lets the census read up to the ledger's head, and waits for it.
func (c *counting) follow() error {
	select {
	case c.step <- struct{}{}:
	default:
	}
	if err := c.c.WaitFor(context.Background(), c.l.Head()); err != nil {
		return fmt.Errorf("census: %w", err)
	}
	return nil
}

func (c *counting) stop() {
	c.end()
	_ = c.runs.Wait() // it ends because it was told to
}

// Scan implements census.Source.
func (c *counting) Scan(kinds []syncproto.KindNumber, do census.Do) (syncproto.Position, error) {
	return c.l.AllRecords(kinds, do)
}

// Since implements census.Source.
func (c *counting) Since(after syncproto.Position, kinds []syncproto.KindNumber, do census.Do) (syncproto.Position, error) {
	return c.l.Since(after, kinds, do)
}

// Wait implements census.Source.
func (c *counting) Wait(ctx context.Context, after syncproto.Position) error {
	for {
		if c.l.Head() > after {
			return nil
		}
		select {
		case <-c.step:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// checkCounts: I4, the census counts what a recount by days and fingers counts.
func (w *world) checkCounts(m *model) error {
	if w.centre.count == nil {
		return nil
	}
	if err := w.centre.count.follow(); err != nil {
		return w.violate("I4 the census stopped: %v", err)
	}
	r := m.recount()
	for range 3 {
		day := begin.AddDate(0, 0, w.dice.between(-720, w.night+30))
		d := census.MakeDay(day.Year(), int(day.Month()), day.Day())
		a, err := w.centre.count.c.Count(census.Query{Day: d, By: []census.Dimension{census.ByUnion}})
		if err != nil {
			return w.violate("I4 count: %v", err)
		}
		got := map[string]census.Numbers{}
		for _, row := range a.Rows {
			got[row.Keys[0].Code] = row.Numbers
		}
		for _, code := range w.codes {
			if want := r.on(day.Format("2006-01-02"))[code]; got[code] != want {
				return w.violate("I4 %s on %s: the census counts %+v, a recount %+v", code, a.Day, got[code], want)
			}
		}
	}
	return nil
}

// value gives the current value of a named field, "" if there is none.
func (r *naive) value(k *kind.Kind, name string) string { return r.number(field(k, name)) }

func (r *naive) number(n syncproto.FieldNumber) string {
	f := r.fields[n]
	if f == nil || len(f.values) == 0 || f.values[0].cleared {
		return ""
	}
	return f.values[0].value
}

// person names who a member record is about: the document or, without a number, the record
// alone.
func person(k *kind.Kind, n recordName, r *naive) string {
	if r.value(k, "id_no") == "" {
		return n.union + " " + n.key.ID.String()
	}
	return strings.ToUpper(r.value(k, "id_type") + " " + r.value(k, "id_no"))
}
