package cluster

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"
)

// BenchmarkPropose commits entries of about the size of a full batch into three nodes on
// this machine, some at a time, and says whether the leader was kept.
func BenchmarkPropose(b *testing.B) {
	r := newRing(b)
	r.cluster("n1", "n2", "n3")
	r.propose("first")
	leader := r.leader()
	term := leader.node.Term()
	var body []byte
	for i := range 500 {
		body = fmt.Appendf(body, "%x", bytes.Repeat([]byte{byte(i), byte(i * 7), byte(i >> 3)}, 100))
	}
	b.SetBytes(int64(len(body)))
	b.ResetTimer()
	var group errgroup.Group
	group.SetLimit(3)
	for range b.N {
		group.Go(func() error {
			_, _, err := leader.node.Propose(context.Background(), body)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if now := leader.node.Term(); now != term {
		b.Errorf("the lead changed: term %d, then %d", term, now)
	}
}
