package wire

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// Bounds of a client's waiting.
const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 90 * time.Second
	idleTimeout   = 90 * time.Second
)

// ClientConfig says what kind of client is wanted.
type ClientConfig struct {
	TLS   *tls.Config
	HTTP2 bool // many calls at once over one connection, as between nodes
	Proxy bool // go through the proxy that the environment names, as an office's PC must
	Conns int  // kept open to one host; 0: 2
}

// NewClient makes an HTTP client. Close its idle connections with CloseIdleConnections.
func NewClient(c ClientConfig) *http.Client {
	t := &http.Transport{
		TLSClientConfig:       c.TLS,
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: headerTimeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   max(c.Conns, 2),
		ForceAttemptHTTP2:     c.HTTP2,
		DisableCompression:    true, // messages are compressed inside
	}
	if !c.HTTP2 {
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	if c.Proxy {
		t.Proxy = http.ProxyFromEnvironment
	}
	return Client(t)
}

// Client makes an HTTP client over a transport of the caller's own. It sends no header that
// no node of ours reads, and follows no redirect.
func Client(t http.RoundTripper) *http.Client {
	return &http.Client{Transport: trimming{t}, CheckRedirect: noRedirect}
}

// noRedirect: a node never redirects; what does is a login page of somebody's network.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// trimming takes out of requests the headers that no node of ours reads.
type trimming struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t trimming) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "") // leaves it out
	r.Header.Del("Connect-Protocol-Version")
	return t.next.RoundTrip(r)
}

// CloseIdleConnections serves http.Client.
func (t trimming) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
