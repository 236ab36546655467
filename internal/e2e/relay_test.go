package e2e

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// relay is a line between PCs and a node. It counts what passes and calls a trigger before
// it passes on what goes beyond a mark: so a process can be killed with its request half
// sent, or with the answer on its way.
type relay struct {
	listener net.Listener
	target   atomic.Pointer[string]
	up, down atomic.Int64 // bytes passed on so far, TLS included
	lines    sync.WaitGroup

	mu   sync.Mutex
	trap *trap             // guarded by mu
	open map[net.Conn]bool // guarded by mu
}

// trap acts once, when as many bytes have gone one way.
type trap struct {
	down bool  // from the node; else to it
	mark int64 // bytes since the trap was set
	act  func()
}

// newRelay starts a relay to an address.
func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, open: map[net.Conn]bool{}}
	r.target.Store(&target)
	r.lines.Go(r.accept)
	t.Cleanup(func() {
		_ = l.Close()
		r.cut()
		r.lines.Wait()
	})
	return r
}

// url is what a PC takes for the centre's address.
func (r *relay) url() string { return "https://" + r.listener.Addr().String() }

// point sends the connections to come to another address.
func (r *relay) point(target string) { r.target.Store(&target) }

// set sets a trap: act is called once, before the bytes beyond mark are passed on.
func (r *relay) set(down bool, mark int64, act func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	passed := r.up.Load()
	if down {
		passed = r.down.Load()
	}
	r.trap = &trap{down: down, mark: passed + mark, act: act}
}

// sprung says whether the trap has acted.
func (r *relay) sprung() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trap == nil
}

// cut ends all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		_ = c.Close()
	}
}

func (r *relay) accept() {
	for {
		in, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		out, err := net.Dial("tcp", *r.target.Load())
		if err != nil {
			_ = in.Close()
			continue
		}
		r.keep(in, true)
		r.keep(out, true)
		var both sync.WaitGroup
		both.Go(func() { r.pass(out, in, &r.up, false) })
		both.Go(func() { r.pass(in, out, &r.down, true) })
		r.lines.Go(func() {
			both.Wait()
			r.keep(in, false)
			r.keep(out, false)
		})
	}
}

func (r *relay) keep(c net.Conn, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if open {
		r.open[c] = true
		return
	}
	delete(r.open, c)
	_ = c.Close()
}

// pass copies one way in small pieces, so that a mark inside a request can be met.
func (r *relay) pass(to, from net.Conn, passed *atomic.Int64, down bool) {
	piece := make([]byte, 512)
	for {
		n, err := from.Read(piece)
		if n > 0 {
			r.spring(down, passed.Load()+int64(n))
			passed.Add(int64(n))
			if _, err := to.Write(piece[:n]); err != nil {
				_ = from.Close()
				return
			}
		}
		if err != nil {
			if c, ok := to.(*net.TCPConn); ok && errors.Is(err, io.EOF) {
				_ = c.CloseWrite()
				return
			}
			_ = to.Close()
			return
		}
	}
}

// spring calls the trap's act if the mark is reached.
func (r *relay) spring(down bool, reached int64) {
	r.mu.Lock()
	t := r.trap
	if t == nil || t.down != down || reached <= t.mark {
		r.mu.Unlock()
		return
	}
	r.trap = nil
	r.mu.Unlock()
	t.act()
}
