package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/rpc/wire"
	"unionsync/server/archive"
	"unionsync/server/census"
	"unionsync/server/cluster"
	"unionsync/server/gate"
	"unionsync/server/health"
	"unionsync/server/ledger"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// Options are what a node needs beside its folder.
type Options struct {
	Dir     string
	Config  *Config
	World   World
	Log     *slog.Logger
	Version string
	// Checks is how often a part of the nodes' states is compared; default 1 minute, never if
	// it is negative: for tests that look at each entry.
	Checks time.Duration
	// Capacity bounds what the door does at once; zero values mean its defaults.
	Capacity gate.Capacity
	// Env gives the keys of an archive target; nil: the process's environment.
	Env func(string) string
	// Ready is called once, when the node answers and belongs to the centre; may be nil.
	Ready func(Ready)
	// Recent keeps the newest lines of Log for the bundle of the debug command; may be nil.
	Recent *health.Recent
	// Reload makes the node look at once whether its certificate was replaced, as it does every
	// minute by itself; nil: nobody asks.
	Reload <-chan os.Signal
	// Notify tells the system's service manager how the node is; nil: there is none.
	Notify func(state string) error
}

// Ready says where a node can be reached.
type Ready struct {
	Node string `json:"node"`
	API  string `json:"api"`  // URL for agents and operators
	Raft string `json:"raft"` // address for the other nodes
	// Health is the address of /readyz and /metrics; empty: there is none.
	Health string `json:"health,omitempty"`
}

// Node is one node of the centre. Open it with [Open]; [Node.Run] works and closes it.
type Node struct {
	opt      Options
	trust    *trust.Node
	ledger   *ledger.Ledger
	cluster  *cluster.Node
	items    *cluster.Proposer
	gate     *gate.Gate
	keeper   *archive.Keeper // nil: no archive target is configured
	census   atomic.Pointer[census.Census]
	client   *http.Client // to the other nodes
	listener net.Listener
	url      string
	logID    []byte        // of the raft log that this node belongs to
	joined   atomic.Bool   // this node has been a member since its start
	starts   atomic.Uint64 // of nodes, that this one was told of
	health   *health.Health
	healthAt net.Listener // nil: there is none
	checks   health.Checks
	meter    *health.Meter
}

// Open opens identity, door, state, log and archive, in this order: a second process on the same
// folder meets the taken address first. What was opened is closed again when a later step
// fails.
func Open(opt Options) (*Node, error) {
	n := &Node{opt: opt}
	for _, step := range []func() error{n.openTrust, n.openDoor, n.hasRoom, n.openLedger, n.sound, n.openLogID, n.openCluster, n.openHealth, n.openArchive, n.openGate} {
		if err := step(); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	return n, nil
}

func (n *Node) openTrust() error {
	var err error
	if n.trust, err = trust.Open(n.opt.Dir, n.opt.World.Rand); err != nil {
		return err
	}
	if id := n.trust.ID(); id != n.opt.Config.ID {
		return badConfig(configFile, fmt.Errorf("id is %q, the certificate is of %q", n.opt.Config.ID, id))
	}
	n.client = wire.NewClient(wire.ClientConfig{TLS: tlsid.LiveClientTLS(n.trust.Live), HTTP2: true, Conns: 8})
	return nil
}

// openDoor takes the address; nobody is answered before [Node.Run].
func (n *Node) openDoor() error {
	var err error
	if n.listener, err = net.Listen("tcp", n.opt.Config.Listen); err != nil {
		return syncproto.Fail(syncproto.CodeListen, "listen", err, "address", n.opt.Config.Listen)
	}
	n.url, err = n.opt.Config.apiURL(n.listener.Addr().String())
	return err
}

func (n *Node) openLedger() error {
	var err error
	n.ledger, err = ledger.Open(ledger.Config{
		Dir: filepath.Join(n.opt.Dir, ledgerDir), Key: n.trust.City.StoreKey(n.opt.Config.ID), Log: n.opt.Log,
	})
	return err
}

func (n *Node) openCluster() error {
	cfg, err := clusterConfig(&n.opt, n.trust)
	if err != nil {
		return err
	}
	cfg.LogID, cfg.Lead = n.logID, n.lead
	n.cluster, err = cluster.Open(cfg, machine{n.ledger})
	if err != nil {
		return err
	}
	n.items = n.cluster.NewProposer(pool(n.now, n.opt.Log))
	return nil
}

// clusterConfig is the part of the cluster's configuration that a recovery needs too.
func clusterConfig(opt *Options, own *trust.Node) (cluster.Config, error) {
	heartbeat, err := opt.Config.heartbeat()
	if err != nil {
		return cluster.Config{}, badConfig(configFile, err)
	}
	snapshotLog, err := opt.Config.snapshotLog()
	if err != nil {
		return cluster.Config{}, badConfig(configFile, err)
	}
	return cluster.Config{
		Dir: filepath.Join(opt.Dir, raftDir), Listen: opt.Config.Raft, Advertise: opt.Config.RaftAdvertise,
		Own: own.Own, Live: own.Live, DataKey: own.City.DataKey(), Rand: opt.World.Rand, Log: opt.Log,
		Timing: cluster.Timing{Heartbeat: heartbeat}, Space: cluster.Space{SnapshotBytes: snapshotLog},
	}, nil
}

func (n *Node) openGate() error {
	window, err := n.opt.Config.window()
	if err != nil {
		return badConfig(configFile, err)
	}
	capacity, err := n.opt.Config.capacity(n.opt.Capacity)
	if err != nil {
		return badConfig(configFile, err)
	}
	log := &replicated{node: n.cluster, items: n.items, l: n.ledger}
	n.gate, err = gate.New(gate.Config{
		Node: n.trust, Ledger: n.ledger, Log: log, Members: log, Cluster: log, LogID: n.logID, Started: func(string) { n.starts.Add(1) }, Census: n.census.Load, Client: n.client,
		Rand: n.opt.World.Rand, Now: n.opt.World.Now, Logger: n.opt.Log, Version: n.opt.Version, Window: window, Capacity: capacity,
		Archive: n.keeper,
		Meter:   n.meter, Checks: n.checks, Health: n.healthAddress(),
	})
	return err
}

// now is the time for log entries: the node's clock, never before what the log has.
func (n *Node) now() int64 { return max(n.opt.World.Now().Unix(), n.ledger.Time()) }

// Run works until ctx ends or a room fails for good, stops in the reverse order of the
// start, closes the node and gives the reason; nil if that was ctx.
func (n *Node) Run(ctx context.Context) error {
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	lower, below := errgroup.WithContext(base)
	lower.Go(func() error { return ended(below, "cluster", n.cluster.Run(below)) })
	lower.Go(func() error { return ended(below, "proposer", n.items.Run(below)) })

	work, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(below, cancel)()
	defer n.stopAfter(work)()
	upper, above := errgroup.WithContext(work)
	upper.Go(func() error { return ended(above, "health", n.health.Run(above, n.healthAt)) })
	upper.Go(func() error { return n.gate.Serve(above, n.listener) })
	upper.Go(func() error { return ended(above, "gate", n.gate.Run(above)) })
	upper.Go(func() error { return ended(above, "census", n.runCensus(above)) })
	upper.Go(func() error { return ended(above, "membership", n.runMembership(above)) })
	if n.keeper != nil {
		upper.Go(func() error { return ended(above, "archive", n.keeper.Run(above)) })
	}
	upper.Go(func() error { return ended(above, "belonging", n.runBelonging(above)) })
	upper.Go(func() error { return ended(above, "checks", n.runChecks(above)) })
	upper.Go(func() error { return ended(above, "disk", n.runRoom(above)) })
	upper.Go(func() error { return ended(above, "certificate", n.runRenewal(above)) })
	upper.Go(func() error { return ended(above, "memory", n.runTrim(above)) })

	err := upper.Wait() // the door first: nothing comes in any more
	stop()
	return errors.Join(err, lower.Wait(), n.close())
}

// ended gives the error of a task that ended before it was told to.
func ended(ctx context.Context, task string, err error) error {
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())) {
		return nil
	}
	if err == nil {
		err = errors.New("it ended by itself")
	}
	return fmt.Errorf("%s: %w", task, err)
}

// close closes what is open, the last opened first. All of it can be closed twice but the
// ledger, which nobody else closes.
func (n *Node) close() error {
	var errs []error
	if n.cluster != nil {
		errs = append(errs, n.cluster.Close())
	}
	if n.listener != nil {
		if err := n.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if n.healthAt != nil {
		if err := n.healthAt.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if n.ledger != nil {
		errs = append(errs, n.ledger.Close())
	}
	if n.client != nil {
		n.client.CloseIdleConnections()
	}
	return errors.Join(errs...)
}
