package trust

import (
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"io"
	"path/filepath"

	"unionsync/syncproto"
)

// Joining is a new node on its way into the cluster: it has the cluster key from its
// operator and a key of its own, and needs a certificate and the sealed secrets. It asks
// for them over a connection pinned to the key's CA (tlsid.AnonymousTLS).
type Joining struct {
	Key  ClusterKey
	priv ed25519.PrivateKey
	dir  string
}

// BeginJoin reads cluster.key from dir, which must hold no other part of an identity, and
// draws the node's key. Nothing is written before [Joining.Finish].
func BeginJoin(dir string, rand io.Reader) (*Joining, error) {
	if err := vacant(dir, CityFile, NodeKeyFile, NodeCertFile); err != nil {
		return nil, err
	}
	key, err := ReadClusterKey(filepath.Join(dir, ClusterKeyFile))
	if err != nil {
		return nil, err
	}
	priv, err := newKey(rand)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	return &Joining{Key: key, priv: priv, dir: dir}, nil
}

// Public is the key to be certified.
func (j *Joining) Public() ed25519.PublicKey { return j.priv.Public().(ed25519.PublicKey) }

// Proof goes along with the key: see [ClusterKey.CheckJoin].
func (j *Joining) Proof() []byte { return j.Key.JoinProof(j.Public()) }

// Finish checks what the cluster answered and writes the node's identity.
func (j *Joining) Finish(sealed, certDER []byte, rand io.Reader) (*Node, error) {
	city, err := OpenCity(sealed, j.Key, rand)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeCertificate, "join", err)
	}
	n, err := newNode(city, j.Key, j.priv, cert)
	if err != nil {
		return nil, err
	}
	if err := n.write(j.dir); err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	return n, nil
}
