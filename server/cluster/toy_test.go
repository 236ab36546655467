package cluster

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// toy is a machine that remembers every entry. What a restart finds of it is under the
// test's control: see reborn.
type toy struct {
	mu       sync.Mutex
	state    []toyEntry
	durable  []toyEntry // what Sync has covered
	calls    int        // of Apply
	restores int
	pins     int      // pinned and not released
	events   []string // order of what raft asked
	poison   string   // Apply fails on this entry
	syncErr  error
	block    chan struct{} // if set, a snapshot is written only after it is closed
	slow     chan struct{} // if set, Apply waits until it is closed
}

type toyEntry struct {
	Index uint64
	Data  string
}

var errPoison = errors.New("disk on fire")

func (m *toy) Apply(index uint64, data []byte) (any, error) {
	if m.slow != nil {
		<-m.slow
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.poison != "" && string(data) == m.poison {
		return nil, errPoison
	}
	if index <= m.appliedLocked() {
		return nil, nil
	}
	m.state = append(m.state, toyEntry{index, string(data)})
	return fmt.Sprintf("%s is number %d", data, len(m.state)), nil
}

func (m *toy) appliedLocked() uint64 {
	if len(m.state) == 0 {
		return 0
	}
	return m.state[len(m.state)-1].Index
}

func (m *toy) Applied() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.appliedLocked()
}

func (m *toy) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, "sync")
	if m.syncErr != nil {
		return m.syncErr
	}
	m.durable = slices.Clone(m.state)
	return nil
}

type toySnapshot struct {
	m     *toy
	state []toyEntry
}

func (m *toy) Snapshot() (Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pins++
	m.events = append(m.events, "pin")
	return &toySnapshot{m, slices.Clone(m.state)}, nil
}

func (s *toySnapshot) Stream(w io.Writer) error {
	s.m.note("stream")
	if s.m.block != nil {
		<-s.m.block
	}
	return gob.NewEncoder(w).Encode(s.state)
}

func (s *toySnapshot) Release() {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.pins--
	s.m.events = append(s.m.events, "release")
}

func (m *toy) Restore(r io.Reader) error {
	var state []toyEntry
	if err := gob.NewDecoder(r).Decode(&state); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pins != 0 {
		return errors.New("restored while a snapshot is pinned")
	}
	m.state, m.durable = state, slices.Clone(state)
	m.restores++
	m.events = append(m.events, "restore")
	return nil
}

func (m *toy) note(event string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, event)
}

// reborn is the machine as a restart finds it, with its first keep entries only (-1: all).
func (m *toy) reborn(keep int) *toy {
	m.mu.Lock()
	defer m.mu.Unlock()
	state := slices.Clone(m.state)
	if keep >= 0 {
		state = state[:keep]
	}
	return &toy{state: state, durable: slices.Clone(state)}
}

func (m *toy) entries() []toyEntry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.state)
}

func (m *toy) data() []string {
	var out []string
	for _, e := range m.entries() {
		out = append(out, e.Data)
	}
	return out
}

func (m *toy) seen() (calls, restores int, events []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls, m.restores, slices.Clone(m.events)
}
