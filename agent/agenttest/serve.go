package agenttest

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"

	"connectrpc.com/connect"

	"unionsync/internal/enrolcode"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/syncproto"
	"unionsync/syncproto/syncpb"
)

// Serve starts the centre on a free port of loopback and gives its address. From then on
// answers name it.
func (c *Centre) Serve() *httptest.Server {
	mux := http.NewServeMux()
	mux.Handle(unionrpcconnect.NewUnionHandler(service{c}, wire.HandlerOptions(syncproto.MaxRequestBytes)))
	s := httptest.NewUnstartedServer(wire.Trim(withPeer(mux)))
	s.TLS = tlsid.ServerTLS(c.Own, tlsid.RoleDevice)
	s.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelDebug)
	if cert, err := s.TLS.GetCertificate(nil); err == nil {
		s.TLS.Certificates = []tls.Certificate{*cert} // else the package would show one of its own
	}
	s.StartTLS()
	c.mu.Lock()
	c.addresses = []string{s.URL}
	c.mu.Unlock()
	return s
}

type peerKey struct{}

// withPeer puts whom the caller proved to be into the context.
func withPeer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, err := tlsid.PeerOf(r.TLS); err == nil {
			r = r.WithContext(context.WithValue(r.Context(), peerKey{}, id))
		}
		next.ServeHTTP(w, r)
	})
}

// service is the door for agents.
type service struct{ c *Centre }

// Exchange implements the service.
func (s service) Exchange(ctx context.Context, q *connect.Request[syncpb.Request]) (*connect.Response[syncpb.Response], error) {
	if err := s.c.admit(ctx, q.Msg.GetUnion()); err != nil {
		return nil, wire.Encode(err)
	}
	return answer(s.c.Exchange(ctx, q.Msg))
}

// Enrol implements the service.
func (s service) Enrol(_ context.Context, q *connect.Request[unionrpc.EnrolRequest]) (*connect.Response[unionrpc.EnrolResponse], error) {
	return answer(s.c.Enrol(q.Msg))
}

func answer[T any](r *T, err error) (*connect.Response[T], error) {
	switch {
	case errors.Is(err, ErrHangUp):
		panic(http.ErrAbortHandler)
	case err != nil:
		return nil, wire.Encode(err)
	}
	return connect.NewResponse(r), nil
}

// admit checks that the caller is a device that may speak of the union.
func (c *Centre) admit(ctx context.Context, union string) error {
	id, ok := ctx.Value(peerKey{}).(tlsid.Identity)
	if !ok {
		return syncproto.Fail(syncproto.CodeNoCertificate, "admit", nil)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.devices[id.ID]
	switch {
	case d == nil || !d.key.Equal(id.Key):
		return syncproto.Fail(syncproto.CodeDeviceUnknown, "admit", nil)
	case !d.unions[union]:
		return syncproto.Fail(syncproto.CodeNotYourUnion, "admit", nil)
	}
	return nil
}

// Forget takes a device's unions away, as a centre that does not know it.
func (c *Centre) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.devices = map[string]*device{}
}

// Enrol admits a device with an open code, or again the device that used it.
func (c *Centre) Enrol(q *unionrpc.EnrolRequest) (*unionrpc.EnrolResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fault(nil, false); err != nil {
		return nil, err
	}
	code, err := enrolcode.ParseCode(q.GetCode())
	if err != nil {
		return nil, err
	}
	g, id := c.codes[code.String()], hex.EncodeToString(q.GetDevice())
	switch known := c.devices[id]; {
	case g == nil:
		return nil, syncproto.Fail(syncproto.CodeEnrolUnknown, "enrol", nil)
	case g.device != "" && g.device != id || known != nil && !known.key.Equal(ed25519.PublicKey(q.GetPublicKey())):
		return nil, syncproto.Fail(syncproto.CodeEnrolUsed, "enrol", nil)
	case g.expired && g.device == "":
		return nil, syncproto.Fail(syncproto.CodeEnrolExpired, "enrol", nil)
	case known == nil:
		c.devices[id] = &device{key: q.GetPublicKey(), unions: map[string]bool{}}
	}
	g.device = id
	c.devices[id].unions[g.union] = true
	cert, err := c.sign(q.GetPublicKey(), tlsid.RoleDevice, id, slices.Sorted(maps.Keys(c.devices[id].unions))...)
	if err != nil {
		return nil, err
	}
	if err := c.fault(nil, true); err != nil {
		return nil, err
	}
	return &unionrpc.EnrolResponse{
		Union: g.union, UnionName: "某某有限公司工会", Certificate: cert.Raw, Ca: c.CA.Raw, Addresses: c.addresses,
		Time: c.Time, Generation: &syncpb.GenerationRef{Number: 1, Random: Life}, Slot: c.Slot, Recipient: c.Recipient,
	}, nil
}

// ErrHangUp makes the server close the connection without an answer.
var ErrHangUp = errors.New("hang up")
