package tlsid

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/syncproto"
)

// meet lets a client and a server talk over loopback and gives what each end saw.
func meet(t *testing.T, server, client *tls.Config) (peer Identity, serverErr, clientErr error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	var both errgroup.Group
	both.Go(func() error {
		raw, err := ln.Accept()
		if err != nil {
			serverErr = err
			return nil
		}
		conn := tls.Server(raw, server)
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if serverErr = conn.Handshake(); serverErr != nil {
			return nil
		}
		state := conn.ConnectionState()
		peer, serverErr = PeerOf(&state)
		_, _ = conn.Write([]byte("hello"))
		return nil
	})
	both.Go(func() error {
		conn, err := tls.Dial("tcp", ln.Addr().String(), client)
		if err != nil {
			clientErr = err
			return nil
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		// In TLS 1.3 a refused client certificate shows at the first read.
		_, clientErr = io.ReadFull(conn, make([]byte, 5))
		return nil
	})
	if err := both.Wait(); err != nil {
		t.Fatal(err)
	}
	return peer, serverErr, clientErr
}

func code(err error) syncproto.Code {
	if err == nil {
		return 0
	}
	return syncproto.CodeOf(Explain(err))
}

func TestHandshake(t *testing.T) {
	c, other := newCity(t, 1), newCity(t, 9)
	node, device := c.own(t, 2, nodeURI), c.own(t, 3, deviceURI)
	stranger := other.own(t, 4, deviceURI)
	confused := stranger // knows the right CA, but shows a certificate of another one
	confused.CA = c.cert
	fp := FingerprintOf(c.cert)
	otherFP := FingerprintOf(other.cert)
	for _, row := range []struct {
		why            string
		server, client *tls.Config
		wantPeer       Role
		server1, cli   syncproto.Code
	}{
		{"a device, its certificate 26 years past its date", ServerTLS(node), ClientTLS(device), RoleDevice, 0, 0},
		{"a node", MutualTLS(node, RoleNode), ClientTLS(node), RoleNode, 0, 0},
		{"an enrolling device without certificate", ServerTLS(node), PinnedTLS(fp[:10]), "", syncproto.CodeNoCertificate, 0},
		{"a joining node without certificate", ServerTLS(node), AnonymousTLS(fp), "", syncproto.CodeNoCertificate, 0},
		{"an enrolling device that was sent to another city", ServerTLS(node), PinnedTLS(otherFP[:10]), "", syncproto.CodeCertRefused, syncproto.CodeWrongCentre},
		{"another city's device sees that this is not its centre", ServerTLS(node), ClientTLS(stranger), "", syncproto.CodeCertRefused, syncproto.CodeWrongCentre},
		{"another city's certificate", ServerTLS(node), ClientTLS(confused), "", syncproto.CodeWrongCentre, syncproto.CodeCertRefused},
		{"a device on the raft port", MutualTLS(node, RoleNode), ClientTLS(device), "", syncproto.CodeWrongRole, syncproto.CodeCertRefused},
		{"nobody on the raft port", MutualTLS(node, RoleNode), AnonymousTLS(fp), "", syncproto.CodeInternal, syncproto.CodeCertRefused},
		{"a device that plays server", ServerTLS(device), ClientTLS(node), "", syncproto.CodeCertRefused, syncproto.CodeWrongRole},
		{"a device that plays server for an enrolling one", ServerTLS(device), PinnedTLS(fp[:10]), "", syncproto.CodeCertRefused, syncproto.CodeWrongRole},
		{"a prefix too short to pin anything", ServerTLS(node), PinnedTLS(fp[:9]), "", syncproto.CodeCertRefused, syncproto.CodeInternal},
		{"TLS 1.2", ServerTLS(node), func() *tls.Config {
			c := ClientTLS(device)
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
			return c
		}(), "", syncproto.CodeInternal, syncproto.CodeInternal},
	} {
		peer, serverErr, clientErr := meet(t, row.server, row.client)
		if peer.Role != row.wantPeer || code(serverErr) != row.server1 || code(clientErr) != row.cli {
			t.Errorf("%s: peer %q, server: %v, client: %v", row.why, peer, serverErr, clientErr)
		}
	}
}

// TestResumptionIsVerified: a resumed connection has no certificates on the wire; it must
// still know who came.
func TestResumptionIsVerified(t *testing.T) {
	c := newCity(t, 1)
	c.until = time.Now().AddDate(1, 0, 0) // crypto/tls resumes none behind its date
	server, client := ServerTLS(c.own(t, 2, nodeURI)), ClientTLS(c.own(t, 3, deviceURI))
	client.ServerName = "n1" // the key of the session cache
	resumed := false
	check := client.VerifyConnection
	client.VerifyConnection = func(s tls.ConnectionState) error {
		resumed = s.DidResume
		return check(s)
	}
	for range 2 {
		if peer, err, cerr := meet(t, server, client); err != nil || cerr != nil || peer.Role != RoleDevice {
			t.Fatalf("%v, %v, %v", peer, err, cerr)
		}
	}
	if !resumed {
		t.Error("the second connection was not resumed: this test shows nothing")
	}
}

func TestExplainLeavesOthersAlone(t *testing.T) {
	plain := errors.New("connection refused")
	if got := Explain(plain); !errors.Is(got, plain) || syncproto.CodeOf(got) != syncproto.CodeInternal {
		t.Errorf("%v", got)
	}
	if got := Explain(nil); got != nil {
		t.Errorf("%v", got)
	}
	handshake := &net.OpError{Op: "remote error", Err: tls.AlertError(40)}
	if got := Explain(handshake); !errors.Is(got, handshake) || syncproto.CodeOf(got) != syncproto.CodeInternal {
		t.Errorf("%v", got)
	}
}

func TestPeerOfNobody(t *testing.T) {
	for _, state := range []*tls.ConnectionState{nil, {}} {
		if id, err := PeerOf(state); syncproto.CodeOf(err) != syncproto.CodeNoCertificate {
			t.Errorf("%v, %v", id, err)
		}
	}
}
