package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"unionsync/syncproto"
)

// shell stands between raft and the machine: it decodes, delegates, and sees to it that a
// replica which could not apply an entry does nothing more. It is raft's FSM.
type shell struct {
	machine Machine
	codec   *codec
	dataKey *[32]byte
	fail    func(error) // tells the node to stop; returns at once

	broken error   // set once by Apply; owned by raft's FSM goroutine
	pin    *pinned // the newest snapshot, if not released; owned by raft's FSM goroutine
}

var (
	_ raft.FSM                = (*shell)(nil)
	_ raft.ConfigurationStore = (*shell)(nil)
)

// fault is the response to a proposal whose entry this replica could not apply.
type fault struct{ err error }

// Apply implements [raft.FSM]. An error is this replica's own fault: after it nothing is
// applied and no snapshot is taken, so what is on disk stays what it was, and the node
// stops. The log is replayed when it starts again.
func (s *shell) Apply(l *raft.Log) any {
	if s.broken != nil {
		return fault{s.broken}
	}
	data, err := s.codec.decode(l.Data)
	if err != nil {
		return s.breakAt(faultOf(syncproto.CodeEntryUnreadable, "read log entry", l.Index, err))
	}
	res, err := s.machine.Apply(l.Index, data)
	if syncproto.CodeOf(err) == syncproto.CodeLevelUnknown {
		return s.breakAt(err) // it says better than we what to do
	}
	if err != nil {
		return s.breakAt(faultOf(syncproto.CodeReplicaFault, "apply log entry", l.Index, err))
	}
	return res
}

func (s *shell) breakAt(err error) any {
	s.broken = err
	s.fail(err)
	return fault{err}
}

// StoreConfiguration implements [raft.ConfigurationStore]. The members are raft's own
// business; without this method raft would not count the entry as applied, and would
// refuse a snapshot until another entry comes.
func (s *shell) StoreConfiguration(uint64, raft.Configuration) {}

// Snapshot implements [raft.FSM].
func (s *shell) Snapshot() (raft.FSMSnapshot, error) {
	if s.broken != nil {
		return nil, s.broken
	}
	snap, err := s.machine.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("pin snapshot: %w", err)
	}
	s.pin = &pinned{shell: s, snap: snap, applied: s.machine.Applied()}
	return s.pin, nil
}

// Restore implements [raft.FSM]: another node has sent its snapshot.
func (s *shell) Restore(src io.ReadCloser) error {
	if s.broken != nil {
		return s.broken
	}
	if s.pin != nil {
		s.pin.Release() // waits while it is being written; raft may hold one that it never writes
		s.pin = nil
	}
	applied, err := s.restore(src)
	if syncproto.CodeOf(err) == syncproto.CodeLevelUnknown {
		s.breakAt(err) // of no use to try again
		return err
	}
	if err != nil {
		// The machine has its old state, and raft will try again; but raft counts entries
		// in this snapshot as applied after the next start. [checkState] sees to that.
		return fmt.Errorf("restore snapshot: %w", err)
	}
	if got := s.machine.Applied(); got != applied {
		s.breakAt(syncproto.Fail(syncproto.CodeReplicaFault, "restore snapshot",
			fmt.Errorf("restored state is at %d", got), "index", fmt.Sprint(applied)))
		return s.broken
	}
	return nil
}

// restore gives the machine what src holds, and the index that this is at.
func (s *shell) restore(src io.Reader) (applied uint64, err error) {
	r, err := newSnapshotReader(src, s.dataKey)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if applied, err = readApplied(r); err != nil {
		return 0, err
	}
	return applied, s.machine.Restore(r)
}

func readApplied(r io.Reader) (uint64, error) {
	head := make([]byte, snapshotHeadSize)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, fmt.Errorf("read head: %w", err)
	}
	return binary.BigEndian.Uint64(head), nil
}

// pinned is a snapshot on its way to disk.
type pinned struct {
	shell   *shell
	applied uint64

	mu       sync.Mutex // held while it is being written
	snap     Snapshot
	released bool
}

var errReleased = errors.New("the state was replaced meanwhile")

// Persist implements [raft.FSMSnapshot]: it writes the snapshot, then makes the machine
// durable up to it, and only then reports success. From then on raft may drop the entries
// below, and does not apply them again.
func (p *pinned) Persist(sink raft.SnapshotSink) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.released {
		return errReleased
	}
	if err := p.write(sink); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := p.shell.machine.Sync(); err != nil {
		err = syncproto.Fail(syncproto.CodeReplicaFault, "sync state", err, "index", fmt.Sprint(p.applied))
		p.shell.fail(err)
		return err
	}
	return nil // raft closes the sink: fsync, rename
}

func (p *pinned) write(dst io.Writer) error {
	w, err := newSnapshotWriter(dst, p.shell.dataKey, p.shell.codec.rand)
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.BigEndian.AppendUint64(nil, p.applied)); err != nil {
		return err
	}
	if err := p.snap.Stream(w); err != nil {
		return err
	}
	return w.Close()
}

// Release implements [raft.FSMSnapshot].
func (p *pinned) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.released {
		p.released = true
		p.snap.Release()
	}
}
