package cluster

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// away is a follower that does not answer for a while.
type away struct {
	back  atomic.Bool
	tries atomic.Int32 // of the log
}

var errAway = errors.New("away")

// AppendEntries implements appender.
func (a *away) AppendEntries(_ raft.ServerID, _ raft.ServerAddress, q *raft.AppendEntriesRequest, r *raft.AppendEntriesResponse) error {
	if !isHeartbeat(q) {
		a.tries.Add(1)
	}
	if !a.back.Load() {
		return errAway
	}
	r.Success = true
	return nil
}

var (
	heartbeatOf = raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: 3, Addr: []byte("a1")}, Term: 3}
	logOf       = raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 7, PrevLogTerm: 2}
)

// TestSteady: raft is not told that the log did not reach a follower that is away, as long as
// that matters, and the log is sent again as soon as it answers a heartbeat: raft's own wait,
// by then of ten seconds, never begins. Heartbeats fail as ever: by them raft knows whom it
// reaches.
func TestSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, leads := new(away), atomic.Bool{}
		leads.Store(true)
		s := newSteady(nil, time.Second, make(chan struct{}))
		s.appends, s.wanted = f, func(term uint64, id, address string) bool {
			return leads.Load() && term == 3 && id == "n2" && address == "a2"
		}
		began, done := time.Now(), make(chan error)
		send := func(id raft.ServerID, to raft.ServerAddress) {
			go func() { done <- s.AppendEntries(id, to, &logOf, new(raft.AppendEntriesResponse)) }()
		}
		beat := func() error { return s.AppendEntries("n2", "a2", &heartbeatOf, new(raft.AppendEntriesResponse)) }
		send("n2", "a2")
		for range 600 { // a minute
			if err := beat(); !errors.Is(err, errAway) {
				t.Fatal(err)
			}
			<-time.After(100 * time.Millisecond)
		}
		if n := f.tries.Load(); n != 1 {
			t.Fatalf("%d tries at a follower that does not answer", n)
		}
		f.back.Store(true)
		if err := beat(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err != nil || time.Since(began) > time.Minute+lookEvery || f.tries.Load() != 2 {
				t.Fatalf("%v after %v, %d tries", err, time.Since(began), f.tries.Load())
			}
		case <-time.After(time.Minute):
			leads.Store(false) // lets it go
			<-done
			t.Fatal("not sent again though the follower answers")
		}

		f.back.Store(false)
		send("n2", "elsewhere") // it has moved
		if err := <-done; !errors.Is(err, errAway) {
			t.Fatal(err)
		}
		send("n2", "a2")
		synctest.Wait()
		leads.Store(false)
		if err := <-done; !errors.Is(err, errAway) {
			t.Fatal(err)
		}
	})
}

// TestDeafen: a heartbeat that comes while a node ends is refused, not worked on with a log that
// is closed.
func TestDeafen(t *testing.T) {
	r := newRing(t)
	m := r.add("n1").start()
	var worked atomic.Bool
	m.node.trans.SetHeartbeatHandler(func(rpc raft.RPC) {
		worked.Store(true)
		rpc.Respond(&raft.AppendEntriesResponse{}, nil)
	})
	beat := func() error {
		other := r.add("n2")
		cfg := other.config()
		cfg.Timing.setDefaults()
		s, err := listen(&cfg)
		if err != nil {
			t.Fatal(err)
		}
		from := newSteady(raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: s, Timeout: 5 * time.Second}), time.Second, nil)
		defer func() { _ = from.Close() }()
		return from.AppendEntries("n1", raft.ServerAddress(m.addr), &heartbeatOf, new(raft.AppendEntriesResponse))
	}
	if err := beat(); err != nil || !worked.Load() {
		t.Fatal(err, worked.Load())
	}
	worked.Store(false)
	m.node.trans.deafen()
	if err := beat(); err == nil || worked.Load() {
		t.Fatal("it was worked on")
	}
}

// stuck is a pipeline whose answers nobody reads.
type stuck struct {
	raft.AppendPipeline
	closed chan struct{}
	once   sync.Once
}

// AppendEntries implements raft.AppendPipeline.
func (s *stuck) AppendEntries(*raft.AppendEntriesRequest, *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	<-s.closed
	return nil, raft.ErrPipelineShutdown
}

// Close implements raft.AppendPipeline.
func (s *stuck) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// TestStuckPipeline: a message that a pipeline never takes ends with the patience, and with the
// transport.
func TestStuckPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []struct {
			why   string
			after time.Duration
			do    func(*steady, *pipe)
		}{
			{"patience", 10 * time.Second, func(*steady, *pipe) {}},
			{"raft closes it", 0, func(_ *steady, p *pipe) { _ = p.Close() }},
		} {
			s := newSteady(nil, 10*time.Second, make(chan struct{}))
			p := s.watch(&stuck{closed: make(chan struct{})})
			began, done := time.Now(), make(chan error)
			go func() {
				_, err := p.AppendEntries(&logOf, new(raft.AppendEntriesResponse))
				done <- err
			}()
			synctest.Wait()
			end.do(s, p)
			if err := <-done; !errors.Is(err, raft.ErrPipelineShutdown) || time.Since(began) != end.after {
				t.Errorf("%s: %v after %v", end.why, err, time.Since(began))
			}
		}
	})
}

// TestStuckPipelineAtTheEnd: the end of a node does not wait for it.
func TestStuckPipelineAtTheEnd(t *testing.T) {
	m := newRing(t).add("n1").start()
	trans, began := m.node.trans, time.Now()
	p := trans.watch(&stuck{closed: make(chan struct{})})
	done := make(chan error, 1)
	go func() {
		_, err := p.AppendEntries(&logOf, new(raft.AppendEntriesResponse))
		done <- err
	}()
	m.kill()
	if err := <-done; !errors.Is(err, raft.ErrPipelineShutdown) {
		t.Fatal(err)
	}
	if n, took := len(trans.pipes), time.Since(began); n != 0 || took >= trans.patience {
		t.Fatalf("%d pipelines are open after %v", n, took)
	}
}
