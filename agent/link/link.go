package link

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// Bounds of waiting. A line of 9,600 bit/s that loses a third of its packets takes up to a
// minute for a handshake and minutes for a round: what ends a round is that nothing moves any
// more. The other end waits for less (see server/gate).
const (
	dialTimeout      = 15 * time.Second // four tries of TCP to reach a host
	handshakeTimeout = 60 * time.Second
	stallTimeout     = 90 * time.Second
	roundTimeout     = 10 * time.Minute
	idleTimeout      = 90 * time.Second
)

// writeBuffer bounds what has been written and is not on the line yet: a slow line empties it
// within stallTimeout.
const writeBuffer = 32 << 10

// maxAddresses bounds how many addresses are tried in one call.
const maxAddresses = 16

// Config of a [Link].
type Config struct {
	TLS       *tls.Config // see [Device] and [Newcomer]
	Addresses []string    // of the centre's nodes, in the order in which to try them
	// Proxy says through which proxy to go; default: what the environment names.
	Proxy func(*http.Request) (*url.URL, error)
	// Timeout bounds one round; default ten minutes.
	Timeout time.Duration
	// Stall is how long a round waits while not a byte moves; default 90 seconds.
	Stall time.Duration
	Log   *slog.Logger // default: nothing is logged
}

// Device is the TLS of a PC that is enrolled.
func Device(own tlsid.Own) *tls.Config { return tlsid.ClientTLS(own) }

// Newcomer is the TLS of a PC that knows only the beginning of the CA's fingerprint.
func Newcomer(fingerprint []byte) *tls.Config { return tlsid.PinnedTLS(fingerprint) }

// Link is a line to the centre. Its connections are kept for the rounds of one sync and
// closed with Close. It is safe for concurrent use.
type Link struct {
	http  *http.Client
	count counter
	log   *slog.Logger

	mu        sync.Mutex
	addresses []string // the one that answered last first
}

// New makes a link. Nothing is dialled before the first call.
func New(c Config) (*Link, error) {
	l := &Link{log: c.Log}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	for _, a := range c.Addresses {
		u, err := Address(a)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(l.addresses, u) && len(l.addresses) < maxAddresses {
			l.addresses = append(l.addresses, u)
		}
	}
	if c.Proxy == nil {
		c.Proxy = http.ProxyFromEnvironment
	}
	if c.Timeout == 0 {
		c.Timeout = roundTimeout
	}
	if c.Stall == 0 {
		c.Stall = stallTimeout
	}
	l.http = wire.Client(newRoutes(c.TLS, c.Proxy, c.Stall, &l.count))
	l.http.Timeout = c.Timeout // not the context's: that would travel as a header
	return l, nil
}

// Close gives the connections back.
func (l *Link) Close() { l.http.CloseIdleConnections() }

// Exchange makes one round with the first node that can answer.
func (l *Link) Exchange(ctx context.Context, q *syncpb.Request) (*syncpb.Response, error) {
	return turn(ctx, l, "exchange", func(ctx context.Context, c unionrpcconnect.UnionClient) (*syncpb.Response, error) {
		r, err := c.Exchange(ctx, connect.NewRequest(q))
		if err != nil {
			return nil, err
		}
		return r.Msg, nil
	})
}

// Enrol turns a one-time code into a certificate.
func (l *Link) Enrol(ctx context.Context, q *unionrpc.EnrolRequest) (*unionrpc.EnrolResponse, error) {
	return turn(ctx, l, "enrol", func(ctx context.Context, c unionrpcconnect.UnionClient) (*unionrpc.EnrolResponse, error) {
		r, err := c.Enrol(ctx, connect.NewRequest(q))
		if err != nil {
			return nil, err
		}
		return r.Msg, nil
	})
}

// Addresses gives the addresses, the one that answered last first.
func (l *Link) Addresses() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.addresses)
}

// answered moves an address to the front.
func (l *Link) answered(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addresses = slices.DeleteFunc(l.addresses, func(a string) bool { return a == address })
	l.addresses = slices.Insert(l.addresses, 0, address)
}

// turn makes a call at one address after the other until a node answers for the centre.
// Calls may be made again: both are idempotent. When none answers, the error that tells
// most is given.
func turn[T any](ctx context.Context, l *Link, op string, call func(context.Context, unionrpcconnect.UnionClient) (T, error)) (T, error) {
	var none T
	var worst, broken error
	for _, a := range l.Addresses() {
		c := unionrpcconnect.NewUnionClient(l.http, a, wire.ClientOptions(syncproto.MaxRequestBytes))
		r, err := call(ctx, c)
		if err == nil {
			l.answered(a)
			return r, nil
		}
		if ctx.Err() != nil {
			return none, ctx.Err()
		}
		err = explain(op, err)
		l.log.Debug("a node did not answer", "address", a, "error", err)
		if !elsewhere(err) {
			if syncproto.CodeOf(err) != syncproto.CodeCut {
				l.answered(a)
			}
			return none, err
		}
		if brokeOff(err) {
			broken = err
		}
		worst = graver(worst, err)
	}
	if broken != nil && syncproto.CodeOf(worst) == syncproto.CodeUnreachable {
		return none, syncproto.Fail(syncproto.CodeCut, op, broken) // somebody is there: worth another try
	}
	if worst == nil {
		worst = syncproto.Fail(syncproto.CodeUnreachable, op, errNoAddress)
	}
	return none, worst
}
