package server

import (
	"context"
	"fmt"
	"time"

	"unionsync/server/health"
	"unionsync/syncproto"
)

// A node needs room for the files that it makes before it knows what will be in them: two
// memtables and a value log of 32 MiB each, a file of the raft log, and the tables that a
// memtable becomes. The store writes through mapped memory: without room its process does not
// get an error, it is killed by the system. So a node ends in order before that; it says why,
// the lead is handed over, and the others serve.
const (
	startRoom = 256 << 20 // bytes without which it does not start
	stopRoom  = 128 << 20 // bytes without which it does not go on
	roomPause = time.Second
)

// hasRoom fails if too little is left to start.
func (n *Node) hasRoom() error {
	d, err := health.DiskOf(n.opt.Dir)
	if err != nil {
		return err
	}
	return enough(d, startRoom)
}

// runRoom ends with an error once too little room is left.
func (n *Node) runRoom(ctx context.Context) error {
	tick := time.NewTicker(roomPause)
	defer tick.Stop()
	for {
		d, err := health.DiskOf(n.opt.Dir)
		if err != nil {
			n.opt.Log.Warn("the room on the disk is not known", "error", err)
		} else if err := enough(d, stopRoom); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// enough fails with [syncproto.CodeNodeDiskFull] if less than least is left of a disk. One
// whose size the system does not tell is taken for large.
func enough(d health.Disk, least uint64) error {
	if d.Size == 0 || d.Free >= least {
		return nil
	}
	return syncproto.Fail(syncproto.CodeNodeDiskFull, "look at the disk", nil, "mib", fmt.Sprint(d.Free>>20), "need", fmt.Sprint(uint64(startRoom>>20)))
}
