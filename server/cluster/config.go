package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/syncproto"
)

// Config is what a node needs. Zero values of optional fields take the default named.
type Config struct {
	Dir       string     // folder of its own for log and snapshots; made when missing
	Listen    string     // host:port on which the other nodes are heard; port 0 picks one
	Advertise string     // host:port by which they reach this node; default: where it listens
	Own       tlsid.Own  // the node's certificate and key; its id is the raft id
	Live      tlsid.Live // what new connections show, if Own is renewed while the node runs; default: Own
	DataKey   *[32]byte  // encrypts entries and snapshots; the same on all nodes
	LogID     []byte     // names the raft log: no node of another one is spoken to; at most 32 bytes
	Rand      io.Reader  // cryptographically random, safe for concurrent use
	Log       *slog.Logger
	Timing    Timing
	Space     Space

	// Admit is asked about each node that connects, after its certificate has been checked;
	// nil admits every node of the city. It must not block.
	Admit func(tlsid.Identity) error

	// Lead, if set, runs while this node leads, from when everything committed before is
	// applied here until ctx ends with the lead. It must return soon then: the next lead
	// waits for it. It must not be needed for the node's own work.
	Lead func(ctx context.Context, term uint64)
}

// Timing says how soon a lost leader is noticed, and how patient the node is.
//
// A follower that has heard nothing for between one and two Heartbeats stands for election.
// The default of 1.5 s makes a lost leader cost 2 to 4 s, and is quiet on machines of their
// own. Where several nodes share two busy cores, as in bulk loading tests, a leader of 1 s
// was lost for no reason and one of 3 s never; losing one is safe, but costs such a pause. With
// 3 s a lost leader costs 4 to 8 s: still within the ten in which a centre is to be back, and
// more than 3 s are not.
type Timing struct {
	Heartbeat time.Duration // also of elections and of the leader's lease; default 1.5 s
	Commit    time.Duration // idle followers learn of the last commit within this; default 50 ms
	Transport time.Duration // one message to another node, per 256 KiB of a snapshot; default 10 s
	Check     time.Duration // how often it is looked whether a snapshot is due; default 10 s
}

// Space bounds the raft log on disk. The log holds what came since the last snapshot, plus
// what is kept for followers that were away.
type Space struct {
	EntryBytes    int    // one entry before compression; default syncproto.MaxEntryBytes
	SnapshotBytes int64  // bytes of log since the last snapshot that call for one; default 256 MiB
	SnapshotLogs  uint64 // entries since the last snapshot that call for one; default 100,000
	TrailingBytes int64  // bytes of log kept behind a snapshot; default 128 MiB
	SegmentBytes  int    // of a log file, the unit in which space is given back; default 32 MiB
	Snapshots     int    // how many are kept; default 2
	AppendEntries int    // entries in one message to a follower; default 16
}

// maxLogID bounds Config.LogID: it is part of a name in TLS, which has at most 255 bytes.
const maxLogID = 32

func (t *Timing) setDefaults() {
	setDefault(&t.Heartbeat, 1500*time.Millisecond)
	setDefault(&t.Commit, 50*time.Millisecond)
	setDefault(&t.Transport, 10*time.Second)
	setDefault(&t.Check, 10*time.Second)
}

func (s *Space) setDefaults() {
	setDefault(&s.EntryBytes, syncproto.MaxEntryBytes)
	setDefault(&s.SnapshotBytes, 256<<20)
	setDefault(&s.SnapshotLogs, 100_000)
	setDefault(&s.TrailingBytes, 128<<20)
	setDefault(&s.SegmentBytes, 32<<20)
	setDefault(&s.Snapshots, 2)
	setDefault(&s.AppendEntries, 16)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate fills in the defaults and says what is missing or impossible.
func (c *Config) Validate() error {
	c.Timing.setDefaults()
	c.Space.setDefaults()
	var faults []error
	for _, f := range []struct {
		bad  bool
		what string
	}{
		{c.Dir == "", "no folder"},
		{c.Listen == "", "no address to listen on"},
		{c.Own.Cert == nil || c.Own.CA == nil || c.Own.Key == nil, "no certificate"},
		{c.DataKey == nil, "no data key"},
		{len(c.LogID) > maxLogID, "a log id that is too long"},
		{c.Rand == nil, "no randomness"},
		{c.Log == nil, "no logger"},
		{c.Timing.Heartbeat < 10*time.Millisecond, "a heartbeat below 10 ms"},
		{c.Timing.Commit < time.Millisecond, "a commit time below 1 ms"},
		{c.Space.EntryBytes < 1 || c.Space.SnapshotBytes < 1 || c.Space.TrailingBytes < 1, "a size below 1"},
		{c.Space.Snapshots < 1, "fewer than one snapshot"},
		{c.Space.AppendEntries < 1 || c.Space.AppendEntries > 1024, "entries in a message not between 1 and 1024"},
	} {
		if f.bad {
			faults = append(faults, errors.New(f.what))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("cluster config: %w", err)
	}
	return nil
}
