package cluster

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"unionsync/internal/rpc/tlsid"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// ring is a cluster in this process: real files, real TLS over loopback.
type ring struct {
	t     testing.TB
	city  *trust.City
	nodes map[string]*member
	space Space

	mu     sync.Mutex
	resent map[string]int // how often the outcome of an entry was not known, so that it was sent again
}

// member is one node and what survives it.
type member struct {
	r       *ring
	id      string
	dir     string
	addr    string
	own     tlsid.Own
	machine *toy
	node    *Node
	stop    context.CancelFunc
	ended   chan error    // what Run gave
	gone    chan struct{} // closed when Run has ended
	terms   chan uint64
}

func newRing(t testing.TB) *ring {
	t.Helper()
	city, _, err := trust.Found(rand.Reader, "test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := &ring{t: t, city: city, nodes: map[string]*member{}, space: Space{SegmentBytes: 1 << 20}, resent: map[string]int{}}
	t.Cleanup(func() {
		for _, m := range r.nodes {
			m.kill()
		}
	})
	return r
}

func (r *ring) own(id string) tlsid.Own {
	r.t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	cert, err := r.city.SignNode(pub, id, nil, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return tlsid.Own{Key: priv, Cert: cert, CA: r.city.Certificate()}
}

// add makes a member that is not running yet.
func (r *ring) add(id string) *member {
	r.t.Helper()
	m := &member{r: r, id: id, dir: r.t.TempDir(), addr: "127.0.0.1:0", own: r.own(id), machine: &toy{}}
	r.nodes[id] = m
	return m
}

func (m *member) config() Config {
	return Config{
		Dir: m.dir, Listen: m.addr, Own: m.own, DataKey: m.r.city.DataKey(), Rand: rand.Reader,
		Log:    slog.New(slog.DiscardHandler),
		Timing: Timing{Heartbeat: 600 * time.Millisecond, Commit: 10 * time.Millisecond, Check: time.Hour},
		Space:  m.r.space,
	}
}

// start opens and runs the member.
func (m *member) start() *member {
	m.r.t.Helper()
	if err := m.tryStart(m.config()); err != nil {
		m.r.t.Fatal(err)
	}
	return m
}

func (m *member) tryStart(cfg Config) error {
	terms := make(chan uint64, 100)
	m.terms = terms
	cfg.Lead = func(ctx context.Context, term uint64) {
		terms <- term
		<-ctx.Done()
	}
	node, err := Open(cfg, m.machine)
	if err != nil {
		return err
	}
	m.node, m.addr, m.ended = node, node.Address(), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	ended, gone := m.ended, make(chan struct{})
	m.gone = gone
	go func() {
		defer close(gone)
		ended <- node.Run(ctx)
	}()
	return nil
}

// kill closes the node without handing over its lead, as far as a process can do that to
// itself.
func (m *member) kill() {
	if m.node == nil {
		return
	}
	if err := m.node.Close(); err != nil {
		m.r.t.Errorf("%s: %v", m.id, err)
	}
	m.stop()
	<-m.gone
	m.node = nil
}

// restart kills the member and starts it on its folder, its machine having lost all but
// the first keep entries (-1: none lost).
func (m *member) restart(keep int) *member {
	m.r.t.Helper()
	m.kill()
	m.machine = m.machine.reborn(keep)
	return m.start()
}

// eventually waits until ok, and fails the test if that takes more than a long time.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		}
	}
}

// leader waits for a leader that is ready for work.
func (r *ring) leader() *member {
	r.t.Helper()
	var found *member
	eventually(r.t, "a leader", func() bool {
		for _, m := range r.nodes {
			if m.node == nil {
				continue
			}
			if _, ok := m.node.Leading(); ok {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// cluster makes and starts a cluster of the members named.
func (r *ring) cluster(ids ...string) {
	r.t.Helper()
	first := r.add(ids[0]).start()
	if err := first.node.Bootstrap(); err != nil {
		r.t.Fatal(err)
	}
	r.leader()
	for _, id := range ids[1:] {
		m := r.add(id).start()
		if err := first.node.AddVoter(context.Background(), id, m.addr); err != nil {
			r.t.Fatal(err)
		}
	}
}

// propose commits an entry, whoever leads, and sends it again until the outcome is known.
// It gives how often it was sent.
func (r *ring) propose(data string) (sent int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		_, _, err := r.leader().node.Propose(ctx, []byte(data))
		if err == nil {
			return sent + 1
		}
		if errors.Is(err, ErrUnknownOutcome) {
			sent++
			r.mu.Lock()
			r.resent[data]++
			r.mu.Unlock()
		}
		if ctx.Err() != nil {
			r.t.Fatalf("propose %s: %v", data, err)
		}
	}
}

// settle waits until all running members have the same entries, and gives them.
func (r *ring) settle() []string {
	r.t.Helper()
	want := r.leader()
	eventually(r.t, "equal replicas", func() bool {
		for _, m := range r.nodes {
			if m.node != nil && m.machine.Applied() != want.machine.Applied() {
				return false
			}
		}
		return true
	})
	entries := want.machine.entries()
	for _, m := range r.nodes {
		if m.node == nil {
			continue
		}
		if diff := cmp.Diff(entries, m.machine.entries()); diff != "" {
			r.t.Fatalf("%s differs (-leader +%s):\n%s", m.id, m.id, diff)
		}
	}
	return r.once(slices.Clone(want.machine.data()))
}

// once takes out what stands more than once only because its outcome was not known and it
// was sent again: on a busy machine a lead may be lost at any time.
func (r *ring) once(data []string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	again, seen := maps.Clone(r.resent), map[string]bool{}
	return slices.DeleteFunc(data, func(d string) bool {
		if seen[d] && again[d] > 0 {
			again[d]--
			return true
		}
		seen[d] = true
		return false
	})
}

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%03d", prefix, i)
	}
	return out
}

func (r *ring) proposeAll(items []string) {
	r.t.Helper()
	for _, s := range items {
		r.propose(s)
	}
}

func wantCode(t testing.TB, why string, err error, want syncproto.Code) {
	t.Helper()
	if err == nil || syncproto.CodeOf(err) != want {
		t.Errorf("%s: %v, want E%d", why, err, want)
	}
}

func wantData(t testing.TB, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func contains(events []string, want ...string) bool {
	for _, w := range want {
		if !slices.Contains(events, w) {
			return false
		}
	}
	return true
}
