package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// trouble says what a relay does to the connections that go through it. The zero value does
// nothing.
type trouble struct {
	Rate     int           // bytes a second in each direction; 0: no bound
	CutEvery time.Duration // all connections are reset so often; 0: never
	CutFrom  int64         // the first time is when so many bytes have gone; 0: after CutEvery
	CutAfter int64         // each connection is reset when so many bytes have gone; 0: never
	Stall    int64         // when so many bytes have gone nothing passes any more, once; 0: never
}

// pieceBytes is how much passes at once: less than any cut's mark.
const pieceBytes = 256

// relay is a line between PCs and a node that cuts, stalls and slows.
type relay struct {
	listener net.Listener
	target   string
	cuts     atomic.Int64 // connections that were reset, or fell silent
	bytes    atomic.Int64 // that passed, both ways, since the trouble began
	due      chan struct{}

	mu      sync.Mutex
	trouble trouble // guarded by mu, as all below
	up      *rate.Limiter
	down    *rate.Limiter
	open    map[*pair]bool
}

// pair is one connection through the relay: the PC's side and the node's.
type pair struct {
	pc, node *net.TCPConn
	bytes    atomic.Int64
	silent   atomic.Bool
}

// newRelay listens at an address for what is meant for target.
func newRelay(at, target string) (*relay, error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, err
	}
	r := &relay{listener: l, target: target, due: make(chan struct{}, 1), open: map[*pair]bool{}}
	r.begin(trouble{})
	return r, nil
}

// url is what a PC takes for the centre's address.
func (r *relay) url() string { return "https://" + r.listener.Addr().String() }

// begin starts a trouble; what was counted before is forgotten.
func (r *relay) begin(t trouble) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble, r.up, r.down = t, limiter(t.Rate), limiter(t.Rate)
	r.bytes.Store(0)
	r.cuts.Store(0)
}

func limiter(bytes int) *rate.Limiter {
	if bytes == 0 {
		return rate.NewLimiter(rate.Inf, pieceBytes)
	}
	return rate.NewLimiter(rate.Limit(bytes), pieceBytes)
}

// now gives the trouble in force and the limiter of a direction.
func (r *relay) now(down bool) (trouble, *rate.Limiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if down {
		return r.trouble, r.down
	}
	return r.trouble, r.up
}

// run relays until ctx ends.
func (r *relay) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		err := r.listener.Close()
		r.cut()
		return err
	})
	g.Go(func() error { return r.cutting(ctx) })
	g.Go(func() error {
		for {
			c, err := r.listener.Accept()
			if err != nil {
				return nil //nolint:nilerr // closed: the end
			}
			g.Go(func() error { r.serve(ctx, c); return nil })
		}
	})
	return g.Wait()
}

// cutting resets all connections when it is time.
func (r *relay) cutting(ctx context.Context) error {
	clock := time.NewTicker(10 * time.Millisecond)
	defer clock.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.due:
			r.cut()
			last = time.Now()
		case <-clock.C:
			t, _ := r.now(false)
			waiting := r.cuts.Load() == 0 && t.CutFrom > 0
			if t.CutEvery == 0 || waiting {
				last = time.Now()
			}
			if time.Since(last) >= t.CutEvery && t.CutEvery > 0 {
				r.cut()
				last = time.Now()
			}
		}
	}
}

// cut resets all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.open {
		r.reset(p)
	}
}

// reset ends a connection as a broken line does: with no word to either end. The caller
// holds mu.
func (r *relay) reset(p *pair) {
	if !r.open[p] {
		return
	}
	delete(r.open, p)
	r.cuts.Add(1)
	p.end()
}

func (p *pair) end() {
	for _, c := range []*net.TCPConn{p.pc, p.node} {
		_ = c.SetLinger(0) // closing then sends a reset
		_ = c.Close()      // of a connection that has ended already
	}
}

func (r *relay) serve(ctx context.Context, in net.Conn) {
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.target)
	if err != nil {
		_ = in.Close()
		return
	}
	p := &pair{pc: in.(*net.TCPConn), node: out.(*net.TCPConn)}
	for _, c := range []*net.TCPConn{p.pc, p.node} { // or the system's buffers would hide the line
		_ = c.SetReadBuffer(4 << 10)
		_ = c.SetWriteBuffer(4 << 10)
	}
	r.mu.Lock()
	r.open[p] = true
	r.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { r.pass(ctx, p, p.node, p.pc, false) })
	both.Go(func() { r.pass(ctx, p, p.pc, p.node, true) })
	both.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, p)
	_ = in.Close() // ended already, or reset
	_ = out.Close()
}

// pass copies one way.
func (r *relay) pass(ctx context.Context, p *pair, to, from *net.TCPConn, down bool) {
	piece := make([]byte, pieceBytes)
	for {
		n, err := from.Read(piece)
		if n > 0 && !r.one(ctx, p, to, piece[:n], down) {
			return
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				_ = to.CloseWrite()
				return
			}
			_ = to.Close()
			return
		}
	}
}

// one passes one piece on, unless the trouble is against it.
func (r *relay) one(ctx context.Context, p *pair, to *net.TCPConn, piece []byte, down bool) bool {
	t, limit := r.now(down)
	if limit.WaitN(ctx, len(piece)) != nil {
		return false
	}
	all, own := r.bytes.Add(int64(len(piece))), p.bytes.Add(int64(len(piece)))
	if t.Stall > 0 && all > t.Stall && all-int64(len(piece)) <= t.Stall {
		p.silent.Store(true)
		r.cuts.Add(1)
	}
	if p.silent.Load() {
		return true // swallowed: both ends think that it is on its way
	}
	if t.CutAfter > 0 && own > t.CutAfter {
		r.mu.Lock()
		r.reset(p)
		r.mu.Unlock()
		return false
	}
	if t.CutFrom > 0 && all > t.CutFrom && r.cuts.Load() == 0 {
		select {
		case r.due <- struct{}{}:
		default:
		}
	}
	_, err := to.Write(piece)
	return err == nil
}
