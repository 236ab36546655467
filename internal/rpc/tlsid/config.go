package tlsid

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"

	"unionsync/syncproto"
)

// Own is what this end shows and trusts: its key, the certificate over it, and the CA.
type Own struct {
	Key  ed25519.PrivateKey
	Cert *x509.Certificate
	CA   *x509.Certificate
}

// Identity is whom this end's certificate names.
func (o Own) Identity() (Identity, error) { return Verify(o.Cert, o.CA) }

// certificate is the chain that is shown: the CA comes along, so that a device that knows
// only the beginning of its fingerprint can find it.
func (o Own) certificate() tls.Certificate {
	return tls.Certificate{
		Certificate: [][]byte{o.Cert.Raw, o.CA.Raw},
		PrivateKey:  o.Key,
		Leaf:        o.Cert,
	}
}

// ServerTLS is the config of a serving node: TLS 1.3. A client may come without a
// certificate (enrolment has none, nor has a browser); one that it shows must be of the
// city's CA and of one of the roles (any, when none is named). [PeerOf] tells who came.
func ServerTLS(own Own, roles ...Role) *tls.Config { return LiveServerTLS(always(own), roles...) }

// Live gives what an end shows at the moment; its CA is always the same.
type Live func() Own

func always(own Own) Live { return func() Own { return own } }

// LiveServerTLS is [ServerTLS] of a node whose certificate is renewed while it serves: each
// handshake shows the newest.
func LiveServerTLS(live Live, roles ...Role) *tls.Config {
	own := live()
	pool := x509.NewCertPool()
	pool.AddCert(own.CA) // only a hint to the client which of its certificates to show
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert := live().certificate()
			return &cert, nil
		},
		ClientAuth: tls.RequestClientCert,
		ClientCAs:  pool,
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return nil
			}
			_, err := Verify(state.PeerCertificates[0], own.CA, roles...)
			return err
		},
	}
}

// MutualTLS is [ServerTLS] for clients that must show a certificate.
func MutualTLS(own Own, roles ...Role) *tls.Config { return LiveMutualTLS(always(own), roles...) }

// LiveMutualTLS is [MutualTLS] of a node whose certificate is renewed while it serves.
func LiveMutualTLS(live Live, roles ...Role) *tls.Config {
	c := LiveServerTLS(live, roles...)
	c.ClientAuth = tls.RequireAnyClientCert // VerifyConnection, not the standard check, decides
	return c
}

// ClientTLS is the config of a client that shows own and talks to nodes of its CA only.
// crypto/tls checks names and dates or nothing, hence InsecureSkipVerify: the check of this
// package stands in its place, for resumed connections too.
func ClientTLS(own Own) *tls.Config { return LiveClientTLS(always(own)) }

// LiveClientTLS is [ClientTLS] of an end whose certificate is renewed while it works: each
// handshake shows the newest.
func LiveClientTLS(live Live) *tls.Config {
	ca := live().CA
	c := serverCheck(func(state tls.ConnectionState) error {
		return checkNode(state.PeerCertificates, ca)
	})
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		cert := live().certificate()
		cert.Certificate = cert.Certificate[:1] // the centre knows its CA: a slow line carries it for nothing
		return &cert, nil
	}
	return c
}

// AnonymousTLS is the config of a client without a certificate that knows the CA, as a node
// that wants to join.
func AnonymousTLS(ca Fingerprint) *tls.Config { return PinnedTLS(ca[:]) }

// PinnedTLS is the config of a client that knows only the beginning of the CA's
// fingerprint, as an enrolling device does: the server's chain must hold that CA.
func PinnedTLS(prefix []byte) *tls.Config {
	return serverCheck(func(state tls.ConnectionState) error {
		ca, err := FindCA(state.PeerCertificates, prefix)
		if err != nil {
			return err
		}
		return checkNode(state.PeerCertificates, ca)
	})
}

func serverCheck(check func(tls.ConnectionState) error) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // VerifyConnection does it: see ClientTLS
		VerifyConnection:   check,
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
}

func checkNode(chain []*x509.Certificate, ca *x509.Certificate) error {
	if len(chain) == 0 {
		return syncproto.Fail(syncproto.CodeNoCertificate, "verify the centre", nil)
	}
	_, err := Verify(chain[0], ca, RoleNode)
	return err
}
