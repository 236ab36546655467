package cluster

import (
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"unionsync/syncproto"
)

// Recovered says what [Recover] found and made.
type Recovered struct {
	Members []Server // of the cluster that was, as this node knew them
	Applied uint64   // index of the last entry that the state had
	Index   uint64   // of the last entry of the log, which the state has now
	Term    uint64   // of that entry
}

// Recover makes the node of cfg.Dir the only member of its cluster, whose majority is lost.
// No process may have the folder open. All that stands in its log is applied, committed or
// not: whether the lost nodes had it nobody can tell. Then the entries of finish are applied,
// which is called once that is done; with them begins the log's new life.
//
// After a crash at any step it can be called again: until the last step is done the node
// has its old members, and cannot lead. The one who calls must see to it that the nodes that
// were lost never speak to this one again: see Config.LogID.
func Recover(cfg Config, m Machine, finish func(Recovered) ([][]byte, error)) (*Recovered, error) {
	n, err := newNode(cfg)
	if err != nil {
		return nil, err
	}
	r, err := n.recover(m, finish)
	if err = errors.Join(err, n.release()); err != nil {
		return nil, fmt.Errorf("recover cluster: %w", err)
	}
	return r, nil
}

func (n *Node) recover(m Machine, finish func(Recovered) ([][]byte, error)) (*Recovered, error) {
	hlog := newRaftLog(n.cfg.Log)
	if err := n.openDisk(m, hlog); err != nil {
		return nil, err
	}
	if _, err := checkState(n.snaps, n.log, n.shell); err != nil {
		return nil, err
	}
	r, err := n.lookBack(hlog)
	if err != nil {
		return nil, err
	}
	if err := n.replay(r.Index); err != nil {
		return nil, err
	}
	entries, err := finish(*r)
	if err != nil {
		return nil, err
	}
	if err := n.append(r, entries); err != nil {
		return nil, err
	}
	_, trans := raft.NewInmemTransport(raft.ServerAddress(n.advertised()))
	defer func() { _ = trans.Close() }() // nothing goes over it
	alone := raft.Configuration{Servers: []raft.Server{{
		Suffrage: raft.Voter, ID: raft.ServerID(n.id), Address: raft.ServerAddress(n.advertised()),
	}}}
	err = raft.RecoverCluster(n.raftConfig(hlog), ahead{n.shell}, n.log, n.log, n.snaps, trans, alone)
	if n.shell.pin != nil {
		n.shell.pin.Release() // raft forgets it here
	}
	return r, err
}

func (n *Node) advertised() string {
	if n.cfg.Advertise != "" {
		return n.cfg.Advertise
	}
	return n.cfg.Listen
}

// lookBack reads what the node knows of its cluster.
func (n *Node) lookBack(hlog *raftLog) (*Recovered, error) {
	_, trans := raft.NewInmemTransport("")
	defer func() { _ = trans.Close() }() // nothing goes over it
	conf, err := raft.GetConfiguration(n.raftConfig(hlog), ahead{n.shell}, n.log, n.log, n.snaps, trans)
	if err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	r := &Recovered{Applied: n.shell.machine.Applied()}
	for _, s := range conf.Servers {
		r.Members = append(r.Members, Server{ID: string(s.ID), Address: string(s.Address), Voter: s.Suffrage == raft.Voter})
	}
	if list, err := n.snaps.List(); err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	} else if len(list) > 0 {
		r.Index, r.Term = list[0].Index, list[0].Term
	}
	last, err := n.log.LastIndex()
	if err != nil || last <= r.Index {
		if r.Index == 0 && err == nil {
			err = syncproto.Fail(syncproto.CodeNothingToRecover, "look back", nil)
		}
		return r, err
	}
	var l raft.Log
	if err := n.log.GetLog(last, &l); err != nil {
		return nil, fmt.Errorf("read last entry: %w", err)
	}
	r.Index, r.Term = l.Index, l.Term
	return r, nil
}

// replay applies what stands in the log behind the state.
func (n *Node) replay(last uint64) error {
	first, _, err := bounds(n.log)
	if err != nil {
		return err
	}
	for i := max(first, n.shell.machine.Applied()+1); first > 0 && i <= last; i++ {
		var l raft.Log
		if err := n.log.GetLog(i, &l); err != nil {
			return fmt.Errorf("read entry %d: %w", i, err)
		}
		if l.Type != raft.LogCommand {
			continue
		}
		if n.shell.Apply(&l); n.shell.broken != nil {
			return n.shell.broken
		}
	}
	return nil
}

// append writes entries behind the last one, in a term of their own: RecoverCluster applies
// them, and whatever else stands in a log of the old cluster at these places is older.
func (n *Node) append(r *Recovered, entries [][]byte) error {
	term, err := n.log.GetUint64([]byte("CurrentTerm"))
	if err != nil {
		return fmt.Errorf("read term: %w", err)
	}
	term = max(term, r.Term) + 1
	if err := n.log.SetUint64([]byte("CurrentTerm"), term); err != nil {
		return err
	}
	logs := make([]*raft.Log, len(entries))
	for i, e := range entries {
		b, err := n.shell.codec.encode(e)
		if err != nil {
			return err
		}
		r.Index, r.Term = r.Index+1, term
		logs[i] = &raft.Log{Index: r.Index, Term: term, Type: raft.LogCommand, Data: b}
	}
	if len(logs) == 0 {
		return nil
	}
	return n.log.StoreLogs(logs)
}

// ahead is the machine while its cluster is recovered: it has all that a snapshot holds, and
// more, so raft's wish to go back to one is not followed.
type ahead struct{ *shell }

// Restore implements [raft.FSM].
func (a ahead) Restore(src io.ReadCloser) error {
	r, err := newSnapshotReader(src, a.dataKey)
	if err != nil {
		return err
	}
	defer r.Close()
	applied, err := readApplied(r)
	if err != nil {
		return err
	}
	if have := a.machine.Applied(); have < applied {
		return fmt.Errorf("the state is at %d, the snapshot at %d", have, applied)
	}
	return nil
}
