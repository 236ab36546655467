package cluster

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/raft"

	"unionsync/internal/rpc/tlsid"
	"unionsync/syncproto"
)

// SeedIndex is the index that a machine must stand at when a cluster is seeded with it.
const SeedIndex = 1

// seedTerm is the term of a seeded log's beginning; leaders come in later ones.
const seedTerm = 1

// termKey is under what raft keeps its term.
var termKey = []byte("CurrentTerm")

// Seed makes the folder of a new cluster, whose only member is the node of cfg at an address,
// out of a machine that has a state already, as after a restore. What the log begins with is
// a snapshot of the machine: nodes that join get it, as they would never get the state from
// the entries alone. The machine stands at [SeedIndex], never at 0: a node that crashed
// between getting the snapshot and restoring it must not be taken for one that has it. The
// snapshot is the commit point. A folder with a past fails with [syncproto.CodeBootstrapped].
func Seed(cfg Config, address string, m Machine) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if at := m.Applied(); at != SeedIndex {
		return fmt.Errorf("seed cluster: the machine stands at %d, want %d", at, SeedIndex)
	}
	id, err := tlsid.Verify(cfg.Own.Cert, cfg.Own.CA, tlsid.RoleNode)
	if err != nil {
		return fmt.Errorf("seed cluster: %w", err)
	}
	members := raft.Configuration{Servers: []raft.Server{
		{Suffrage: raft.Voter, ID: raft.ServerID(id.ID), Address: raft.ServerAddress(address)}}}
	if err := seedLog(cfg); err != nil {
		return err
	}
	return seedSnapshot(cfg, members, m)
}

// seedLog makes an empty log that has had its first term.
func seedLog(cfg Config) (err error) {
	store, err := openLog(filepath.Join(cfg.Dir, "log"), cfg.Space.SegmentBytes, newRaftLog(cfg.Log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	_, last, err := bounds(store)
	if err != nil {
		return err
	}
	if last > 0 {
		return syncproto.Fail(syncproto.CodeBootstrapped, "seed cluster", fmt.Errorf("the log goes up to %d", last))
	}
	return store.SetUint64(termKey, seedTerm)
}

func seedSnapshot(cfg Config, members raft.Configuration, m Machine) error {
	snaps, err := raft.NewFileSnapshotStoreWithLogger(cfg.Dir, cfg.Space.Snapshots, newRaftLog(cfg.Log))
	if err != nil {
		return logError(cfg.Dir, err)
	}
	if list, err := snaps.List(); err != nil || len(list) > 0 {
		return syncproto.Fail(syncproto.CodeBootstrapped, "seed cluster", err)
	}
	codec, err := newCodec(cfg.DataKey, cfg.Rand, cfg.Space.EntryBytes)
	if err != nil {
		return fmt.Errorf("seed cluster: %w", err)
	}
	defer codec.close()
	s := &shell{machine: m, codec: codec, dataKey: cfg.DataKey, fail: func(error) {}}
	pin, err := s.Snapshot()
	if err != nil {
		return fmt.Errorf("seed cluster: %w", err)
	}
	defer pin.Release()
	_, trans := raft.NewInmemTransport("") // it only writes addresses in their old form
	sink, err := snaps.Create(raft.SnapshotVersionMax, SeedIndex, seedTerm, members, SeedIndex, trans)
	if err != nil {
		return fmt.Errorf("seed cluster: %w", err)
	}
	if err := pin.Persist(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return fmt.Errorf("seed cluster: %w", err)
	}
	return nil
}
