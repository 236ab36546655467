package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"connectrpc.com/connect"

	"unionsync/internal/atomicfile"
	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/unionrpc"
	"unionsync/internal/rpc/unionrpc/unionrpcconnect"
	"unionsync/internal/rpc/wire"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// World is what a node takes from outside.
type World struct {
	Rand io.Reader // cryptographically random, safe for concurrent use
	Now  func() time.Time
}

// Made says what [Init] or [Join] has made.
type Made struct {
	ID         string `json:"node"`
	Dir        string `json:"dir"`
	City       string `json:"city"`        // fingerprint of the CA
	ClusterKey string `json:"cluster_key"` // path of the file that further nodes need
}

// Init makes a new city and its first node in dir. Nothing runs yet: the first [Node.Run]
// begins the centre. The configuration is written last, so what a crash leaves cannot run.
func Init(dir string, c Config, w World) (*Made, error) {
	c.Founder = true
	if err := vacant(dir, &c); err != nil {
		return nil, err
	}
	n, err := trust.Init(dir, trust.Founding{City: c.City, NodeID: c.ID, Hosts: c.hosts(), Rand: w.Rand, Now: w.Now()})
	if err != nil {
		return nil, err
	}
	id, err := newLogID(w.Rand)
	if err != nil {
		return nil, err
	}
	if err := saveLogID(dir, id); err != nil {
		return nil, err
	}
	return made(dir, &c, n)
}

// vacant checks that a node can be made in dir.
func vacant(dir string, c *Config) error {
	if err := c.Validate(); err != nil {
		return badConfig(configFile, err)
	}
	_, err := os.Lstat(filepath.Join(dir, configFile))
	if err == nil {
		return syncproto.Fail(syncproto.CodeServerExists, "make node", nil, "dir", dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make node: %w", err)
	}
	return nil
}

func made(dir string, c *Config, n *trust.Node) (*Made, error) {
	if err := c.save(dir); err != nil {
		return nil, err
	}
	return &Made{
		ID: c.ID, Dir: dir, City: n.City.Fingerprint().String(), ClusterKey: filepath.Join(dir, trust.ClusterKeyFile),
	}, nil
}

// Joining says how a node joins a centre.
type Joining struct {
	Centre     string // address of a node that serves
	ClusterKey string // path of the cluster key; default: the one in the folder
}

// Join makes a further node in dir, certified by a node that serves. It becomes a member
// when it runs. When it is cut off it can be called again.
func Join(ctx context.Context, dir string, c Config, j Joining, w World) (*Made, error) {
	c.Founder = false
	if err := vacant(dir, &c); err != nil {
		return nil, err
	}
	centre, err := ParseURL(j.Centre)
	if err != nil {
		return nil, syncproto.Fail(syncproto.CodeInvalid, "join", err, "what", "centre")
	}
	if err := copyKey(dir, j.ClusterKey); err != nil {
		return nil, err
	}
	begun, err := trust.BeginJoin(dir, w.Rand)
	if err != nil {
		return nil, err
	}
	r, err := askToJoin(ctx, centre, begun, &c)
	if err != nil {
		return nil, err
	}
	n, err := begun.Finish(r.GetSealedKeys(), r.GetCertificate(), w.Rand)
	if err != nil {
		return nil, err
	}
	if err := saveNodes(dir, append([]string{centre}, r.GetAddresses()...)); err != nil {
		return nil, err
	}
	if err := saveLogID(dir, r.GetLogId()); err != nil {
		return nil, err
	}
	return made(dir, &c, n)
}

// copyKey puts the cluster key into the folder.
func copyKey(dir, from string) error {
	to := filepath.Join(dir, trust.ClusterKeyFile)
	if from == "" || filepath.Clean(from) == filepath.Clean(to) {
		return nil
	}
	key, err := trust.ReadClusterKey(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	return atomicfile.Write(to, key.Encode(), 0o600)
}

func askToJoin(ctx context.Context, centre string, j *trust.Joining, c *Config) (*unionrpc.JoinResponse, error) {
	client := wire.NewClient(wire.ClientConfig{TLS: tlsid.AnonymousTLS(j.Key.CA)})
	defer client.CloseIdleConnections()
	r, err := unionrpcconnect.NewAdminClient(client, centre, wire.ClientOptions(syncproto.MaxRequestBytes)).
		Join(ctx, connect.NewRequest(&unionrpc.JoinRequest{
			Node: c.ID, PublicKey: j.Public(), Proof: j.Proof(), Hosts: c.hosts(),
		}))
	if err != nil {
		return nil, wire.Decode("join", err)
	}
	return r.Msg, nil
}
