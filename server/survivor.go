package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"unionsync/server/cluster"
	"unionsync/server/ledger"
)

// survive takes what the folder of a stopped node has behind what was put back: its state, if
// that is of the same raft log and further, then the entries of its log that its state lacks.
// Entries at the very end of that log may not have been committed. They were proposed, nobody
// was told that they failed for good, and a later generation may take them in: this is what a
// forced recovery does. Nothing in that folder is changed but what opening it does.
func (r *restore) survive(ctx context.Context) error {
	if r.how.Survivor == "" {
		return nil
	}
	c, err := readConfig(filepath.Join(r.how.Survivor, configFile))
	if err != nil {
		return err
	}
	l, err := ledger.Open(ledger.Config{Dir: filepath.Join(r.how.Survivor, ledgerDir), Key: r.v.City.StoreKey(c.ID), Log: quiet})
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // what it would tell of a folder that nobody uses again helps nobody
	theirs, ours := l.Whole(), r.ledger.Whole()
	if !bytes.Equal(theirs.LogID, ours.LogID) {
		return nil // of another log: it has nothing that goes on from here
	}
	if theirs.Index > ours.Index {
		if err := r.takeOver(l); err != nil {
			return err
		}
		r.out.Survivor = int(theirs.Index - ours.Index)
	}
	if err := r.followSurvivor(ctx); err != nil || r.out.Survivor == 0 {
		return err
	}
	return r.tellAgain()
}

// tellAgain says what the state is now; the digest was that of what the archive had.
func (r *restore) tellAgain() error {
	snap, err := r.ledger.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	r.out.Tally, r.out.Digest = snap.Tally(), ""
	return nil
}

// takeOver puts a surviving state in place of what was put back.
func (r *restore) takeOver(from *ledger.Ledger) error {
	if err := r.ledger.Close(); err != nil {
		return err
	}
	r.ledger = nil
	if err := os.RemoveAll(r.ledgerConfig().Dir); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	snap, err := from.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	in, out := io.Pipe()
	var group errgroup.Group
	group.Go(func() error {
		err := snap.Stream(out)
		return errors.Join(err, out.CloseWithError(err))
	})
	l, err := ledger.OpenFrom(r.ledgerConfig(), in)
	_ = in.CloseWithError(err) // ends the stream when it was not read to its end
	if serr := group.Wait(); err == nil && serr != nil {
		return errors.Join(serr, l.Close())
	}
	if err != nil {
		return err
	}
	r.ledger, r.out.Backup = l, ""
	return nil
}

// followSurvivor applies the entries of a surviving raft log that the state lacks.
func (r *restore) followSurvivor(ctx context.Context) error {
	err := cluster.ReadLog(filepath.Join(r.how.Survivor, raftDir), r.v.City.DataKey(), r.ledger.Applied(),
		func(index uint64, data []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if _, err := r.ledger.Apply(index, data); err != nil {
				return err
			}
			r.out.Survivor++
			return nil
		})
	if errors.Is(err, cluster.ErrCompacted) {
		return nil // a gap: what stands behind it cannot be used
	}
	return err
}
