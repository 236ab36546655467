package gate

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"unionsync/internal/rpc/tlsid"
)

// opened is a door on loopback behind which somebody takes whoever comes in.
func opened(t *testing.T, most int) (*door, chan *guest) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(l, Capacity{Conns: most, Greeting: 10 * time.Second}, nil)
	in := make(chan *guest, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := d.Accept()
			if err != nil {
				return
			}
			g := c.(*guest)
			g.silent.Store(true) // as one whose first bytes are waited for
			in <- g
		}
	}()
	t.Cleanup(func() {
		_ = d.Close()
		<-done
		for len(in) > 0 {
			_ = (<-in).Close()
		}
	})
	return d, in
}

func knock(t *testing.T, d *door) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// comes waits for the next guest; nil: none comes in a short while.
func comes(in chan *guest, patience time.Duration) *guest {
	select {
	case g := <-in:
		return g
	case <-time.After(patience):
		return nil
	}
}

// TestDoorIsBounded: never more than so many are inside, and who waits comes in when
// somebody leaves.
func TestDoorIsBounded(t *testing.T) {
	d, in := opened(t, 3)
	var inside []*guest
	for range 5 {
		knock(t, d)
	}
	for range 2 { // and the third is at the door
		g := comes(in, long)
		if g == nil {
			t.Fatal("nobody comes in")
		}
		g.silent.Store(false)
		inside = append(inside, g)
	}
	if g := comes(in, 50*time.Millisecond); g != nil {
		t.Fatal("a third one came in beside the one at the door")
	}
	_ = inside[0].Close()
	if g := comes(in, long); g == nil {
		t.Fatal("nobody comes in after one has left")
	}
}

// TestSilentGuestsMakeRoom: those who say nothing are shown out when others want in, the
// oldest first; those who are served are not, and other nodes never.
func TestSilentGuestsMakeRoom(t *testing.T) {
	d, in := opened(t, 4)
	d.silent = 20 * time.Millisecond
	first := knock(t, d)
	knock(t, d)
	knock(t, d)
	served, node, silent := comes(in, long), comes(in, long), comes(in, long)
	if served == nil || node == nil || silent == nil {
		t.Fatal("not let in")
	}
	d.state(served, http.StateActive)
	d.state(node, http.StateIdle)
	node.node.Store(true)
	knock(t, d)
	if g := comes(in, long); g == nil {
		t.Fatal("a silent guest kept everybody out")
	}
	if _, err := silent.Conn.Read(make([]byte, 1)); err == nil {
		t.Error("the silent one is still there")
	}
	_ = first.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := first.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("one that is served was shown out: %v", err)
	}
	if !node.node.Load() || node.Conn.SetDeadline(time.Time{}) != nil {
		t.Error("another node was shown out")
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// TestIdleGuestsMakeRoom: a line that is only kept goes before one that greets.
func TestIdleGuestsMakeRoom(t *testing.T) {
	d, in := opened(t, 3)
	d.silent, d.long = 20*time.Millisecond, 20*time.Millisecond
	knock(t, d)
	knock(t, d)
	greeting, idle := comes(in, long), comes(in, long)
	d.state(idle, http.StateIdle)
	idle.since.Store(time.Now().Add(-idleStays).UnixNano())
	greeting.came = time.Now().Add(-time.Hour)
	d.mu.Lock()
	out := d.choose(time.Now())
	d.mu.Unlock()
	if out != idle {
		t.Error("not the idle one")
	}
}

// TestHandshakesThatHang: a full house of handshakes that say nothing, or that stop in the
// middle, lets a device in.
func TestHandshakesThatHang(t *testing.T) {
	s := serveBench(t, func(c *Capacity) { c.Conns, c.Greeting = 5, 100*time.Millisecond })
	for i := range 5 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if i%2 == 0 {
			_, _ = c.Write([]byte{0x16, 3, 1, 1, 0}) // the head of a ClientHello that does not come
		}
	}
	if err := s.call(s.own, s.ask()); err != nil {
		t.Fatal(err)
	}
}

// TestGreetingsComputeInTurn: as many handshakes compute at a time as the door has places,
// and one that waits for its client holds none.
func TestGreetingsComputeInTurn(t *testing.T) {
	d, in := opened(t, 10)
	d.compute = make(chan struct{}, 1)
	a, b := knock(t, d), knock(t, d)
	ga, gb := comes(in, long), comes(in, long)
	read := func(g *guest, done chan<- *guest) {
		_, _ = g.Read(make([]byte, 10))
		done <- g
	}
	done := make(chan *guest, 4)
	go read(ga, done)
	_, _ = a.Write([]byte("x"))
	<-done // it computes now
	go read(gb, done)
	_, _ = b.Write([]byte("x"))
	if g := comes(done, 50*time.Millisecond); g != nil {
		t.Fatal("two compute at a time")
	}
	go read(ga, done) // waits for its client
	if g := comes(done, long); g != gb {
		t.Fatal("one that waits for its client holds the place")
	}
	d.state(gb, http.StateActive)
	_ = ga.Close()
	<-done
	if len(d.compute) != 0 {
		t.Errorf("%d places are held by nobody", len(d.compute))
	}
}

// TestManyHandshakes: more than there are places, all at once, over real TLS.
func TestManyHandshakes(t *testing.T) {
	s := serveBench(t, func(c *Capacity) { c.DeviceAtOnce, c.DeviceRate = 1000, 10_000 })
	ended := make(chan error, 40)
	for range cap(ended) {
		go func() {
			c, err := tls.Dial("tcp", s.addr, tlsid.ClientTLS(s.own))
			if err == nil {
				err = c.Close()
			}
			ended <- err
		}()
	}
	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if err := s.call(s.own, s.ask()); err != nil {
		t.Fatal(err)
	}
}
