package gate

import (
	"crypto/tls"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"unionsync/server/health"
)

// When a full door shows somebody out to let the next one in: a guest that has not said who
// it is and is silent, or has been at it for long; and one that is done and only keeps its
// line. Nobody who is being served is ever shown out.
const (
	longGreeting = 45 * time.Second
	idleStays    = 5 * time.Second
)

// door is a listener with a bound on open connections. When it is full it makes room among
// those who have not begun or have ended; while that is impossible, further ones wait in the
// system's queue, where they cost nothing. It also bounds how many greetings (handshake and
// first head) are computed at once: a thousand at a time would leave the replicated log no
// turn of the processor, and each of them would end as late as the last.
type door struct {
	net.Listener
	meter   *health.Meter
	most    int
	silent  time.Duration
	long    time.Duration
	compute chan struct{} // a greeting that computes
	done    chan struct{}
	once    sync.Once

	mu     sync.Mutex
	guests map[*guest]struct{}
	freed  chan struct{} // of size 1: somebody left, or may be shown out now
}

func newDoor(l net.Listener, c Capacity, m *health.Meter) *door {
	return &door{
		Listener: l, meter: m, most: c.Conns, silent: c.Greeting, long: longGreeting,
		compute: make(chan struct{}, runtime.GOMAXPROCS(0)), done: make(chan struct{}),
		guests: map[*guest]struct{}{}, freed: make(chan struct{}, 1),
	}
}

// Accept implements net.Listener. The one at the door counts too.
func (d *door) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for !d.room() {
		look := time.NewTimer(d.silent / 4) // nobody tells that a guest has been silent for long
		select {
		case <-d.freed:
			look.Stop()
		case <-look.C:
		case <-d.done:
			look.Stop()
			_ = c.Close() // it has sent nothing that we have read
			return nil, net.ErrClosed
		}
	}
	return d.enter(c), nil
}

// room reports whether one more may come in, and shows somebody out if that makes it so.
func (d *door) room() bool {
	d.mu.Lock()
	if len(d.guests) < d.most-1 || len(d.guests) == 0 {
		d.mu.Unlock()
		return true
	}
	out := d.choose(time.Now())
	d.mu.Unlock()
	if out == nil {
		return false
	}
	d.meter.ShownOut(out.greeting.Load())
	_ = out.Close() // its end is the purpose
	return true
}

// choose gives the guest that is shown out, nil if there is none: first who has been idle
// longest, then who has been greeting longest.
func (d *door) choose(now time.Time) *guest {
	var out *guest
	var outIdle bool
	var outSince time.Time
	for g := range d.guests {
		if g.node.Load() { // others wait behind it
			continue
		}
		idle := g.idle.Load()
		since := time.Unix(0, g.since.Load())
		if idle && now.Sub(since) < idleStays || !idle && !g.lingers(now, d) {
			continue
		}
		if !idle {
			since = g.came
		}
		if out == nil || idle && !outIdle || idle == outIdle && since.Before(outSince) {
			out, outIdle, outSince = g, idle, since
		}
	}
	return out
}

func (d *door) enter(c net.Conn) *guest {
	g := &guest{Conn: c, d: d, came: time.Now()}
	g.since.Store(g.came.UnixNano())
	g.greeting.Store(true)
	d.mu.Lock()
	d.guests[g] = struct{}{}
	d.mu.Unlock()
	return g
}

func (d *door) left(g *guest) {
	d.mu.Lock()
	delete(d.guests, g)
	d.mu.Unlock()
	select {
	case d.freed <- struct{}{}:
	default:
	}
}

// Close implements net.Listener.
func (d *door) Close() error {
	d.once.Do(func() { close(d.done) })
	return d.Listener.Close()
}

// state follows what net/http makes of a connection.
func (d *door) state(c net.Conn, s http.ConnState) {
	g := guestOf(c)
	if g == nil {
		return
	}
	g.since.Store(time.Now().UnixNano())
	g.idle.Store(s == http.StateIdle)
	if s != http.StateNew {
		g.greeting.Store(false)
		g.pause()
	}
}

// guestOf gives the guest below TLS, nil if there is none.
func guestOf(c net.Conn) *guest {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	g, _ := c.(*guest)
	return g
}

// guest is a connection that came through the door.
type guest struct {
	net.Conn
	d    *door
	came time.Time
	once sync.Once

	greeting atomic.Bool  // it has not sent its first whole head
	idle     atomic.Bool  // between two requests
	since    atomic.Int64 // when it last sent something while greeting, or became idle; Unix nanoseconds
	silent   atomic.Bool  // it is waited for
	computes atomic.Bool  // it holds a place in d.compute
	node     atomic.Bool  // it is another node, for as long as it stays
}

// lingers reports whether it has not said who it is, and it is its own fault.
func (g *guest) lingers(now time.Time, d *door) bool {
	return g.greeting.Load() && g.silent.Load() &&
		(now.Sub(time.Unix(0, g.since.Load())) >= d.silent || now.Sub(g.came) >= d.long)
}

// Read implements net.Conn. While it greets it computes only between two reads, and while it
// is waited for others do.
func (g *guest) Read(b []byte) (int, error) {
	if !g.greeting.Load() {
		return g.Conn.Read(b)
	}
	g.pause()
	g.silent.Store(true)
	n, err := g.Conn.Read(b)
	g.silent.Store(false)
	g.since.Store(time.Now().UnixNano())
	if n > 0 && err == nil {
		g.resume()
	}
	return n, err
}

// Write implements net.Conn.
func (g *guest) Write(b []byte) (int, error) {
	g.pause() // who does not read must not keep a place
	return g.Conn.Write(b)
}

func (g *guest) resume() {
	g.d.compute <- struct{}{}
	if g.computes.Store(true); !g.greeting.Load() {
		g.pause()
	}
}

func (g *guest) pause() {
	if g.computes.CompareAndSwap(true, false) {
		<-g.d.compute
	}
}

// Close implements net.Conn.
func (g *guest) Close() error {
	err := g.Conn.Close()
	g.pause() // each time: one that was shown out may have begun to compute since
	g.once.Do(func() { g.d.left(g) })
	return err
}
