package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"unionsync/server/ledger"
	"unionsync/syncproto"
)

// Rebuilt is a state put back.
type Rebuilt struct {
	Ledger   *ledger.Ledger // the caller closes it
	Manifest *Manifest      // of the backup that it began with
	Log      LogEnd         // how far the streamed log was followed behind it
	LogErr   error          // why not further, if it is damaged there
	At       ledger.Moment
	Digest   string // SHA-256 over the state at the end, as the ledger streams it
	Tally    ledger.Tally
}

// Rebuilding says how a state is put back.
type Rebuilding struct {
	WithLog bool                          // also what was streamed behind the backup
	CutLog  bool                          // a damaged log ends where the damage is: see LogErr
	Step    func(what string, done int64) // called as the work goes on; may be nil
}

// Rebuild puts a backup back into a new ledger at cfg, which must be vacant: every part
// checked, the state read out again and compared with the digest in the manifest, then the
// streamed log applied entry by entry. After an error nothing of it is open.
func (r *Reader) Rebuild(ctx context.Context, m *Manifest, cfg ledger.Config, how Rebuilding) (*Rebuilt, error) {
	l, err := r.load(ctx, m, cfg, how)
	if err != nil {
		return nil, err
	}
	b := &Rebuilt{Ledger: l, Manifest: m}
	if err := r.finish(ctx, b, how); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return b, nil
}

func (h Rebuilding) step(what string, done int64) {
	if h.Step != nil {
		h.Step(what, done)
	}
}

// What a rebuild is at, for whoever shows it.
const (
	StepLoad   = "load"   // bytes of the state
	StepDigest = "digest" // bytes of the state
	StepReplay = "replay" // entries
)

// load puts the parts back and checks them against the manifest.
func (r *Reader) load(ctx context.Context, m *Manifest, cfg ledger.Config, how Rebuilding) (*ledger.Ledger, error) {
	sum := sha256.New()
	counted := &counter{step: func(n int64) { how.step(StepLoad, n) }}
	in := io.TeeReader(&joined{ctx: ctx, r: r, m: m}, io.MultiWriter(sum, counted))
	l, err := ledger.OpenFrom(cfg, in)
	if err != nil {
		if syncproto.CodeOf(err) == syncproto.CodeInternal && ctx.Err() == nil {
			err = altered(m.Name, "state", err)
		}
		return nil, err
	}
	if _, err = io.Copy(io.Discard, in); err == nil && (hex.EncodeToString(sum.Sum(nil)) != m.Digest || counted.n != m.Bytes) {
		err = altered(m.Name, "digest", errors.New("the parts hold another state than the manifest names"))
	}
	if err == nil {
		err = m.describes(l)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// describes checks that a state is where the manifest says.
func (m *Manifest) describes(l *ledger.Ledger) error {
	at := l.Whole()
	if hex.EncodeToString(at.LogID) != m.LogID || at.Index != m.Index || at.Head != m.Position {
		return altered(m.Name, "state", fmt.Errorf("it is at entry %d and position %s", at.Index, at.Head))
	}
	return nil
}

// finish compares the state that is on disk now, follows the log, and says what there is.
func (r *Reader) finish(ctx context.Context, b *Rebuilt, how Rebuilding) (err error) {
	if b.Digest, err = digestOf(ctx, b.Ledger, how); err != nil {
		return err
	}
	if b.Digest != b.Manifest.Digest {
		return altered(b.Manifest.Name, "digest", errors.New("put back, the state has another digest"))
	}
	if how.WithLog {
		if b.Log, err = r.Replay(ctx, b.Ledger, how); how.CutLog && syncproto.CodeOf(err) == syncproto.CodeLogAltered {
			b.LogErr, err = err, nil
		}
		if err != nil {
			return err
		}
	}
	if b.Log.Entries > 0 {
		if b.Digest, err = digestOf(ctx, b.Ledger, how); err != nil {
			return err
		}
	}
	b.At = b.Ledger.Whole()
	snap, err := b.Ledger.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Release()
	b.Tally = snap.Tally()
	return nil
}

// Replay applies what was streamed of a ledger's log behind what it has.
func (r *Reader) Replay(ctx context.Context, l *ledger.Ledger, how Rebuilding) (LogEnd, error) {
	at := l.Whole()
	n := int64(0)
	return r.follow(ctx, hex.EncodeToString(at.LogID), at.Index, 0, func(index uint64, data []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		n++
		how.step(StepReplay, n)
		_, err := l.Apply(index, data)
		return err
	})
}

func digestOf(ctx context.Context, l *ledger.Ledger, how Rebuilding) (string, error) {
	snap, err := l.Snapshot()
	if err != nil {
		return "", err
	}
	defer snap.Release()
	sum := sha256.New()
	counted := &counter{step: func(n int64) { how.step(StepDigest, n) }}
	if err := snap.Stream(io.MultiWriter(sum, counted, ended{ctx})); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// ended is a writer that fails when its context has ended.
type ended struct{ ctx context.Context }

// Write implements io.Writer.
func (e ended) Write(b []byte) (int, error) { return len(b), e.ctx.Err() }
