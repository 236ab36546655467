package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"unionsync/internal/netspace"
)

// wire carries packets between two interfaces, badly.
type wire struct {
	ends [2]*os.File
}

// packet is one that is on its way.
type packet struct {
	bytes []byte
	due   time.Time
}

// run carries packets until ctx ends; then the interfaces are gone. How bad it is comes from
// quality, which is asked for each packet.
func (w *wire) run(ctx context.Context, now func() quality) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		return errors.Join(w.ends[0].Close(), w.ends[1].Close())
	})
	for i := range w.ends {
		under := make(chan packet, 64)
		g.Go(func() error {
			defer close(under)
			w.take(ctx, i, under, now)
			return nil
		})
		g.Go(func() error {
			for p := range under {
				wait(ctx, time.Until(p.due))
				_, _ = w.ends[1-i].Write(p.bytes) // a packet that cannot be given is a lost one
			}
			return nil
		})
	}
	return g.Wait()
}

// take reads the packets of one direction, loses some and times the others.
func (w *wire) take(ctx context.Context, i int, under chan<- packet, now func() quality) {
	q := now()
	dice := rand.New(rand.NewPCG(q.Seed, uint64(i)))
	limit := rate.NewLimiter(rate.Inf, netspace.PacketBytes)
	for {
		b := make([]byte, netspace.PacketBytes)
		n, err := w.ends[i].Read(b)
		if err != nil {
			return // closed: the end
		}
		if q = now(); q.Rate > 0 {
			limit.SetLimit(rate.Limit(q.Rate))
		} else {
			limit.SetLimit(rate.Inf)
		}
		if limit.WaitN(ctx, n) != nil {
			return
		}
		if dice.Float64() < q.Loss {
			continue
		}
		select {
		case under <- packet{b[:n], time.Now().Add(q.Delay)}:
		case <-ctx.Done():
			return
		}
	}
}
