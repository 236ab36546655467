package link_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"unionsync/agent/agenttest"
	"unionsync/agent/link"
	"unionsync/internal/enrolcode"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

const union = "330702-00001"

// pc is an enrolled device and a served centre.
type pc struct {
	t      *testing.T
	centre *agenttest.Centre
	server *httptest.Server
	own    tlsid.Own
}

func straight(*http.Request) (*url.URL, error) { return nil, nil }

func newPC(t *testing.T) *pc {
	t.Helper()
	c, err := agenttest.New(1)
	if err != nil {
		t.Fatal(err)
	}
	p := &pc{t: t, centre: c, server: c.Serve()}
	t.Cleanup(p.server.Close)
	code, err := c.Code(union, false)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := enrolcode.ParseCode(code)
	if err != nil {
		t.Fatal(err)
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := p.link(link.Config{TLS: link.Newcomer(parsed.CA[:])})
	r, err := l.Enrol(context.Background(), &unionrpc.EnrolRequest{Code: code, Device: make([]byte, 16), PublicKey: pub})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(r.GetCertificate())
	if err != nil {
		t.Fatal(err)
	}
	p.own = tlsid.Own{Key: key, Cert: cert, CA: c.CA}
	return p
}

func (p *pc) link(c link.Config) *link.Link {
	p.t.Helper()
	if c.TLS == nil {
		c.TLS = link.Device(p.own)
	}
	if c.Addresses == nil {
		c.Addresses = []string{p.server.URL}
	}
	if c.Proxy == nil {
		c.Proxy = straight
	}
	l, err := link.New(c)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(l.Close)
	return l
}

func request() *syncpb.Request {
	return &syncpb.Request{ProtocolMin: 1, ProtocolMax: 1, Union: union, Journal: 7, Nonce: []byte("12345678")}
}

// dead is an address at which nobody listens.
func dead(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "https://" + l.Addr().String()
}

func TestExchange(t *testing.T) {
	p := newPC(t)
	l := p.link(link.Config{})
	for range 3 {
		r, err := l.Exchange(context.Background(), request())
		if err != nil || string(r.GetNonce()) != "12345678" {
			t.Fatalf("%v, %v", r, err)
		}
	}
	n := l.Traffic()
	if n.Requests != 3 || n.Connections != 1 {
		t.Errorf("%+v: the rounds of a sync share a connection", n)
	}
	if n.Sent < 300 || n.Received < 200 || n.Sent+n.Received > 3*700 {
		t.Errorf("%+v: HTTP without TLS is a few hundred bytes a round", n)
	}
}

// TestAddresses: dead nodes are passed by, and the one that answered comes first from then
// on.
func TestAddresses(t *testing.T) {
	p := newPC(t)
	l := p.link(link.Config{Addresses: []string{dead(t), dead(t), p.server.URL, p.server.URL + "/"}})
	if _, err := l.Exchange(context.Background(), request()); err != nil {
		t.Fatal(err)
	}
	if a := l.Addresses(); len(a) != 3 || a[0] != p.server.URL {
		t.Errorf("addresses %v", a)
	}
	if _, err := p.link(link.Config{Addresses: []string{}}).Exchange(context.Background(), request()); syncproto.CodeOf(err) != syncproto.CodeUnreachable {
		t.Errorf("no address: %v", err)
	}
}

// TestNextNode: a node without a leader sends us on; what all say alike is told.
func TestNextNode(t *testing.T) {
	p := newPC(t)
	var asked atomic.Int32
	for _, row := range []struct {
		code  syncproto.Code
		again bool // at the other address
	}{
		{syncproto.CodeNoLeader, true}, {syncproto.CodeBusy, true}, {syncproto.CodeNotReady, true},
		{syncproto.CodeUnknownOutcome, true}, {syncproto.CodeInternal, true},
		{syncproto.CodeDeviceRevoked, false}, {syncproto.CodeNotYourUnion, false}, {syncproto.CodeTooLarge, false},
	} {
		asked.Store(0)
		p.centre.Fault = func(*syncpb.Request, bool) error {
			asked.Add(1)
			return syncproto.Fail(row.code, "test", nil)
		}
		second := strings.Replace(p.server.URL, "127.0.0.1", "localhost", 1)
		_, err := p.link(link.Config{Addresses: []string{p.server.URL, second}}).Exchange(context.Background(), request())
		if err == nil || syncproto.CodeOf(err) != row.code {
			t.Errorf("E%d came as %v", row.code, err)
		}
		if got := asked.Load() == 2; got != row.again {
			t.Errorf("E%d was asked for %d times", row.code, asked.Load())
		}
	}
}

func TestErrors(t *testing.T) {
	p := newPC(t)
	stranger, err := agenttest.New(2)
	if err != nil {
		t.Fatal(err)
	}
	other := stranger.Serve()
	defer other.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	otherCity := tlsid.Own{Key: p.own.Key, Cert: stranger.Own.Cert, CA: p.centre.CA}
	for _, row := range []struct {
		why   string
		c     link.Config
		fault error
		want  syncproto.Code
	}{
		{"nobody listens", link.Config{Addresses: []string{dead(t)}}, nil, syncproto.CodeUnreachable},
		{"a name that does not exist", link.Config{Addresses: []string{"https://centre.invalid:1"}}, nil, syncproto.CodeUnreachable},
		{"another city's centre", link.Config{Addresses: []string{other.URL}}, nil, syncproto.CodeWrongCentre},
		{"another city's centre and a dead node: the first tells more", link.Config{Addresses: []string{dead(t), other.URL, dead(t)}}, nil, syncproto.CodeWrongCentre},
		{"something that does not speak TLS", link.Config{Addresses: []string{strings.Replace(plain.URL, "http:", "https:", 1)}}, nil, syncproto.CodeUnreachable},
		{"a certificate of another city", link.Config{TLS: link.Device(otherCity)}, nil, syncproto.CodeCertRefused},
		{"no certificate", link.Config{TLS: link.Newcomer(fingerprint(p.centre))}, nil, syncproto.CodeNoCertificate},
		{"a pin that no certificate fits", link.Config{TLS: link.Newcomer(fingerprint(stranger))}, nil, syncproto.CodeWrongCentre},
		{"the line breaks in the middle", link.Config{}, agenttest.ErrHangUp, syncproto.CodeCut},
		{"an error with arguments", link.Config{}, syncproto.Fail(syncproto.CodeBusy, "x", nil, "seconds", "7"), syncproto.CodeBusy},
	} {
		t.Run(row.why, func(t *testing.T) {
			p.centre.Fault = func(*syncpb.Request, bool) error { return row.fault }
			_, err := p.link(row.c).Exchange(context.Background(), request())
			if err == nil || syncproto.CodeOf(err) != row.want {
				t.Fatalf("%v, want E%d", err, row.want)
			}
			var coded *syncproto.Error
			if row.want == syncproto.CodeBusy && (!errors.As(err, &coded) || coded.Args["seconds"] != "7") {
				t.Errorf("the arguments are lost: %v", err)
			}
		})
	}
}

func fingerprint(c *agenttest.Centre) []byte {
	fp := tlsid.FingerprintOf(c.CA)
	return fp[:enrolcode.CABytes]
}

// TestCancel: the end of the caller's context is told as such, not as a dead centre.
func TestCancel(t *testing.T) {
	p := newPC(t)
	ctx, cancel := context.WithCancel(context.Background())
	p.centre.Fault = func(*syncpb.Request, bool) error { cancel(); <-ctx.Done(); return nil }
	if _, err := p.link(link.Config{}).Exchange(ctx, request()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// proxy is an HTTP proxy that lets CONNECT through, or refuses with a status.
func proxy(t *testing.T, refuse int) (*url.URL, *atomic.Int32) {
	t.Helper()
	var used atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		used.Add(1)
		if r.Method != http.MethodConnect || refuse != 0 {
			w.WriteHeader(refuse)
			return
		}
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		down, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
		done := make(chan struct{})
		go func() { _, _ = io.Copy(up, down); _ = up.Close(); close(done) }()
		_, _ = io.Copy(down, up)
		_ = down.Close()
		<-done
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u, &used
}

func TestProxy(t *testing.T) {
	p := newPC(t)
	open, used := proxy(t, 0)
	l := p.link(link.Config{Proxy: func(*http.Request) (*url.URL, error) { return open, nil }})
	if _, err := l.Exchange(context.Background(), request()); err != nil || used.Load() != 1 {
		t.Fatalf("%v, used %d times", err, used.Load())
	}
	if n := l.Traffic(); n.Sent == 0 || n.Received == 0 {
		t.Errorf("%+v", n)
	}
	l.Close()
	for _, status := range []int{http.StatusProxyAuthRequired, http.StatusForbidden} {
		shut, _ := proxy(t, status)
		l := p.link(link.Config{Proxy: func(*http.Request) (*url.URL, error) { return shut, nil }})
		if _, err := l.Exchange(context.Background(), request()); syncproto.CodeOf(err) != syncproto.CodeProxy {
			t.Errorf("a proxy that says %d: %v", status, err)
		}
	}
	gone, err := url.Parse(strings.Replace(dead(t), "https", "http", 1))
	if err != nil {
		t.Fatal(err)
	}
	l = p.link(link.Config{Proxy: func(*http.Request) (*url.URL, error) { return gone, nil }})
	if _, err := l.Exchange(context.Background(), request()); syncproto.CodeOf(err) != syncproto.CodeUnreachable {
		t.Errorf("a dead proxy: %v", err)
	}
}

func TestAddress(t *testing.T) {
	for _, row := range []struct{ why, in, want string }{
		{"as it should be", "https://centre.example:8443", "https://centre.example:8443"},
		{"without a scheme", "centre.example:8443", "https://centre.example:8443"},
		{"with a slash behind and blanks around", " https://Centre.Example:8443/ ", "https://centre.example:8443"},
		{"a number", "10.0.0.1:8443", "https://10.0.0.1:8443"},
		{"IPv6", "https://[::1]:8443", "https://[::1]:8443"},
		{"not encrypted", "http://centre.example", ""},
		{"a path", "https://centre.example/x", ""},
		{"a password", "https://u:p@centre.example", ""},
		{"nothing", "", ""},
		{"a query", "https://centre.example?x=1", ""},
		{"no URL", "https://a b", ""},
	} {
		got, err := link.Address(row.in)
		if got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%s: %q, %v", row.why, got, err)
		}
		if err != nil && syncproto.CodeOf(err) != syncproto.CodeAddress {
			t.Errorf("%s: %v", row.why, err)
		}
	}
	if _, err := link.New(link.Config{Addresses: []string{"http://x"}}); syncproto.CodeOf(err) != syncproto.CodeAddress {
		t.Errorf("a bad address in the list: %v", err)
	}
}
