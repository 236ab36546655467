package server

import (
	"bytes"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/server/gate"
	"unionsync/server/health"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// shows gives the certificate that a node shows to who connects.
func shows(t *testing.T, n *running, own tlsid.Own) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(n.ready.API, "https://"), tlsid.ClientTLS(own))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0]
}

// replace puts another certificate into a node's folder, over another key if one is given.
func replace(t *testing.T, n *running, key ed25519.PrivateKey, at time.Time) *x509.Certificate {
	t.Helper()
	file := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(n.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if key == nil {
		key = n.trust.Own.Key
	} else {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		file(trust.NodeKeyFile, "PRIVATE KEY", der)
	}
	cert, err := n.trust.City.SignNode(key.Public().(ed25519.PublicKey), n.trust.ID(), nil, at)
	if err != nil {
		t.Fatal(err)
	}
	file(trust.NodeCertFile, "CERTIFICATE", cert.Raw)
	return cert
}

// listed waits until all nodes name this certificate for a node.
func (c *testCity) listed(id string, want *x509.Certificate) {
	c.t.Helper()
	eventually(c.t, "the new certificate in every node's list", func() bool {
		for _, n := range c.nodes {
			if is, err := n.ledger.Node(id); err != nil || !bytes.Equal(is.GetCertificate(), want.Raw) {
				return false
			}
		}
		return true
	})
}

// TestCertificateReplaced: key and certificate of a node, leader or not, are replaced while it
// serves. It shows the new one from then on, the others know it, what it signed before stays
// good, and nobody was sent away. A certificate that is not over the key changes nothing.
func TestCertificateReplaced(t *testing.T) {
	c := newCity(t, 2, gate.Capacity{Patience: patience})
	c.importUnions("u1")
	p := c.enrolPC(c.nodes[0], "u1")
	for i, n := range c.nodes {
		p.Save(note(byte(10+i), "before"))
		before := p.receiptFrom(n)
		was, _ := n.trust.Live(), replace(t, n, nil, time.Now().Add(-time.Hour))
		if err := os.WriteFile(filepath.Join(n.dir, trust.NodeKeyFile), []byte("half written"), 0o600); err != nil {
			t.Fatal(err)
		}
		n.hangup <- syscall.SIGHUP
		n.hangup <- syscall.SIGHUP // taken when the first has been worked on
		if got := shows(t, n, p.own); !got.Equal(was.Cert) {
			t.Fatal("it shows a certificate without its key")
		}
		cert := replace(t, n, ed25519.NewKeyFromSeed(random(ed25519.SeedSize)), time.Now())
		n.hangup <- syscall.SIGHUP
		eventually(t, "the new certificate", func() bool { return shows(t, n, p.own).Equal(cert) })
		c.listed(n.opt.Config.ID, cert)
		p.Save(note(byte(20+i), "after"))
		if after := p.receiptFrom(n); after == before {
			t.Fatal("it signs with the old key")
		}
		all, err := n.ledger.NodeCertificates(n.opt.Config.ID)
		if err != nil || len(all) < 2 {
			t.Fatalf("%d certificates are kept, %v: what the old one signed cannot be checked", len(all), err)
		}
	}
	p.sync(c.nodes[0])
	c.equalStates()
}

// TestCertificateRenewed: a node whose certificate has less than half of its time left renews it
// by itself, over the same key; one that ends soon is told of until then.
func TestCertificateRenewed(t *testing.T) {
	c := newCity(t, 1, gate.Capacity{Patience: patience})
	n := c.nodes[0]
	first := n.trust.Live().Cert
	old := replace(t, n, nil, time.Now().AddDate(-10, 0, 20))
	wantCode(t, health.CheckCertificate(trust.NodeCertFile, old.NotAfter, time.Now()), syncproto.CodeCertificateOld)
	n.hangup <- syscall.SIGHUP
	eventually(t, "a renewed certificate", func() bool {
		is := n.trust.Live().Cert
		return !is.Equal(first) && is.NotAfter.After(time.Now().AddDate(9, 0, 0))
	})
	is := n.trust.Live()
	if is.Cert.Equal(old) || !is.Key.Equal(n.trust.Own.Key) || n.checkCertificate(t.Context()) != nil {
		t.Fatal("not renewed")
	}
	c.listed("n1", is.Cert)
	kept, err := trust.Open(n.dir, testWorld().Rand)
	if err != nil || !kept.Own.Cert.Equal(is.Cert) {
		t.Fatal("the file has another one", err)
	}
}
