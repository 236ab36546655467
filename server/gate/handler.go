package gate

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/netip"

	"connectrpc.com/connect"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/syncproto"
)

// Headers between nodes. Only a caller of role node may send them.
const (
	headerHop         = "Unionsync-Hop"         // the call has been forwarded once: do not forward it again
	headerDevice      = "Unionsync-Device"      // id of the device whose Exchange is forwarded
	headerKey         = "Unionsync-Key"         // id of that device's public key
	headerCertificate = "Unionsync-Certificate" // that it showed, DER in base64
	headerAddress     = "Unionsync-Address"     // where the forwarded call came from
)

// joinSize bounds a Join and an Enrol, which need no certificate.
const joinSize = 64 << 10

// caller is who makes a call.
type caller struct {
	id      tlsid.Identity
	cert    []byte // DER
	known   bool   // the certificate is of this city, and of a role that may call
	refused error  // why a certificate that was shown is not taken
	address netip.Addr
}

// stranger gives the error of a caller that is not known.
func (c caller) stranger(op string) error {
	if c.refused != nil {
		return c.refused
	}
	return syncproto.Fail(syncproto.CodeNoCertificate, op, nil)
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// Handler is the whole door, to be served over TLS by the config of [Gate.Serve].
func (g *Gate) Handler() http.Handler {
	mux := http.NewServeMux()
	path, union := unionrpcconnect.NewUnionHandler(&unionService{g},
		wire.HandlerOptions(syncproto.MaxRequestBytes), connect.WithRequestGate(gateUnion), small(unionrpcconnect.UnionEnrolProcedure))
	mux.Handle(path, newTurns(g, union))
	path, admin := unionrpcconnect.NewAdminHandler(&adminService{g: g},
		wire.HandlerOptions(g.cfg.Capacity.AdminSize),
		connect.WithRequestGate(gateAdmin), small(unionrpcconnect.AdminJoinProcedure))
	mux.Handle(path, admin)
	return wire.Trim(g.identify(mux))
}

// small bounds a procedure that needs no certificate.
func small(procedure string) connect.HandlerOption {
	return connect.WithConditionalHandlerOptions(func(s connect.Spec) []connect.HandlerOption {
		if s.Procedure != procedure {
			return nil
		}
		return []connect.HandlerOption{wire.HandlerOptions(joinSize)}
	})
}

// identify notes who calls. A certificate that is not taken gets its answer here and not by
// an alert of TLS, which is often lost on the way with the connection.
func (g *Gate) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c caller
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			c.id, c.refused = g.verify(r.TLS.PeerCertificates[0])
			c.known = c.refused == nil
			c.cert = r.TLS.PeerCertificates[0].Raw
		}
		if at, _ := r.Context().Value(guestKey{}).(*guest); at != nil && c.known && c.id.Role == tlsid.RoleNode {
			at.node.Store(true)
		}
		if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			c.address = ap.Addr().Unmap()
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

// verify checks a certificate whose key the caller has proved to hold.
func (g *Gate) verify(cert *x509.Certificate) (tlsid.Identity, error) {
	id, err := g.certificateOf(cert.Raw, tlsid.RoleDevice, tlsid.RoleNode)
	if err != nil && syncproto.CodeOf(err) != syncproto.CodeWrongRole {
		err = syncproto.Fail(syncproto.CodeCertRefused, "identify caller", err)
	}
	return id, err
}

// busySeconds is after how long a call that ran out of time should be made again.
const busySeconds = "30"

// gateUnion checks who may call the agents' service, before a message is read.
func gateUnion(ctx context.Context, spec connect.Spec, _ connect.Peer, h http.Header) (context.Context, error) {
	c := callerOf(ctx)
	if err := checkForwarded(c, h); err != nil {
		return nil, wire.Encode(err)
	}
	if spec.Procedure == unionrpcconnect.UnionEnrolProcedure {
		return ctx, nil
	}
	switch {
	case !c.known:
		return nil, wire.Encode(c.stranger("exchange"))
	case c.id.Role == tlsid.RoleDevice:
		return ctx, nil
	case c.id.Role == tlsid.RoleNode && h.Get(headerDevice) != "":
		return ctx, nil
	}
	return nil, wire.Encode(wrongRole("exchange", c.id.Role))
}

// gateAdmin checks who may call the admin service: nodes, and whoever wants to join.
func gateAdmin(ctx context.Context, spec connect.Spec, _ connect.Peer, h http.Header) (context.Context, error) {
	c := callerOf(ctx)
	if err := checkForwarded(c, h); err != nil {
		return nil, wire.Encode(err)
	}
	switch {
	case c.known && c.id.Role == tlsid.RoleNode, spec.Procedure == unionrpcconnect.AdminJoinProcedure:
		return ctx, nil
	case !c.known:
		return nil, wire.Encode(c.stranger("admin call"))
	}
	return nil, wire.Encode(wrongRole("admin call", c.id.Role))
}

// checkForwarded refuses the headers between nodes from anybody else.
func checkForwarded(c caller, h http.Header) error {
	if c.known && c.id.Role == tlsid.RoleNode {
		return nil
	}
	for _, name := range []string{headerHop, headerDevice, headerKey, headerCertificate, headerAddress} {
		if h.Get(name) != "" {
			return syncproto.Fail(syncproto.CodeInvalid, "read headers",
				errors.New("a header between nodes came from elsewhere"), "what", name)
		}
	}
	return nil
}

func wrongRole(op string, role tlsid.Role) error {
	return syncproto.Fail(syncproto.CodeWrongRole, op, nil, "role", string(role))
}
