package cluster

import (
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"unionsync/internal/rpc/tlsid"
	"unionsync/syncproto"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func layer(t *testing.T, r *ring, change func(*Config)) *streams {
	t.Helper()
	cfg := r.add(fmt.Sprintf("n%d", len(r.nodes)+1)).config()
	cfg.Timing.setDefaults()
	if change != nil {
		change(&cfg)
	}
	s, err := listen(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// echo accepts connections and gives back what comes, until the layer closes.
func echo(t *testing.T, s *streams) {
	t.Helper()
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			c, err := s.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
}

func exchange(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("ping")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 4))
	return err
}

func dial(s *streams, to *streams) error {
	c, err := s.Dial(raft.ServerAddress(to.Listener.Addr().String()), 10*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return exchange(c)
}

// TestStreams: who gets through to a node, and who does not.
func TestStreams(t *testing.T) {
	t.Parallel()
	r, other := newRing(t), newRing(t)
	server := layer(t, r, nil)
	echo(t, server)
	if err := dial(layer(t, r, nil), server); err != nil {
		t.Errorf("another node: %v", err)
	}
	if err := dial(layer(t, other, nil), server); syncproto.CodeOf(err) != syncproto.CodeWrongCentre {
		t.Errorf("another city's node: %v", err)
	}
	device := layer(t, r, func(c *Config) {
		cert, err := r.city.SignDevice(c.Own.Cert.PublicKey.(ed25519.PublicKey), "00112233445566778899aabbccddeeff", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		c.Own.Cert = cert
	})
	if err := dial(device, server); syncproto.CodeOf(tlsid.Explain(err)) != syncproto.CodeCertRefused {
		t.Errorf("a device: %v", err)
	}
	gate := layer(t, r, nil)
	gate.client.NextProtos = []string{"h2"}
	if err := dial(gate, server); err == nil {
		t.Error("a client of the gate got through to raft")
	}
	if err := dial(layer(t, r, nil), server); err != nil {
		t.Errorf("a node, afterwards: %v", err)
	}
}

// TestAdmit: the owner has a say about each node.
func TestAdmit(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	var asked []string
	server := layer(t, r, func(c *Config) {
		c.Admit = func(id tlsid.Identity) error {
			asked = append(asked, id.ID)
			return errors.New("removed")
		}
	})
	echo(t, server)
	client := layer(t, r, nil)
	if err := dial(client, server); syncproto.CodeOf(tlsid.Explain(err)) != syncproto.CodeCertRefused {
		t.Errorf("%v", err)
	}
	if len(asked) != 1 {
		t.Errorf("asked about %v", asked)
	}
}

// TestSilentClient: a client that says nothing keeps nobody else waiting.
func TestSilentClient(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	server := layer(t, r, func(c *Config) { c.Timing.Transport = 200 * time.Millisecond })
	echo(t, server)
	silent, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	if err := dial(layer(t, r, nil), server); err != nil {
		t.Errorf("behind a silent client: %v", err)
	}
	if err := silent.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && err == nil {
		t.Errorf("the silent client was not cut off: %v", err)
	}
}

// TestCloseEndsConnections: a node that stops leaves no connection behind, on either end.
func TestCloseEndsConnections(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	server, client := layer(t, r, nil), layer(t, r, nil)
	echo(t, server)
	c, err := client.Dial(raft.ServerAddress(server.Listener.Addr().String()), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := exchange(c); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := exchange(c); err == nil {
		t.Error("the connection still works")
	}
	if _, err := client.Dial(raft.ServerAddress(server.Listener.Addr().String()), time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dialled after close: %v", err)
	}
	eventually(t, "the other end notices", func() bool {
		server.mu.Lock()
		defer server.mu.Unlock()
		return len(server.open) == 0
	})
}

func TestAdvertise(t *testing.T) {
	t.Parallel()
	r := newRing(t)
	s := layer(t, r, func(c *Config) { c.Advertise = "centre-1.example:7001" })
	if s.Addr().String() != "centre-1.example:7001" || s.Addr().Network() != "tcp" {
		t.Errorf("%v", s.Addr())
	}
	if plain := layer(t, r, nil); plain.Addr().String() != plain.Listener.Addr().String() {
		t.Errorf("%v", plain.Addr())
	}
	if s.server.MinVersion != tls.VersionTLS13 || s.client.MinVersion != tls.VersionTLS13 {
		t.Error("TLS below 1.3")
	}
}
