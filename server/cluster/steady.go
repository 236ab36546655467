package cluster

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// steady is raft's transport, but for three habits of the library; for the third see [pipe].
//
// After a follower was away,
// raft's replication to it waits for up to ten seconds before it tries again, and nothing
// ends that wait, not even the follower's answers to heartbeats. A follower that came back
// counts for a majority and gets nothing; should the other one go just then, as in a rolling
// restart, the centre stands still that long. So a message of the log that fails is not
// reported to raft at once: as soon as a heartbeat to the same follower is answered, the very
// same message is sent again. It may be: appending is idempotent, and a message of an old
// term is refused.
//
// And heartbeats are worked on by the goroutines of accepted connections, which raft's end does
// not wait for: one that came then, of a newer term, met a closed log, and the process
// panicked in the middle of an orderly end. See [steady.deafen].
type steady struct {
	*raft.NetworkTransport
	appends appender                                   // the transport's own, but in tests
	wanted  func(term uint64, id, address string) bool // a message to this member still matters
	closing <-chan struct{}
	raft    atomic.Pointer[raft.Raft] // nil until it is started

	beats sync.RWMutex // held for reading while a heartbeat is worked on
	deaf  bool         // guarded by beats: none is any more

	patience time.Duration // for a pipeline to take a message

	mu    sync.Mutex
	pipes map[*pipe]struct{}              // guarded by mu: those that are open
	heard map[raft.ServerID]chan struct{} // guarded by mu; closed with the next heartbeat answered
}

// appender is the part of the transport that carries the log.
type appender interface {
	AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error
}

var (
	_ raft.Transport   = (*steady)(nil)
	_ raft.WithPreVote = (*steady)(nil)
)

func newSteady(t *raft.NetworkTransport, patience time.Duration, closing <-chan struct{}) *steady {
	s := &steady{
		NetworkTransport: t, appends: t, closing: closing, patience: patience,
		heard: map[raft.ServerID]chan struct{}{}, pipes: map[*pipe]struct{}{},
	}
	s.wanted = s.replicates
	return s
}

// replicates reports whether this node leads in a term, with a member of this name and address.
func (s *steady) replicates(term uint64, id, address string) bool {
	r := s.raft.Load()
	if r == nil || r.State() != raft.Leader || r.CurrentTerm() != term {
		return false
	}
	members := r.GetConfiguration()
	if members.Error() != nil { // never: it is answered from memory
		return false
	}
	for _, m := range members.Configuration().Servers {
		if string(m.ID) == id {
			return string(m.Address) == address
		}
	}
	return false
}

// AppendEntries implements [raft.Transport]: heartbeats and the log go by it.
func (s *steady) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if isHeartbeat(args) {
		err := s.appends.AppendEntries(id, target, args, resp)
		if err == nil {
			s.answered(id)
		}
		return err
	}
	for {
		next := s.next(id) // before the try: an answer that comes meanwhile is not missed
		err := s.appends.AppendEntries(id, target, args, resp)
		if err == nil || !s.wait(next, func() bool { return s.wanted(args.Term, string(id), string(target)) }) {
			return err
		}
		*resp = raft.AppendEntriesResponse{}
	}
}

// SetHeartbeatHandler implements [raft.Transport].
func (s *steady) SetHeartbeatHandler(handle func(raft.RPC)) {
	s.NetworkTransport.SetHeartbeatHandler(func(rpc raft.RPC) {
		s.beats.RLock()
		defer s.beats.RUnlock()
		if s.deaf {
			rpc.Respond(nil, ErrStopped)
			return
		}
		handle(rpc)
	})
}

// deafen ends the work on heartbeats: when it returns nothing of raft runs any more, and the
// log can be closed.
func (s *steady) deafen() {
	s.beats.Lock()
	defer s.beats.Unlock()
	s.deaf = true
}

// isHeartbeat tells a heartbeat as raft's own transport does.
func isHeartbeat(a *raft.AppendEntriesRequest) bool {
	return a.Term != 0 && a.PrevLogEntry == 0 && a.PrevLogTerm == 0 && len(a.Entries) == 0 && a.LeaderCommitIndex == 0
}

func (s *steady) answered(id raft.ServerID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next := s.heard[id]; next != nil {
		close(next)
		delete(s.heard, id)
	}
}

// next gives what is closed with the next heartbeat that the follower answers.
func (s *steady) next(id raft.ServerID) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard[id] == nil {
		s.heard[id] = make(chan struct{})
	}
	return s.heard[id]
}

// lookEvery is how often it is looked whether a message that waits still matters.
const lookEvery = 100 * time.Millisecond

// wait waits for the follower's next answer; false: the message does not matter any more.
func (s *steady) wait(next <-chan struct{}, matters func() bool) bool {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if !matters() {
			return false
		}
		select {
		case <-next:
			return matters()
		case <-tick.C:
		case <-s.closing:
			return false
		}
	}
}
