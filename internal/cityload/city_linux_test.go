package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sync/errgroup"

	"unionsync/internal/proc"
	"unionsync/server/ledger"
	"unionsync/syncproto"
	"unionsync/syncproto/session"
)

// TestSizes: the city has exactly the members of the real one, and no union has more than fit
// into one request.
func TestSizes(t *testing.T) {
	for _, unions := range []int{1, 7, 120, cityUnions} {
		sum := 0
		for i, n := range rosterSizes(unions) {
			if n < 1 || n*recordsOf > syncproto.MaxBatchChanges {
				t.Fatalf("union %d of %d has %d members", i, unions, n)
			}
			sum += n
		}
		if want := unions * cityMembers / cityUnions; sum != want {
			t.Errorf("%d unions have %d members, want %d", unions, sum, want)
		}
	}
}

// TestApplied: what is invented is what agents make: a centre's ledger merges every change.
func TestApplied(t *testing.T) {
	l, err := ledger.Open(ledger.Config{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := l.Apply(1, genesisEntry(t)); err != nil {
		t.Fatal(err)
	}
	applied := 0
	entries := benchEntries(t, 3)
	for i, e := range entries {
		res, err := l.Apply(uint64(i)+2, e.data)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range res.([][]session.Outcome) {
			for _, o := range item {
				for _, v := range o.Verdicts {
					if v.Kind == syncproto.VerdictApplied {
						applied++
					}
				}
			}
		}
	}
	if want := 3 * cityMembers / cityUnions * recordsOf; applied != want {
		t.Errorf("%d changes are applied, want %d", applied, want)
	}
}

// lines is what a process writes, for several to wait for.
type lines struct {
	all chan string
}

func (l lines) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		l.all <- strings.TrimSpace(line)
	}
	return len(b), nil
}

// TestPlain: three plain nodes have every key that the file has.
func TestPlain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "requests")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	c := &city{sizes: rosterSizes(2), parts: make([]part, 2), file: f, life: syncproto.Generation{Number: 1}}
	d := &device{unions: []int{0, 1}}
	d.own.Key = benchKey(t)
	if err := c.writeDevice(d); err != nil {
		t.Fatal(err)
	}
	ports, err := proc.FreePorts(nodes)
	if err != nil {
		t.Fatal(err)
	}
	peers := []string{"p1=" + ports[0], "p2=" + ports[1], "p3=" + ports[2]}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var g errgroup.Group
	var all []*plainNode
	for i := nodes - 1; i >= 0; i-- {
		out := lines{make(chan string, 8)}
		n := &plainNode{id: peers[i][:2], dir: t.TempDir(), peers: peers, out: out, heartbeat: 100 * time.Millisecond}
		if err := n.open(); err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
		g.Go(func() error {
			if n.leads() {
				if err := n.awaitLead(ctx); err != nil {
					return err
				}
				if err := n.feed(ctx, file); err != nil {
					return err
				}
			}
			select {
			case <-out.all:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		keys := 0
		txn := n.db.NewTransactionAt(n.ts, false)
		it := txn.NewIterator(badger.IteratorOptions{})
		for it.Rewind(); it.Valid(); it.Next() {
			keys++
		}
		it.Close()
		txn.Discard()
		if want := 2*cityMembers/cityUnions*recordsOf + 1; keys != want {
			t.Errorf("%s has %d keys, want %d", n.id, keys, want)
		}
		if err := n.close(); err != nil {
			t.Error(err)
		}
	}
}

// TestLoad runs the whole of the quick form, with real processes.
func TestLoad(t *testing.T) {
	var out bytes.Buffer
	// The test's own program cannot be city_plain's: TestPlain is about that.
	if err := load(t.Context(), options{unions: 3, dir: t.TempDir(), only: []string{"city_ingest", "city_rss"}}, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"city_ingest", "city_rss"} {
		if !strings.Contains(out.String(), name+" ") {
			t.Errorf("no %s in:\n%s", name, out.String())
		}
	}
}

// TestUsage: what cannot be is refused before anything is built.
func TestUsage(t *testing.T) {
	for _, unions := range []string{"0", "-1", "12041", "many"} {
		env := func(name string) string { return map[string]string{"UNIONS": unions}[name] }
		if err := run(t.Context(), nil, env, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "UNIONS") {
			t.Errorf("UNIONS=%s: %v", unions, err)
		}
	}
}
