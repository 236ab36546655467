package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"unionsync/syncproto"
)

// lines is a pool whose entries are lines of text.
func lines(p Pool) Pool {
	p.Join = func(items [][]byte) ([]byte, error) {
		var parts []string
		for _, i := range items {
			parts = append(parts, string(i))
		}
		return []byte(strings.Join(parts, "\n")), nil
	}
	p.Split = func(result any, items int) ([]any, error) {
		var out []any
		for _, s := range result.([]string) {
			out = append(out, s)
		}
		return out, nil
	}
	p.setDefaults(1000)
	return p
}

// road is what entries fly on: the test decides when each arrives.
type road struct {
	mu      sync.Mutex
	entries []string
	flying  int
	most    int
	land    chan error // one value lets one entry arrive, or fail
}

func newRoad() *road { return &road{land: make(chan error)} }

func (r *road) propose(ctx context.Context, data []byte) (any, uint64, error) {
	r.mu.Lock()
	r.entries = append(r.entries, string(data))
	index := uint64(len(r.entries))
	r.flying++
	r.most = max(r.most, r.flying)
	r.mu.Unlock()
	err := <-r.land
	r.mu.Lock()
	r.flying--
	r.mu.Unlock()
	if err != nil {
		return nil, 0, err
	}
	var results []string
	for _, s := range strings.Split(string(data), "\n") {
		results = append(results, "did "+s)
	}
	return results, index, nil
}

func (r *road) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.entries)
}

// TestNaturalBatching: an item leaves at once while there is a free flight; what comes
// meanwhile leaves together.
func TestNaturalBatching(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad()
		p := newProposer(r.propose, lines(Pool{Flights: 2}))
		ctx, cancel := context.WithCancel(context.Background())
		var run, callers errgroup.Group
		run.Go(func() error { return p.Run(ctx) })
		submit := func(item string) {
			callers.Go(func() error {
				res, index, err := p.Submit(context.Background(), []byte(item))
				if err != nil || res != "did "+item || index == 0 {
					return fmt.Errorf("%s: %v, %d, %w", item, res, index, err)
				}
				return nil
			})
			synctest.Wait()
		}
		for _, item := range []string{"a", "b", "c", "d", "e"} {
			submit(item)
		}
		wantData(t, r.seen(), []string{"a", "b"})
		r.land <- nil
		synctest.Wait()
		wantData(t, r.seen(), []string{"a", "b", "c\nd\ne"})
		r.land <- nil
		r.land <- nil
		if err := callers.Wait(); err != nil {
			t.Error(err)
		}
		cancel()
		if err := run.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// TestPoolLimits: entries keep to their limits, whatever the items' sizes, no item is lost
// or doubled, and each caller gets its own result.
func TestPoolLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pool := lines(Pool{
			MaxBytes: rapid.IntRange(40, 200).Draw(t, "bytes"), Overhead: 1,
			MaxItems: rapid.IntRange(1, 9).Draw(t, "items"), Flights: rapid.IntRange(1, 4).Draw(t, "flights"),
			Waiting: rapid.IntRange(1, 20).Draw(t, "waiting"),
		})
		r := newRoad()
		close(r.land) // arrives at once
		p := newProposer(r.propose, pool)
		ctx, cancel := context.WithCancel(context.Background())
		var run, callers errgroup.Group
		run.Go(func() error { return p.Run(ctx) })
		var want []string
		for i := range rapid.IntRange(1, 60).Draw(t, "callers") {
			item := fmt.Sprintf("%03d%s", i, strings.Repeat("x", rapid.IntRange(0, 35).Draw(t, "size")))
			want = append(want, item)
			callers.Go(func() error {
				res, _, err := p.Submit(context.Background(), []byte(item))
				if err == nil && res != "did "+item {
					err = fmt.Errorf("%s got %v", item, res)
				}
				return err
			})
		}
		err := callers.Wait()
		cancel()
		if err := errors.Join(err, run.Wait()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range r.entries {
			items := strings.Split(e, "\n")
			if len(e)+1 > pool.MaxBytes || len(items) > pool.MaxItems {
				t.Fatalf("an entry of %d bytes and %d items", len(e), len(items))
			}
			got = append(got, items...)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || r.most > pool.Flights {
			t.Fatalf("%v, want %v; %d flights", got, want, r.most)
		}
	})
}

func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	p := newProposer(newRoad().propose, lines(Pool{MaxBytes: 20, Overhead: 10, Waiting: 1}))
	_, _, err := p.Submit(context.Background(), make([]byte, 11))
	wantCode(t, "an item that no entry can hold", err, syncproto.CodeEntryTooLarge)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for range 3 { // in the queue, and before it is full and after
		if _, _, err := p.Submit(gone, []byte("x")); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("its caller has gone: %v", err)
		}
	}
	if err := p.Run(gone); err != nil {
		t.Error(err)
	}
	_, _, err = p.Submit(context.Background(), []byte("x"))
	wantCode(t, "after the end", err, syncproto.CodeNodeStopped)
}

// TestSubmitGivenUp: who goes before the item has left knows that nothing happens; who
// goes later does not.
func TestSubmitGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRoad()
		p := newProposer(r.propose, lines(Pool{Flights: 1}))
		ctx, cancel := context.WithCancel(context.Background())
		var run, callers errgroup.Group
		run.Go(func() error { return p.Run(ctx) })
		impatient, leave := context.WithCancel(context.Background())
		var flying, waiting error
		callers.Go(func() error { _, _, flying = p.Submit(impatient, []byte("flying")); return nil })
		synctest.Wait()
		callers.Go(func() error { _, _, waiting = p.Submit(impatient, []byte("waiting")); return nil })
		synctest.Wait()
		leave()
		if err := callers.Wait(); err != nil {
			t.Error(err)
		}
		wantCode(t, "on its way", flying, syncproto.CodeUnknownOutcome)
		if !errors.Is(waiting, context.Canceled) || errors.Is(waiting, ErrUnknownOutcome) {
			t.Errorf("not on its way: %v", waiting)
		}
		r.land <- nil
		synctest.Wait()
		wantData(t, r.seen(), []string{"flying"})
		cancel()
		if err := run.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// TestFlightFails: everybody in an entry gets its error, and the next ones fly on.
func TestFlightFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	ok := lines(Pool{}).Split
	for _, row := range []struct {
		why   string
		pool  Pool
		land  error
		code  syncproto.Code
		cause error
	}{
		{"the lead was lost", lines(Pool{}), ErrNotLeader, syncproto.CodeNotLeader, ErrNotLeader},
		{"items that cannot be joined: nothing was proposed", func() Pool {
			p := lines(Pool{})
			p.Join = func([][]byte) ([]byte, error) { return nil, broken }
			return p
		}(), nil, syncproto.CodeInternal, broken},
		{"a result that cannot be shared out: it is committed", func() Pool {
			p := lines(Pool{})
			p.Split = func(any, int) ([]any, error) { return nil, broken }
			return p
		}(), nil, syncproto.CodeUnknownOutcome, broken},
		{"a result for somebody too many", func() Pool {
			p := lines(Pool{})
			p.Split = func(r any, n int) ([]any, error) { out, err := ok(r, n); return append(out, "x"), err }
			return p
		}(), nil, syncproto.CodeUnknownOutcome, nil},
	} {
		r := newRoad()
		p := newProposer(r.propose, row.pool)
		ctx, cancel := context.WithCancel(context.Background())
		var run, landing errgroup.Group
		run.Go(func() error { return p.Run(ctx) })
		landing.Go(func() error {
			select {
			case r.land <- row.land:
			case <-ctx.Done():
			}
			return nil
		})
		_, _, err := p.Submit(context.Background(), []byte("x"))
		wantCode(t, row.why, err, row.code)
		if row.cause != nil && !errors.Is(err, row.cause) {
			t.Errorf("%s: the cause is lost: %v", row.why, err)
		}
		cancel()
		if err := errors.Join(run.Wait(), landing.Wait()); err != nil {
			t.Error(err)
		}
	}
}

// TestProposerOnNode runs the real thing: many callers, few entries.
func TestProposerOnNode(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	r.cluster("n1")
	n := r.leader().node
	pool := lines(Pool{})
	pool.Split = func(result any, items int) ([]any, error) { return make([]any, items), nil }
	p := n.NewProposer(pool)
	ctx, cancel := context.WithCancel(context.Background())
	var run, callers errgroup.Group
	run.Go(func() error { return p.Run(ctx) })
	items := numbered("a", 300)
	for _, s := range items {
		callers.Go(func() error {
			_, _, err := p.Submit(context.Background(), []byte(s))
			return err
		})
	}
	err := callers.Wait()
	cancel()
	if err := errors.Join(err, run.Wait()); err != nil {
		t.Fatal(err)
	}
	entries := r.nodes["n1"].machine.data()
	got := strings.Split(strings.Join(entries, "\n"), "\n")
	slices.Sort(got)
	wantData(t, got, items)
	t.Logf("%d items in %d entries", len(items), len(entries))
}
