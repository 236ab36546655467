package link_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"unionsync/agent/link"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// TestStall: a line on which nothing moves any more is a cut one, though nobody says so.
func TestStall(t *testing.T) {
	p := newPC(t)
	release := make(chan struct{})
	defer close(release)
	p.centre.Fault = func(*syncpb.Request, bool) error { <-release; return nil }
	l := p.link(link.Config{Stall: 50 * time.Millisecond})
	if _, err := l.Exchange(context.Background(), request()); syncproto.CodeOf(err) != syncproto.CodeCut {
		t.Errorf("a line that fell silent: %v", err)
	}
}

// hangUp is an address at which somebody takes each line and hangs up when as many bytes of
// the handshake have come: none says why.
func hangUp(t *testing.T, after int) (url string, taken *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken = new(atomic.Int32)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			taken.Add(1)
			_, _ = c.Read(make([]byte, after))
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "https://" + l.Addr().String(), taken
}

// TestHandshakeCut: where a line is cut before both ends know each other, another node is
// tried; if none answers, the sync may try again: somebody is there.
func TestHandshakeCut(t *testing.T) {
	p := newPC(t)
	cut, taken := hangUp(t, 16)
	for _, row := range []struct {
		why       string
		addresses []string
		want      syncproto.Code
	}{
		{"the only node", []string{cut}, syncproto.CodeCut},
		{"beside a dead one", []string{dead(t), cut, dead(t)}, syncproto.CodeCut},
		{"beside one that answers", []string{cut, p.server.URL}, 0},
		{"nobody took the line", []string{dead(t)}, syncproto.CodeUnreachable},
	} {
		before := taken.Load()
		_, err := p.link(link.Config{Addresses: row.addresses}).Exchange(context.Background(), request())
		if (err == nil) != (row.want == 0) || err != nil && syncproto.CodeOf(err) != row.want {
			t.Errorf("%s: %v, want E%d", row.why, err, row.want)
		}
		if strings.Contains(strings.Join(row.addresses, " "), cut) && taken.Load() == before {
			t.Errorf("%s: the line was never taken", row.why)
		}
	}
}
