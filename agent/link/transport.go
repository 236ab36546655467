package link

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/syncproto"
)

// Traffic is what went over the line so far: HTTP with its headers, without TLS. Through a
// proxy TLS is counted in, since nothing lies between.
type Traffic struct {
	Sent, Received int64 // bytes
	Requests       int64
	Connections    int64
}

// Traffic tells what went over the line since the link was made.
func (l *Link) Traffic() Traffic {
	return Traffic{
		Sent: l.count.sent.Load(), Received: l.count.received.Load(),
		Requests: l.count.requests.Load(), Connections: l.count.connections.Load(),
	}
}

// Bytes gives the bytes sent and received so far.
func (l *Link) Bytes() (sent, received int64) {
	return l.count.sent.Load(), l.count.received.Load()
}

// counter counts, and keeps what a node said of our certificate.
type counter struct {
	sent, received, requests, connections atomic.Int64
	refused                               atomic.Pointer[error]
}

// counted is a connection whose bytes are counted, and that breaks by itself when not a byte
// moves for as long as stall.
type counted struct {
	net.Conn
	c     *counter
	stall time.Duration
}

// Read implements net.Conn.
func (c counted) Read(b []byte) (int, error) {
	c.moved()
	n, err := c.Conn.Read(b)
	c.c.received.Add(int64(n))
	c.noteRefusal(err)
	return n, err
}

// moved sets the clock back. What is written counts for whoever waits for an answer too.
func (c counted) moved() {
	_ = c.Conn.SetDeadline(time.Now().Add(c.stall)) // fails when it is closed: the next call tells
}

func (c counted) noteRefusal(err error) {
	if err != nil && syncproto.CodeOf(tlsid.Explain(err)) == syncproto.CodeCertRefused {
		c.c.refused.Store(&err)
	}
}

// Write implements net.Conn.
func (c counted) Write(b []byte) (int, error) {
	c.moved()
	n, err := c.Conn.Write(b)
	c.c.sent.Add(int64(n))
	if err != nil { // the other end may have said why before it closed; that is still to be read
		if c.Conn.SetReadDeadline(time.Now().Add(lastWord)) == nil {
			var one [1]byte
			_, why := c.Conn.Read(one[:])
			c.noteRefusal(why)
		}
	}
	return n, err
}

// lastWord is how long a line that broke in writing is listened to: what the other end said
// is here already, or not coming.
const lastWord = 200 * time.Millisecond

// routes sends each request straight to the node or through the proxy that is named for
// it: only the straight way lets us stand between HTTP and TLS and count.
type routes struct {
	proxy    func(*http.Request) (*url.URL, error)
	straight *http.Transport
	through  *http.Transport
	count    *counter
}

func newRoutes(config *tls.Config, proxy func(*http.Request) (*url.URL, error), stall time.Duration, count *counter) *routes {
	r := &routes{proxy: proxy, count: count, straight: transport(config), through: transport(config)}
	r.straight.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialTLS(ctx, network, addr, config)
		if err != nil {
			return nil, dialError{err}
		}
		count.connections.Add(1)
		return counted{conn, count, stall}, nil
	}
	r.through.Proxy = proxy
	r.through.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
		if answer.StatusCode != http.StatusOK {
			return dialError{syncproto.Fail(syncproto.CodeProxy, "connect", nil, "status", strconv.Itoa(answer.StatusCode))}
		}
		return nil
	}
	r.through.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialTCP(ctx, network, addr)
		if err != nil {
			return nil, dialError{err}
		}
		count.connections.Add(1)
		return counted{conn, count, stall}, nil
	}
	return r
}

func dialTCP(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetWriteBuffer(writeBuffer); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// dialTLS gives host and handshake their own times: one says quickly that nobody is there,
// the other leaves a slow line what it needs.
func dialTLS(ctx context.Context, network, addr string, config *tls.Config) (net.Conn, error) {
	raw, err := dialTCP(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Client(raw, named(config, addr))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error says why
		return nil, handshakeError{err}
	}
	return conn, nil
}

// transport is what both ways have in common: HTTP/1.1, kept alive for the rounds of one
// sync, nothing compressed by HTTP.
func transport(config *tls.Config) *http.Transport {
	return &http.Transport{
		TLSClientConfig:     config,
		TLSHandshakeTimeout: handshakeTimeout,
		IdleConnTimeout:     idleTimeout,
		MaxIdleConnsPerHost: 1,
		DisableCompression:  true, // messages are compressed inside
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
}

// named gives the config a name for the session cache and for nodes that serve several.
func named(config *tls.Config, addr string) *tls.Config {
	c := config.Clone()
	if host, _, err := net.SplitHostPort(addr); err == nil && c.ServerName == "" {
		c.ServerName = host
	}
	c.NextProtos = []string{"http/1.1"}
	return c
}

// RoundTrip implements http.RoundTripper. An error says whether a line had been made. A
// node that refuses our certificate says so after the handshake, to whoever reads next;
// the round trip itself may fail with no more than a closed connection.
func (r *routes) RoundTrip(q *http.Request) (*http.Response, error) {
	r.count.requests.Add(1)
	r.count.refused.Store(nil)
	way := r.straight
	if u, err := r.proxy(q); err != nil || u != nil {
		way = r.through
	}
	answer, err := way.RoundTrip(q)
	var dial dialError
	switch refused := r.count.refused.Load(); {
	case err == nil || errors.As(err, &dial):
		return answer, err
	case refused != nil:
		return nil, lineError{*refused}
	}
	return nil, lineError{err}
}

// CloseIdleConnections serves http.Client.
func (r *routes) CloseIdleConnections() {
	r.straight.CloseIdleConnections()
	r.through.CloseIdleConnections()
}
