package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"go.etcd.io/bbolt"

	"unionsync/syncproto"
)

// Append adds changes at the end, all of them in one transaction and one fsync, and gives
// their places. When it returns without error the changes are saved: that is the commit
// point. After [syncproto.CodeDiskFull] nothing was changed and a later call may succeed.
// After any other error the changes may or may not be there, and nothing more is written
// until the journal is opened again.
func (j *Journal) Append(changes [][]byte) ([]syncproto.Place, error) {
	total := 0
	for _, c := range changes {
		if len(c) == 0 || len(c) > syncproto.MaxChangeBytes {
			return nil, fmt.Errorf("append to journal: change of %d bytes, want 1 to %d", len(c), syncproto.MaxChangeBytes)
		}
		total += len(c)
	}
	var places []syncproto.Place
	err := j.write(total, func(tx *bbolt.Tx) error {
		var err error
		places, err = j.appendTo(tx, changes)
		return err
	}, func() { j.head = places[len(places)-1] })
	if err != nil {
		return nil, fmt.Errorf("append to journal: %w", err)
	}
	return places, nil
}

func (j *Journal) appendTo(tx *bbolt.Tx, changes [][]byte) ([]syncproto.Place, error) {
	if len(changes) == 0 {
		return nil, errors.New("no changes")
	}
	frames := tx.Bucket(bucketFrames)
	frames.FillPercent = 0.95 // keys only ever grow
	places := make([]syncproto.Place, len(changes))
	at := j.head
	for i, c := range changes {
		next := at.Next(c)
		v, err := j.encodeFrame(next, at.Hash, c)
		if err != nil {
			return nil, err
		}
		if err := frames.Put(seqKey(next.Seq), v); err != nil {
			return nil, err
		}
		at, places[i] = next, next
	}
	return places, tx.Bucket(bucketMeta).Put(metaHead, encodeHead(at))
}

// Restore adds entries that this journal had before, in one transaction and one fsync: they
// follow its head, under their own places. A damaged one keeps its place. See
// [Journal.Append] for errors.
func (j *Journal) Restore(frames []Frame) error {
	total := 0
	for _, f := range frames {
		total += len(f.Bytes)
	}
	err := j.write(total, func(tx *bbolt.Tx) error { return j.restoreTo(tx, frames) },
		func() { j.head = frames[len(frames)-1].Place })
	if err != nil {
		return fmt.Errorf("restore to journal: %w", err)
	}
	return nil
}

func (j *Journal) restoreTo(tx *bbolt.Tx, frames []Frame) error {
	if len(frames) == 0 {
		return errors.New("no entries")
	}
	at := j.head
	for _, f := range frames {
		p := f.Place
		if p.Journal != j.id || p.Seq != at.Seq+1 || f.Previous != at.Hash || !f.Damaged && at.Next(f.Bytes) != p {
			return fmt.Errorf("entry %d does not follow %d", p.Seq, at.Seq)
		}
		v, err := j.encodeFrame(p, f.Previous, f.Bytes)
		if err != nil {
			return err
		}
		if err := tx.Bucket(bucketFrames).Put(seqKey(p.Seq), v); err != nil {
			return err
		}
		at = p
	}
	return tx.Bucket(bucketMeta).Put(metaHead, encodeHead(at))
}

// write runs do in one fsynced transaction of about size bytes, and done after it has been
// committed. Both run under mu.
func (j *Journal) write(size int, do func(tx *bbolt.Tx) error, done func()) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return syncproto.Fail(syncproto.CodeDiskFailed, "write journal", j.broken)
	}
	if err := j.checkRoom(size); err != nil {
		return err
	}
	committing := false
	err := guard(func() error {
		tx, err := j.db.Begin(true)
		if err != nil {
			return err
		}
		if err := do(tx); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		committing = true
		err = j.commit(tx)
		if err != nil {
			_ = tx.Rollback() // bbolt leaves some failed commits open; ErrTxClosed for the others
		}
		return err
	})
	if err == nil {
		done()
		return nil
	}
	j.torn = j.torn || errors.Is(err, errPanic)
	if j.torn || committing && !notWritten(err) {
		j.broken = err
		return syncproto.Fail(syncproto.CodeDiskFailed, "write journal", err)
	}
	return classify(err)
}

// spareBytes is what must be free beside what is written: bbolt writes whole pages, copies
// of the index and a list of free pages.
const spareBytes = 1 << 20

// checkRoom refuses a write before it begins when the disk has no room for it: a refusal
// half way would have to be told from a failed fsync, which must never be tried again.
func (j *Journal) checkRoom(size int) error {
	free, err := j.free(filepath.Dir(j.path))
	if err != nil {
		return nil //nolint:nilerr // a file system that does not tell is not a full one
	}
	need := spareBytes + 2*uint64(size)
	if runtime.GOOS == "windows" { // there the map, and with it the file, doubles as a whole
		if info, err := j.file.Stat(); err == nil {
			need += uint64(info.Size())
		}
	}
	if free < need {
		return syncproto.Fail(syncproto.CodeDiskFull, "write journal", fmt.Errorf("%d bytes free, want %d", free, need))
	}
	return nil
}
