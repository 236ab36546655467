package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"unionsync/internal/rpc/tlsid"
	"unionsync/server/ledger"
	"unionsync/syncproto"
)

// Where things stand on a target. Permanent.
const (
	backupsDir   = "backups/"
	manifestName = "/manifest"
	logDir       = "log/"
	livesDir     = "lives/"
	watermarkAt  = "watermark"
)

// Manifest says what a backup is. It is kept last, so a backup without one is none: the work
// of somebody who was cut off. Its fields are permanent.
type Manifest struct {
	Name    string `json:"name"`    // of the backup, as it stands on the target
	City    string `json:"city"`    // fingerprint of the CA
	Sealed  []byte `json:"sealed"`  // the city's keys: the cluster key opens them
	Node    string `json:"node"`    // that made it
	Version string `json:"version"` // of the program that made it
	Made    int64  `json:"made"`    // by that node's clock, Unix seconds

	LogID     string             `json:"log_id"`    // of the raft log, hexadecimal
	Index     uint64             `json:"index"`     // of the log's last entry that is wholly in it
	Position  syncproto.Position `json:"position"`  // newest in it
	Time      int64              `json:"time"`      // of the centre at that position, Unix seconds
	Watermark syncproto.Position `json:"watermark"` // as the state has it
	Lives     []Life             `json:"generations"`

	Bytes  int64        `json:"bytes"`  // of the state, before packing
	Digest string       `json:"digest"` // SHA-256 over the state as the ledger streams it
	Tally  ledger.Tally `json:"tally"`
	Parts  []Part       `json:"parts"` // in their order
}

// Part is a piece of a backup as it stands on the target: sealed and packed.
type Part struct {
	Name   string `json:"name"` // behind the backup's
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Life names one life of the centre.
type Life struct {
	Number uint16             `json:"number"`
	Random string             `json:"random"` // 16 hexadecimal digits
	Base   syncproto.Position `json:"base"`
}

func lifeOf(g syncproto.Generation) Life {
	return Life{Number: g.Number, Random: fmt.Sprintf("%016x", g.Random), Base: g.Base}
}

// Stored is how many bytes the backup has on the target.
func (m *Manifest) Stored() (n int64) {
	for _, p := range m.Parts {
		n += p.Size
	}
	return n
}

// nameOf makes a backup's name: when, where in the log, and four random bytes, so that two
// nodes never make the same.
func nameOf(at time.Time, p syncproto.Position, random []byte) string {
	return fmt.Sprintf("%s-%d-%d-%s", at.UTC().Format(nameTime), p.Generation(), p.Count(), hex.EncodeToString(random))
}

const nameTime = "20060102T150405Z"

func partName(i int) string { return fmt.Sprintf("part-%05d.age", i+1) }

func (m *Manifest) at(name string) string { return backupsDir + m.Name + "/" + name }

// check says whether a manifest that was signed is that of the backup that it stands for.
func (m *Manifest) check(name string, ca tlsid.Fingerprint) error {
	switch {
	case m.Name != name:
		return fmt.Errorf("it is the manifest of %s", m.Name)
	case m.City != ca.String():
		return fmt.Errorf("it is of city %s", m.City)
	case len(m.Parts) == 0 || len(m.Digest) != 2*sha256.Size:
		return errors.New("it names no parts or no digest")
	}
	for i, p := range m.Parts {
		if p.Name != partName(i) || len(p.SHA256) != 2*sha256.Size {
			return fmt.Errorf("part %d is not named as it should be", i+1)
		}
	}
	return nil
}

func altered(name, what string, err error) error {
	return syncproto.Fail(syncproto.CodeBackupAltered, "read backup", err, "name", name, "what", what)
}

// Manifest reads one backup's manifest and checks who made it.
func (r *Reader) Manifest(ctx context.Context, name string) (*Manifest, error) {
	if !goodName(name) || strings.Contains(name, "/") {
		return nil, syncproto.Fail(syncproto.CodeBackupUnknown, "read backup", nil, "name", name)
	}
	note, err := r.target.Get(ctx, backupsDir+name+manifestName)
	if errors.Is(err, ErrNoObject) {
		return nil, syncproto.Fail(syncproto.CodeBackupUnknown, "read backup", err, "name", name)
	}
	if err != nil {
		return nil, unusable("read backup", r.target.String(), err)
	}
	m := new(Manifest)
	if err := openNote(r.keys.CA, noteBackup, note, m); err != nil {
		if syncproto.CodeOf(err) == syncproto.CodeWrongCentre {
			return nil, syncproto.Fail(syncproto.CodeBackupKey, "read backup", err, "name", name)
		}
		return nil, altered(name, "manifest", err)
	}
	if err := m.check(name, tlsid.FingerprintOf(r.keys.CA)); err != nil {
		return nil, altered(name, "manifest", err)
	}
	return m, nil
}

// Names gives the names of all backups that are offered for restore, the oldest first.
func (r *Reader) Names(ctx context.Context) ([]string, error) {
	all, err := r.target.List(ctx, backupsDir)
	if err != nil {
		return nil, unusable("list backups", r.target.String(), err)
	}
	var out []string
	for _, o := range all {
		name, ok := strings.CutSuffix(strings.TrimPrefix(o.Name, backupsDir), manifestName)
		if ok && !strings.Contains(name, "/") {
			out = append(out, name) // names begin with the time: they are in its order
		}
	}
	return out, nil
}

// Listed is a backup in a list; Err says why it cannot be used.
type Listed struct {
	Name     string
	Manifest *Manifest
	Err      error
}

// List gives the backups that are offered, the newest first, also those whose manifest cannot
// be used.
func (r *Reader) List(ctx context.Context) ([]Listed, error) {
	names, err := r.Names(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Listed, len(names))
	for i, name := range names {
		l := &out[len(names)-1-i]
		l.Name = name
		if l.Manifest, l.Err = r.Manifest(ctx, name); syncproto.CodeOf(l.Err) == syncproto.CodeArchiveTarget && l.Err != nil {
			return nil, l.Err
		}
	}
	return out, nil
}
