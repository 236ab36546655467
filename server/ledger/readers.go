package ledger

import "sync"

// readers lets many read while nobody switches the store. Unlike with sync.RWMutex a reader
// may come in while somebody waits to be alone: who reads one thing while holding another,
// as an exchange does, would else wait for that one, and that one for him.
type readers struct {
	mu     sync.Mutex
	in     int           // guarded by mu
	closed chan struct{} // guarded by mu; while somebody is alone: closed when he has ended
	empty  chan struct{} // guarded by mu; while somebody waits to be alone: closed when none is in
}

func (r *readers) enter() {
	r.mu.Lock()
	for r.closed != nil {
		ended := r.closed
		r.mu.Unlock()
		<-ended
		r.mu.Lock()
	}
	r.in++
	r.mu.Unlock()
}

func (r *readers) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.in--; r.in == 0 && r.empty != nil {
		close(r.empty)
		r.empty = nil
	}
}

// alone returns when nobody is in, and keeps all out until end is called. One at a time may
// call it.
func (r *readers) alone() (end func()) {
	r.mu.Lock()
	for r.in > 0 {
		none := make(chan struct{})
		r.empty = none
		r.mu.Unlock()
		<-none
		r.mu.Lock()
	}
	ended := make(chan struct{})
	r.closed = ended
	r.mu.Unlock()
	return func() {
		r.mu.Lock()
		r.closed = nil
		r.mu.Unlock()
		close(ended)
	}
}
