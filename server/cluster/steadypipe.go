package cluster

import (
	"time"

	"github.com/hashicorp/raft"
)

// pipe is one of raft's pipelines, which does not hang. raft stops reading a pipeline's answers
// once one tells of a newer term; who is handing it another message at that moment waits for
// ever: replication to that follower stood still as long as the lead lasted, and the node never
// came to its end when it was told to. A message that is not taken within the patience closes
// the pipeline, as does the end of the transport: raft goes on without one.
type pipe struct {
	raft.AppendPipeline
	of *steady
}

// AppendEntriesPipeline implements [raft.Transport].
func (s *steady) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	inner, err := s.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return s.watch(inner), nil
}

func (s *steady) watch(inner raft.AppendPipeline) *pipe {
	p := &pipe{inner, s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pipes[p] = struct{}{}
	return p
}

// AppendEntries implements [raft.AppendPipeline].
func (p *pipe) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	t := time.AfterFunc(p.of.patience, func() { _ = p.AppendPipeline.Close() }) // it may be closed twice
	defer t.Stop()
	return p.AppendPipeline.AppendEntries(args, resp)
}

// Close implements [raft.AppendPipeline].
func (p *pipe) Close() error {
	p.of.mu.Lock()
	delete(p.of.pipes, p)
	p.of.mu.Unlock()
	return p.AppendPipeline.Close()
}

// Close implements [raft.WithClose]: pipelines first, since raft's own end waits for who uses
// them.
func (s *steady) Close() error {
	s.mu.Lock()
	open := make([]*pipe, 0, len(s.pipes))
	for p := range s.pipes {
		open = append(open, p)
	}
	s.mu.Unlock()
	for _, p := range open {
		_ = p.Close() // of no use any more
	}
	return s.NetworkTransport.Close()
}
