package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/server/ledger"
)

// Making says how a backup is made.
type Making struct {
	Rand    io.Reader
	Now     time.Time
	Version string              // of the program
	Step    func(bytes int64)   // called as the work goes on; may be nil
	Halt    func() (stop error) // asked before each part; may be nil
}

// Backup keeps the whole state of l as it is now, while l goes on. In this order: every life
// that the state knows, the parts, the manifest. The manifest is the commit point: what a
// crash leaves before it is offered to nobody and is cleared away by a later [Writer.Prune].
// Each object is read back before the next.
func (w *Writer) Backup(ctx context.Context, l *ledger.Ledger, how Making) (*Manifest, error) {
	snap, err := l.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	defer snap.Release()
	m, err := w.describe(ctx, snap, how)
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	sum := sha256.New()
	out := &parts{ctx: ctx, pack: w.pack, size: w.partBytes, keep: func(name string, box []byte) error {
		if how.Halt != nil {
			if err := how.Halt(); err != nil {
				return err
			}
		}
		return keep(ctx, w.target, m.at(name), box)
	}}
	counted := &counter{step: how.Step}
	if err := snap.Stream(io.MultiWriter(out, sum, counted)); err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	if err := out.flush(); err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	m.Parts, m.Bytes, m.Digest = out.made, counted.n, hex.EncodeToString(sum.Sum(nil))
	note, err := signNote(w.own, noteBackup, m)
	if err != nil {
		return nil, err
	}
	return m, keep(ctx, w.target, backupsDir+m.Name+manifestName, note)
}

// describe says what the pinned state is, and keeps the lives that it knows.
func (w *Writer) describe(ctx context.Context, snap *ledger.Snapshot, how Making) (*Manifest, error) {
	at, err := snap.At()
	if err != nil {
		return nil, err
	}
	lives, err := snap.Lives()
	if err != nil {
		return nil, err
	}
	if err := w.KeepLives(ctx, lives...); err != nil {
		return nil, err
	}
	random := make([]byte, 4)
	if _, err := io.ReadFull(how.Rand, random); err != nil {
		return nil, fmt.Errorf("name backup: %w", err)
	}
	id, err := w.own.Identity()
	if err != nil {
		return nil, err
	}
	m := &Manifest{
		Name: nameOf(how.Now, at.Head, random), City: tlsid.FingerprintOf(w.own.CA).String(), Sealed: w.sealed,
		Node: id.ID, Version: how.Version, Made: how.Now.Unix(),
		LogID: hex.EncodeToString(at.LogID), Index: at.Index, Position: at.Head, Time: at.Time, Watermark: at.Watermark,
		Tally: snap.Tally(),
	}
	for _, e := range lives {
		m.Lives = append(m.Lives, lifeOf(ledger.Generation(e)))
	}
	return m, nil
}

// counter counts bytes and tells of them.
type counter struct {
	n    int64
	step func(int64)
}

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	if c.step != nil {
		c.step(c.n)
	}
	return len(b), nil
}
