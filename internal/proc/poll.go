package proc

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollEvery is how long [Poll] waits before it looks again: most looks start programs, which
// must not take the processors from what is waited for.
const pollEvery = 200 * time.Millisecond

// errNotYet is for looks that only have to say that it is too early.
var errNotYet = errors.New("not yet")

// Poll looks again and again until look gives no error or ctx ends. The error then says what
// it waited for and what was seen last.
func Poll(ctx context.Context, what string, look func() error) error {
	last := errNotYet
	for {
		err := look()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil { // else the look itself was cut short and tells nothing
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; last: %w", what, ctx.Err(), last)
		case <-time.After(pollEvery):
		}
	}
}
