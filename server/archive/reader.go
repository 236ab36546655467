package archive

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"

	"unionsync/internal/rpc/tlsid"
	"unionsync/internal/seal"
	"unionsync/syncproto"
)

// Keys are what the archive of a city is opened and checked with.
type Keys struct {
	CA   *x509.Certificate // of the city: signs the nodes that sign
	City *[32]byte         // the age key that opens all that is kept
}

// Reader reads the archive on a target. It is safe for use by several at a time.
type Reader struct {
	target Target
	keys   Keys
	pack   *packing
}

// NewReader makes a reader.
func NewReader(t Target, k Keys) (*Reader, error) {
	p, err := newPacking(nil, k.City)
	if err != nil {
		return nil, err
	}
	return &Reader{target: t, keys: k, pack: p}, nil
}

// Target is where the archive is.
func (r *Reader) Target() Target { return r.target }

// Sealed gives what the archive holds of the city's keys, sealed with its cluster key, as
// some backup has it that names the city; nothing of it has been checked: whoever opens it
// finds out. It fails with [syncproto.CodeBackupUnknown] when there is none.
func Sealed(ctx context.Context, t Target, ca tlsid.Fingerprint) ([]byte, error) {
	r := &Reader{target: t}
	names, err := r.Names(ctx)
	if err != nil {
		return nil, err
	}
	other := ""
	for i := len(names) - 1; i >= 0; i-- {
		note, err := t.Get(ctx, backupsDir+names[i]+manifestName)
		if err != nil {
			return nil, unusable("read backup", t.String(), err)
		}
		m := new(Manifest)
		if peekNote(noteBackup, note, m) != nil {
			continue
		}
		if m.City == ca.String() {
			return m.Sealed, nil
		}
		other = names[i]
	}
	if other != "" {
		return nil, syncproto.Fail(syncproto.CodeBackupKey, "open archive", nil, "name", other)
	}
	return nil, syncproto.Fail(syncproto.CodeBackupUnusable, "open archive", nil, "n", fmt.Sprint(len(names)))
}

// Writer keeps things on a target, as one node of the city. It is safe for use by several at
// a time, but only one may make backups.
type Writer struct {
	*Reader
	own    tlsid.Own
	sealed []byte
	lives  sync.Mutex // held while lives are kept

	partBytes, segmentBytes int // before packing
}

// NewWriter makes a writer; sealed are the city's keys as [Manifest.Sealed] carries them.
// What it keeps can be opened with the city's key and with those of the further recipients.
func NewWriter(t Target, k Keys, own tlsid.Own, sealed []byte, recipients ...string) (*Writer, error) {
	city, err := seal.Recipient(k.City)
	if err != nil {
		return nil, fmt.Errorf("recipient of the archive: %w", err)
	}
	p, err := newPacking(append([]string{city}, recipients...), k.City)
	if err != nil {
		return nil, err
	}
	return &Writer{Reader: &Reader{target: t, keys: k, pack: p}, own: own, sealed: sealed,
		partBytes: maxPart, segmentBytes: maxSegment}, nil
}
