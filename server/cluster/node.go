package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"

	"unionsync/internal/rpc/tlsid"
)

// Node is one replica. After [Open] it takes part in the cluster; [Node.Run] keeps it at
// work and closes it. Its methods may be called at any time by anybody, but see [Node.Close].
type Node struct {
	cfg   Config
	id    string
	shell *shell
	log   *watchedLog
	snaps raft.SnapshotStore
	trans *steady
	addr  string // by which the others reach this node
	raft  *raft.Raft

	peers   peers         // who does not answer while this node leads
	leads   chan bool     // raft's news of this node's lead; raft waits when it is full
	faulty  atomic.Bool   // the machine lacks an entry, or the disk fails: nothing here counts
	leading atomic.Uint64 // the term of a lead that is ready for work; 0: none
	leadMu  sync.Mutex    // held by the one lead at work

	failed  chan error     // the first fault that stops the node
	closing chan struct{}  // closed when the node begins to stop
	closed  chan struct{}  // closed when it has stopped
	waits   sync.WaitGroup // see wait; nobody waits for it
	once    sync.Once
	err     error // of Close; set before closed is closed
}

// Open starts a replica of m on the folder cfg.Dir. What it finds there it carries on
// with; an empty folder waits for [Node.Bootstrap], or for a leader that adds this node.
func Open(cfg Config, m Machine) (*Node, error) {
	n, err := newNode(cfg)
	if err != nil {
		return nil, err
	}
	if err := n.start(m); err != nil {
		return nil, errors.Join(err, n.release())
	}
	return n, nil
}

func newNode(cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	id, err := tlsid.Verify(cfg.Own.Cert, cfg.Own.CA, tlsid.RoleNode)
	if err != nil {
		return nil, fmt.Errorf("open node: %w", err)
	}
	return &Node{
		cfg: cfg, id: id.ID, leads: make(chan bool, 64), failed: make(chan error, 1),
		closing: make(chan struct{}), closed: make(chan struct{}),
	}, nil
}

// start opens in this order: log, snapshots, check of the state, network, raft. Nobody
// hears of the node before its state is known to be right.
func (n *Node) start(m Machine) error {
	hlog := newRaftLog(n.cfg.Log)
	if err := n.openDisk(m, hlog); err != nil {
		return err
	}
	restored, err := checkState(n.snaps, n.log, n.shell)
	if err != nil {
		return err
	}
	if restored {
		n.cfg.Log.Warn("state was behind its snapshot and has been restored from it", "applied", m.Applied())
	}
	layer, err := listen(&n.cfg)
	if err != nil {
		return err
	}
	n.addr = layer.advertise
	n.trans = newSteady(raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Logger: hlog.silenced("transport"), Stream: layer, MaxPool: 3, Timeout: n.cfg.Timing.Transport,
	}), n.cfg.Timing.Transport, n.closing)
	n.raft, err = raft.NewRaft(n.raftConfig(hlog), n.shell, n.log, n.log, n.snaps, n.trans)
	if err != nil {
		return fmt.Errorf("open node: start raft: %w", err)
	}
	n.trans.raft.Store(n.raft)
	n.peers.watch(n.raft)
	return nil
}

// openDisk opens what the node has on disk: log and snapshots.
func (n *Node) openDisk(m Machine, hlog *raftLog) error {
	codec, err := newCodec(n.cfg.DataKey, n.cfg.Rand, n.cfg.Space.EntryBytes)
	if err != nil {
		return fmt.Errorf("open node: %w", err)
	}
	n.shell = &shell{machine: m, codec: codec, dataKey: n.cfg.DataKey, fail: n.fail}
	store, err := openLog(filepath.Join(n.cfg.Dir, "log"), n.cfg.Space.SegmentBytes, hlog.Named("wal"))
	if err != nil {
		return err
	}
	if n.log, err = watchLog(store, n.fail); err != nil {
		return errors.Join(logError(n.cfg.Dir, err), store.Close())
	}
	n.snaps, err = raft.NewFileSnapshotStoreWithLogger(n.cfg.Dir, n.cfg.Space.Snapshots, hlog.Named("snapshot"))
	if err != nil {
		return logError(n.cfg.Dir, err)
	}
	return nil
}

func (n *Node) raftConfig(hlog *raftLog) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.id)
	c.HeartbeatTimeout = n.cfg.Timing.Heartbeat
	c.ElectionTimeout = n.cfg.Timing.Heartbeat
	c.LeaderLeaseTimeout = n.cfg.Timing.Heartbeat
	c.CommitTimeout = n.cfg.Timing.Commit
	c.MaxAppendEntries = n.cfg.Space.AppendEntries
	c.NoSnapshotRestoreOnStart = true // see checkState
	c.ShutdownOnRemove = false        // a removed node stays up and says what it is
	c.SnapshotThreshold = math.MaxUint64
	c.SnapshotInterval = 24 * time.Hour // compact decides, by bytes
	c.TrailingLogs = n.log.newest(n.cfg.Space.TrailingBytes)
	c.NotifyCh = n.leads
	c.NoLegacyTelemetry = true
	c.Logger = hlog
	return c
}

// Run keeps the node at work until ctx ends or the node must stop, closes it, and gives
// the reason; nil if that was ctx. A leader hands its lead over first.
func (n *Node) Run(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return n.watchLead(gctx) })
	group.Go(func() error { return n.compact(gctx) })
	group.Go(func() error {
		select {
		case err := <-n.failed:
			return err
		case <-n.closing:
			return ErrStopped
		case <-gctx.Done():
			return nil
		}
	})
	err := group.Wait()
	if err == nil {
		n.handOver()
	}
	if errors.Is(err, ErrStopped) { // somebody called Close
		err = nil
	}
	return errors.Join(err, n.Close())
}

// fail tells Run to stop; only the first fault counts.
func (n *Node) fail(err error) {
	n.faulty.Store(true)
	select {
	case n.failed <- err:
		n.cfg.Log.Error("node stops", "error", err)
	default:
	}
}

// handOver lets another voter lead before this node goes, so that nobody waits for an
// election. It is a courtesy: whatever goes wrong, the election follows.
func (n *Node) handOver() {
	if !n.IsLeader() || n.otherVoters() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*n.cfg.Timing.Heartbeat)
	defer cancel()
	if err := n.TransferLeadership(ctx, ""); err != nil {
		n.cfg.Log.Warn("lead was not handed over", "error", err)
	}
}

// Close stops the node at once. Calls that are waiting return [ErrUnknownOutcome] or
// [ErrStopped]. The machine is not closed: it belongs to the caller, who may do so now.
func (n *Node) Close() error {
	n.once.Do(func() {
		close(n.closing)
		n.leading.Store(0)
		n.err = n.release()
		close(n.closed)
	})
	<-n.closed
	return n.err
}

// release stops what start has started: network and raft with all its goroutines, so that
// the machine and the log are used by nobody; then log and codec.
func (n *Node) release() error {
	var errs []error
	var raftEnd raft.Future
	if n.raft != nil {
		raftEnd = n.raft.Shutdown()
	}
	if n.trans != nil {
		errs = append(errs, n.trans.Close()) // ends what raft may be waiting for
	}
	if raftEnd != nil {
		errs = append(errs, raftEnd.Error())
	}
	if n.trans != nil {
		n.trans.deafen()
	}
	if n.log != nil {
		errs = append(errs, n.log.Close())
	}
	if n.shell != nil {
		n.shell.codec.close()
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close node: %w", err)
	}
	return nil
}

func (n *Node) stopping() bool {
	select {
	case <-n.closing:
		return true
	default:
		return false
	}
}
