package trust

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"unionsync/internal/atomicfile"
	"unionsync/internal/rpc/tlsid"
	"unionsync/syncproto"
)

// Names of the files in a node's identity folder.
const (
	ClusterKeyFile = "cluster.key"
	CityFile       = "city.sealed"
	NodeKeyFile    = "node.key"
	NodeCertFile   = "node.crt"
)

// Node is a node's identity and the city's keys, opened.
type Node struct {
	City *City
	Key  ClusterKey
	Own  tlsid.Own // as it was opened; see [Node.Live]

	live atomic.Pointer[tlsid.Own] // nil: Own
}

// ID is the node's id.
func (n *Node) ID() string {
	id, err := n.Own.Identity()
	if err != nil {
		panic(fmt.Sprintf("identity of an opened node: %v", err)) // checked when it was opened
	}
	return id.ID
}

// Founding says what [Init] is to make.
type Founding struct {
	City   string   // the city's name, for the CA's certificate
	NodeID string   // of the first node
	Hosts  []string // names and addresses by which others reach the node; localhost is added
	Rand   io.Reader
	Now    time.Time
}

// Init makes a new city and its first node in dir, which must hold no identity yet
// ([syncproto.CodeTrustExists]). A crash in the middle leaves files without node.crt: a
// city that nobody has seen; empty the folder and begin again.
func Init(dir string, f Founding) (*Node, error) {
	if err := vacant(dir, ClusterKeyFile, CityFile, NodeKeyFile, NodeCertFile); err != nil {
		return nil, err
	}
	city, key, err := Found(f.Rand, f.City, f.Now)
	if err != nil {
		return nil, fmt.Errorf("init identity: %w", err)
	}
	priv, err := newKey(f.Rand)
	if err != nil {
		return nil, fmt.Errorf("init identity: %w", err)
	}
	cert, err := city.SignNode(priv.Public().(ed25519.PublicKey), f.NodeID, f.Hosts, f.Now)
	if err != nil {
		return nil, fmt.Errorf("init identity: %w", err)
	}
	n := &Node{City: city, Key: key, Own: tlsid.Own{Key: priv, Cert: cert, CA: city.Certificate()}}
	if err := n.write(dir); err != nil {
		return nil, fmt.Errorf("init identity: %w", err)
	}
	return n, nil
}

// Open reads a node's identity from dir and checks that its parts belong together.
func Open(dir string, rand io.Reader) (*Node, error) {
	key, err := ReadClusterKey(filepath.Join(dir, ClusterKeyFile))
	if err != nil {
		return nil, err
	}
	sealed, err := os.ReadFile(filepath.Join(dir, CityFile))
	if err != nil {
		return nil, badFile(CityFile, err)
	}
	city, err := OpenCity(sealed, key, rand)
	if err != nil {
		return nil, err
	}
	priv, err := readKey(filepath.Join(dir, NodeKeyFile))
	if err != nil {
		return nil, badFile(NodeKeyFile, err)
	}
	cert, err := readCert(filepath.Join(dir, NodeCertFile))
	if err != nil {
		return nil, badFile(NodeCertFile, err)
	}
	return newNode(city, key, priv, cert)
}

// newNode checks that the certificate is a node's, of this city, and over this key.
func newNode(city *City, key ClusterKey, priv ed25519.PrivateKey, cert *x509.Certificate) (*Node, error) {
	id, err := tlsid.Verify(cert, city.Certificate(), tlsid.RoleNode)
	if err != nil {
		return nil, badFile(NodeCertFile, err)
	}
	if !id.Key.Equal(priv.Public()) {
		return nil, badFile(NodeCertFile, errors.New("it is over another key than node.key"))
	}
	return &Node{City: city, Key: key, Own: tlsid.Own{Key: priv, Cert: cert, CA: city.Certificate()}}, nil
}

// write puts the identity into dir. node.crt comes last: with it the identity is complete.
func (n *Node) write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(n.Own.Key)
	if err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{ClusterKeyFile, n.Key.Encode()},
		{CityFile, n.City.Sealed()},
		{NodeKeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})},
		{NodeCertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.Own.Cert.Raw})},
	} {
		if err := atomicfile.Write(filepath.Join(dir, f.name), f.data, 0o600); err != nil {
			return fmt.Errorf("write identity: %w", err)
		}
	}
	return nil
}

// vacant fails when one of the files is there already: none is ever overwritten.
func vacant(dir string, names ...string) error {
	for _, name := range names {
		_, err := os.Lstat(filepath.Join(dir, name))
		switch {
		case err == nil:
			return syncproto.Fail(syncproto.CodeTrustExists, "make identity", fmt.Errorf("%s is there", name), "dir", dir)
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("make identity: %w", err)
		}
	}
	return nil
}

func readKey(path string) (ed25519.PrivateKey, error) {
	der, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	priv, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("it is not an Ed25519 key")
	}
	return priv, nil
}

func readCert(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func readPEM(path, kind string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("no PEM block %q", kind)
	}
	return block.Bytes, nil
}

func badFile(name string, err error) error {
	return syncproto.Fail(syncproto.CodeTrustFile, "open identity", err, "file", name)
}
