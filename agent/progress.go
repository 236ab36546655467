package agent

import (
	"context"
	"sync"
	"time"

	"unionsync/agent/union"
)

// tellEvery is how often progress is told inside a round.
const tellEvery = time.Second

// watchRounds runs do and passes on how far it is: after each round as do says, and every
// second with the bytes that have gone over the line. Tell is called by one goroutine at a
// time; nil: nobody is told.
func watchRounds(ctx context.Context, line Line, tell func(union.Result), do func(context.Context, func(union.Result)) error) error {
	if tell == nil {
		return do(ctx, nil)
	}
	w := &rounds{line: line, tell: tell, began: time.Now()}
	ticking, stop := context.WithCancel(ctx)
	var ticker sync.WaitGroup
	ticker.Go(func() { w.tick(ticking) })
	defer ticker.Wait()
	defer stop()
	return do(ctx, w.round)
}

// rounds is one sync, watched.
type rounds struct {
	line  Line
	tell  func(union.Result)
	began time.Time

	mu   sync.Mutex
	last union.Result // guarded by mu: after the newest round
}

func (w *rounds) round(r union.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = r
	w.tell(r)
}

func (w *rounds) tick(ctx context.Context) {
	t := time.NewTicker(tellEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			w.mu.Lock()
			r := w.last
			r.BytesSent, r.BytesReceived = w.line.Bytes()
			r.Elapsed = time.Since(w.began)
			w.tell(r)
			w.mu.Unlock()
		}
	}
}
