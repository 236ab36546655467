package server

import (
	"context"
	"time"
)

const (
	// mappedMost is how much of the store's files a node keeps in its memory: with the rest of
	// what a node needs for a city of a million it stays below 1 GiB.
	mappedMost = 192 << 20
	mappedTick = time.Second
)

// runTrim keeps what the store's mapped files take of the memory bounded.
func (n *Node) runTrim(ctx context.Context) error {
	tick := time.NewTicker(mappedTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := n.ledger.TrimMapped(mappedMost, now); err != nil {
				n.opt.Log.Warn("memory of mapped files is not bounded", "error", err)
				<-ctx.Done()
				return nil
			}
		}
	}
}
