package health

import (
	"bytes"
	"sync"
)

// recentBytes is how much of the log is kept in memory, for who looks into a fault.
const recentBytes = 2 << 20

// Recent is a writer that keeps the newest lines written, two megabytes of them.
type Recent struct {
	mu   sync.Mutex
	old  []byte // guarded by mu: what came before now
	now  []byte // guarded by mu
	half int
}

// NewRecent makes an empty one.
func NewRecent() *Recent { return &Recent{half: recentBytes / 2} }

// Write implements io.Writer. It never fails.
func (r *Recent) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.now)+len(b) > r.half {
		r.old, r.now = r.now, make([]byte, 0, min(r.half, 64<<10))
	}
	r.now = append(r.now, b...)
	return len(b), nil
}

// Bytes gives whole lines, the newest last.
func (r *Recent) Bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Join([][]byte{r.old, r.now}, nil)
}
