package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"unionsync/internal/atomicfile"
	"unionsync/internal/rpc/tlsid"
)

// Live is the identity that the node shows now. It is that with which it was opened until
// [Node.Reload] or [Node.Renew]; the CA stays for ever. It may be called at any time by anybody.
func (n *Node) Live() tlsid.Own {
	if own := n.live.Load(); own != nil {
		return *own
	}
	return n.Own
}

// RenewalDue reports whether less than half of the certificate's time is left.
func (n *Node) RenewalDue(now time.Time) bool {
	c := n.Live().Cert
	return c.NotAfter.Sub(now) < c.NotAfter.Sub(c.NotBefore)/2
}

// Renew certifies the node's key anew, for the same names, writes node.crt, and shows it from
// then on. The old certificate stays good.
func (n *Node) Renew(dir string, now time.Time) error {
	own := n.Live()
	hosts := slices.Clone(own.Cert.DNSNames)
	for _, ip := range own.Cert.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	hosts = slices.DeleteFunc(hosts, func(h string) bool { return slices.Contains(everyNode, h) })
	cert, err := n.City.SignNode(own.Key.Public().(ed25519.PublicKey), n.ID(), hosts, now)
	if err != nil {
		return fmt.Errorf("renew certificate: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	if err := atomicfile.Write(filepath.Join(dir, NodeCertFile), text, 0o600); err != nil {
		return fmt.Errorf("renew certificate: %w", err)
	}
	own.Cert = cert
	n.live.Store(&own)
	return nil
}

// Reload reads node.key and node.crt again and shows what they hold, if it is not what is
// shown already. Files that do not belong together, as between the writing of one and of the
// other, or that are of another node or city, are an error and change nothing.
func (n *Node) Reload(dir string) (changed bool, err error) {
	priv, err := readKey(filepath.Join(dir, NodeKeyFile))
	if err != nil {
		return false, badFile(NodeKeyFile, err)
	}
	cert, err := readCert(filepath.Join(dir, NodeCertFile))
	if err != nil {
		return false, badFile(NodeCertFile, err)
	}
	if now := n.Live(); bytes.Equal(now.Cert.Raw, cert.Raw) && now.Key.Equal(priv) {
		return false, nil
	}
	is, err := newNode(n.City, n.Key, priv, cert)
	if err != nil {
		return false, err
	}
	if is.ID() != n.ID() {
		return false, badFile(NodeCertFile, errors.New("it is another node's"))
	}
	n.live.Store(&is.Own)
	return true, nil
}
