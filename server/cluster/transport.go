package cluster

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"unionsync/internal/rpc/tlsid"
	"unionsync/syncproto"
)

// protocol is negotiated in the handshake (ALPN), so that a connection meant for another
// port of a node is never taken for raft's. The name goes on with the id of the raft log:
// after a forced recovery the nodes that were left out may be up again, and their log must
// never meet the new one.
const protocol = "unionsync-raft/1"

func protocolOf(logID []byte) string {
	if len(logID) == 0 {
		return protocol
	}
	return protocol + "/" + hex.EncodeToString(logID)
}

// streams makes raft's connections: TLS 1.3, both ends with a certificate of a node of
// this city. It is raft's stream layer.
type streams struct {
	net.Listener
	advertise string
	server    *tls.Config
	client    *tls.Config
	handshake time.Duration
	log       *slog.Logger

	mu     sync.Mutex
	open   map[*peerConn]struct{} // accepted or dialled, and not closed yet
	closed bool
}

var _ raft.StreamLayer = (*streams)(nil)

func listen(cfg *Config) (*streams, error) {
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeRaftListen, "listen for nodes", err, "address", cfg.Listen)
	}
	s := &streams{
		Listener:  ln,
		advertise: cfg.Advertise,
		server:    tlsid.LiveMutualTLS(cfg.live(), tlsid.RoleNode),
		client:    tlsid.LiveClientTLS(cfg.live()),
		handshake: cfg.Timing.Transport,
		log:       cfg.Log,
		open:      map[*peerConn]struct{}{},
	}
	if s.advertise == "" {
		s.advertise = ln.Addr().String()
	}
	name := protocolOf(cfg.LogID)
	s.server.NextProtos, s.client.NextProtos = []string{name}, []string{name}
	if cfg.Admit != nil {
		s.server.VerifyConnection = admit(s.server.VerifyConnection, cfg.Admit)
	}
	return s, nil
}

// live gives what is shown in each handshake.
func (c *Config) live() tlsid.Live {
	if c.Live != nil {
		return c.Live
	}
	return func() tlsid.Own { return c.Own }
}

func admit(check func(tls.ConnectionState) error, ask func(tlsid.Identity) error) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if err := check(state); err != nil {
			return err
		}
		id, err := tlsid.PeerOf(&state)
		if err != nil {
			return err
		}
		if err := ask(id); err != nil {
			return syncproto.Fail(syncproto.CodeNodeRefused, "admit node", err, "node", id.ID)
		}
		return nil
	}
}

// Addr is the address by which the other nodes reach this one.
func (s *streams) Addr() net.Addr { return address(s.advertise) }

// address is a host:port that need not be an IP address.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// Accept implements [net.Listener]. The handshake happens at the first read, in the
// connection's own goroutine: a slow or silent client keeps nobody else waiting.
func (s *streams) Accept() (net.Conn, error) {
	raw, err := s.Listener.Accept()
	if err != nil {
		return nil, fmt.Errorf("accept node: %w", err)
	}
	c := &accepted{peerConn: peerConn{Conn: tls.Server(raw, s.server), layer: s}}
	if !s.track(&c.peerConn) {
		return nil, net.ErrClosed
	}
	return c, nil
}

// track remembers an open connection; it closes it if the layer is closed already.
func (s *streams) track(c *peerConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.NetConn().Close() // nothing was said on it
		return false
	}
	s.open[c] = struct{}{}
	return true
}

// peerConn is an open connection to another node.
type peerConn struct {
	*tls.Conn
	layer *streams
}

// Close closes the connection without TLS's farewell, which can block.
func (c *peerConn) Close() error {
	c.layer.mu.Lock()
	delete(c.layer.open, c)
	c.layer.mu.Unlock()
	return c.NetConn().Close()
}

// accepted is a connection from another node.
type accepted struct {
	peerConn
	once sync.Once
	err  error
}

// Read shakes hands first, within a limited time.
func (c *accepted) Read(p []byte) (int, error) {
	c.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), c.layer.handshake)
		defer cancel()
		if c.err = c.HandshakeContext(ctx); c.err != nil {
			c.layer.log.Warn("connection refused", "from", c.RemoteAddr().String(), "error", c.err)
		}
	})
	if c.err != nil {
		return 0, fmt.Errorf("handshake with node: %w", c.err)
	}
	return c.Conn.Read(p)
}

// Close stops listening and closes every connection: raft's transport leaves them open, and
// its goroutines would wait for the other ends.
func (s *streams) Close() error {
	s.mu.Lock()
	s.closed = true
	open := make([]*peerConn, 0, len(s.open))
	for c := range s.open {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // of no use any more
	}
	return s.Listener.Close()
}

// Dial implements [raft.StreamLayer].
func (s *streams) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	d := tls.Dialer{Config: s.client}
	conn, err := d.DialContext(ctx, "tcp", string(to))
	if err != nil {
		return nil, fmt.Errorf("dial node %s: %w", to, err)
	}
	c := &peerConn{Conn: conn.(*tls.Conn), layer: s} // the type that tls.Dialer promises
	if !s.track(c) {
		return nil, net.ErrClosed
	}
	return c, nil
}
