//go:build !windows

package main

import (
	"context"
	"os"
	"testing"
	"time"
)

// TestShortNight is the short form of this program: 60 changes over 64 kbit/s, with a line
// that is cut in the middle of the night, again after every three seconds, and whenever a connection
// has carried 8 kB, most of which the handshake takes. The night ends, for hardly more bytes
// than over a good line and one batch for each cut.
func TestShortNight(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	l, err := newLab(ctx, 1, 2, size{roster: 30, edited: 20, fresh: 20}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}()
	here := func(job func() error) error { return job() }
	var clean, bad result
	err = relayed(ctx, "127.0.0.1:0", l.node().API, func(ctx context.Context, r *relay) (err error) {
		if err := l.start(ctx, r.listener.Addr().String()); err != nil {
			return err
		}
		if clean, err = l.through(ctx, 0, r, here, func() { r.begin(trouble{}) }); err != nil {
			return err
		}
		bad, err = l.through(ctx, 1, r, here, func() {
			r.begin(trouble{Rate: kbit64, CutEvery: 3 * time.Second, CutFrom: clean.line / 2, CutAfter: 8 << 10})
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a good line: %+v", clean)
	t.Logf("the bad one: %+v", bad)
	if bad.cuts < 2 {
		t.Errorf("%d cuts: the line was not bad", bad.cuts)
	}
	if clean.cuts != 0 || clean.syncs != 1 || clean.sent != l.night.work() {
		t.Errorf("the good line was not good: %+v", clean)
	}
	if most := allowed(clean, bad.cuts); float64(bad.bytes) > most {
		t.Errorf("%d bytes, at most %.0f are allowed", bad.bytes, most)
	}
}
