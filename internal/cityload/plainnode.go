package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/klauspost/compress/zstd"

	"unionsync/server/ledger"
)

// plainNode is one of three that only store: hashicorp/raft before Badger.
type plainNode struct {
	id, dir string
	peers   []string // id=address, the own one too
	db      *badger.DB
	log     *wal.WAL
	raft    *raft.Raft
	enc     *zstd.Encoder
	dec     *zstd.Decoder
	out     io.Writer
	ts      uint64 // owned by Apply

	heartbeat time.Duration // 0: plainHeartbeat
}

// The nodes of the product have these.
const (
	plainHeartbeat = 3 * time.Second
	plainSegment   = 32 << 20
	plainAppend    = 16
	plainTimeout   = 10 * time.Second
)

func (n *plainNode) open() (err error) {
	key := new([32]byte)
	cfg := ledger.Config{Dir: filepath.Join(n.dir, "store"), Key: key, Log: slog.New(slog.DiscardHandler)}
	if n.db, err = badger.OpenManaged(ledger.StoreOptions(cfg, cfg.Dir)); err != nil {
		return fmt.Errorf("open plain store: %w", err)
	}
	if n.enc, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true)); err != nil {
		return fmt.Errorf("open plain node: %w", err)
	}
	if n.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1)); err != nil {
		return fmt.Errorf("open plain node: %w", err)
	}
	dir := filepath.Join(n.dir, "log")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("open plain log: %w", err)
	}
	quiet := hclog.NewNullLogger()
	if n.log, err = wal.Open(dir, wal.WithLogger(quiet), wal.WithSegmentSize(plainSegment)); err != nil {
		return fmt.Errorf("open plain log: %w", err)
	}
	return n.openRaft(quiet)
}

func (n *plainNode) openRaft(quiet hclog.Logger) error {
	var servers raft.Configuration
	own := ""
	for _, p := range n.peers {
		id, address, _ := strings.Cut(p, "=")
		servers.Servers = append(servers.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(address)})
		if id == n.id {
			own = address
		}
	}
	trans, err := raft.NewTCPTransportWithLogger(own, nil, 3, plainTimeout, quiet)
	if err != nil {
		return fmt.Errorf("open plain node: %w", err)
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(n.dir, 1, quiet)
	if err != nil {
		return fmt.Errorf("open plain node: %w", err)
	}
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = raft.ServerID(n.id), quiet
	beat := cmp.Or(n.heartbeat, plainHeartbeat)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = beat, beat, beat
	c.MaxAppendEntries, c.NoLegacyTelemetry = plainAppend, true
	c.SnapshotThreshold, c.SnapshotInterval = 1<<62, 24*time.Hour
	if n.raft, err = raft.NewRaft(c, n, n.log, n.log, snaps, trans); err != nil {
		return fmt.Errorf("open plain node: %w", err)
	}
	if n.leads() {
		if err := n.raft.BootstrapCluster(servers).Error(); err != nil {
			return fmt.Errorf("begin plain cluster: %w", err)
		}
	}
	return nil
}

// leads reports whether this node is the first: it alone knows the others at the beginning, and so
// is elected.
func (n *plainNode) leads() bool { return strings.HasPrefix(n.peers[0], n.id+"=") }

func (n *plainNode) close() error {
	var errs []error
	if n.raft != nil {
		errs = append(errs, n.raft.Shutdown().Error())
	}
	if n.log != nil {
		errs = append(errs, n.log.Close())
	}
	if n.db != nil {
		errs = append(errs, n.db.Close())
	}
	return errors.Join(errs...)
}

// endMark is the last entry.
var endMark = []byte("end")

// Apply implements [raft.FSM]: the entry's keys in one transaction, with the entry's index.
func (n *plainNode) Apply(l *raft.Log) any {
	if bytes.Equal(l.Data, endMark) {
		fmt.Fprintln(n.out, "end")
		return nil
	}
	data, err := n.dec.DecodeAll(l.Data, nil)
	if err != nil {
		return err
	}
	txn := n.db.NewTransactionAt(n.ts, true)
	defer txn.Discard()
	for len(data) > 0 {
		var key, value []byte
		if key, data, err = cut(data); err == nil {
			value, data, err = cut(data)
		}
		if err == nil {
			err = txn.Set(key, value)
		}
		if err != nil {
			return err
		}
	}
	if err := txn.Set([]byte("applied"), binary.BigEndian.AppendUint64(nil, l.Index)); err != nil {
		return err
	}
	n.ts++
	if err := txn.CommitAt(n.ts, nil); err != nil {
		return err
	}
	n.db.SetDiscardTs(n.ts)
	return nil
}

// cut takes a part with its length before it off the front.
func cut(b []byte) (part, rest []byte, err error) {
	size, k := binary.Uvarint(b)
	if k <= 0 || uint64(len(b)-k) < size {
		return nil, nil, errors.New("read plain entry: cut short")
	}
	return b[k : k+int(size)], b[k+int(size):], nil
}

func appendPart(b, part []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// Snapshot implements [raft.FSM]: none is taken.
func (n *plainNode) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("no snapshots here") }

// Restore implements [raft.FSM].
func (n *plainNode) Restore(io.ReadCloser) error { return errors.New("no snapshots here") }

// awaitLead waits until this node leads.
func (n *plainNode) awaitLead(ctx context.Context) error {
	for n.raft.State() != raft.Leader || n.raft.Barrier(plainTimeout).Error() != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
