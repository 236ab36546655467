package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"unionsync/server/archive"
	"unionsync/server/ledger"
	"unionsync/server/trust"
	"unionsync/syncproto"
)

// Vault is the archive as a person's commands see it: they read the target themselves, so
// they work when no node does.
type Vault struct {
	*archive.Reader
	City *trust.City
	dir  string // of a node, for scratch space and for what the last drill said; "" for none
}

// VaultAt says which archive, and with which key. What is left out is taken from a node's
// folder: its configuration and its identity.
type VaultAt struct {
	Dir        string // a node's folder
	From       string // address of the target
	ClusterKey string // path of the cluster key
}

// OpenVault opens an archive for reading.
func OpenVault(ctx context.Context, at VaultAt, env func(string) string) (*Vault, error) {
	address := at.From
	if address == "" {
		c, err := LoadConfig(at.Dir, env, nil)
		if err != nil {
			return nil, err
		}
		address = c.Backup
	}
	target, err := archive.OpenTarget(address, env)
	if err != nil {
		return nil, err
	}
	v := &Vault{}
	if v.City, err = vaultCity(ctx, at, target); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(at.Dir, configFile)); err == nil {
		v.dir = at.Dir
	}
	v.Reader, err = archive.NewReader(target, archiveKeys(v.City))
	return v, err
}

// vaultCity opens the city's keys: those of the node, or with the cluster key those that a
// backup carries.
func vaultCity(ctx context.Context, at VaultAt, target archive.Target) (*trust.City, error) {
	if at.ClusterKey == "" {
		node, err := trust.Open(at.Dir, rand.Reader)
		if err != nil {
			return nil, err
		}
		return node.City, nil
	}
	key, err := trust.ReadClusterKey(at.ClusterKey)
	if err != nil {
		return nil, err
	}
	sealed, err := archive.Sealed(ctx, target, key.CA)
	if err != nil {
		return nil, err
	}
	return trust.OpenCity(sealed, key, rand.Reader)
}

// drilling gives how a drill is done in the node's folder, or in the system's own for
// temporary files.
func (v *Vault) drilling(step func(string, int64)) (archive.Drilling, error) {
	key := new([32]byte)
	if _, err := io.ReadFull(rand.Reader, key[:]); err != nil {
		return archive.Drilling{}, fmt.Errorf("drill: %w", err)
	}
	d := archive.Drilling{Scratch: os.TempDir(), Key: key, Now: time.Now, Step: step,
		Members: func(l *ledger.Ledger) (int, error) { return countMembers(l, v.City.PersonKey()) }}
	if v.dir != "" {
		d.Scratch = filepath.Join(v.dir, archiveDir)
		if err := os.MkdirAll(d.Scratch, 0o700); err != nil {
			return d, fmt.Errorf("drill: %w", err)
		}
	}
	return d, nil
}

// TryOut puts backups back in a scratch folder: the one named, or for "" the newest usable
// one with all that was streamed behind it, and looks at all else that is kept. The report is
// noted in the node's folder.
func (v *Vault) TryOut(ctx context.Context, name string, step func(string, int64)) (*archive.Report, error) {
	how, err := v.drilling(step)
	if err != nil {
		return nil, err
	}
	var r *archive.Report
	if name == "" {
		r, err = v.Drill(ctx, how)
	} else {
		r, err = v.Verify(ctx, name, how)
	}
	if err != nil || v.dir == "" {
		return r, err
	}
	return r, archive.SaveReport(filepath.Join(v.dir, archiveDir), r)
}

// Find gives the manifest of the backup named, or for "" that of the newest whose manifest
// can be used.
func (v *Vault) Find(ctx context.Context, name string) (*archive.Manifest, error) {
	if name != "" {
		return v.Manifest(ctx, name)
	}
	all, err := v.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		if b.Err == nil {
			return b.Manifest, nil
		}
	}
	return nil, syncproto.Fail(syncproto.CodeBackupUnusable, "find backup", nil, "n", fmt.Sprint(len(all)))
}

// rebuild puts the backup named back at cfg, or for "" the newest that can be used, with what
// was streamed behind it unless that is not wanted. Those that could not be used are given
// as problems.
func (v *Vault) rebuild(ctx context.Context, name string, cfg ledger.Config, how archive.Rebuilding) (*archive.Rebuilt, []archive.Problem, error) {
	all, err := v.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	var problems []archive.Problem
	for _, b := range all {
		if name != "" && b.Name != name {
			continue
		}
		err := b.Err
		if err == nil {
			var r *archive.Rebuilt
			if r, err = v.Rebuild(ctx, b.Manifest, cfg, how); err == nil {
				return r, problems, nil
			}
		}
		if syncproto.CodeOf(err) != syncproto.CodeBackupAltered || name != "" {
			return nil, nil, err
		}
		problems = append(problems, archive.Problem{Name: b.Name, Code: syncproto.CodeOf(err), Err: err})
		if err := os.RemoveAll(cfg.Dir); err != nil {
			return nil, nil, fmt.Errorf("restore: %w", err)
		}
	}
	if name != "" {
		return nil, nil, syncproto.Fail(syncproto.CodeBackupUnknown, "find backup", nil, "name", name)
	}
	causes := make([]error, len(problems))
	for i, p := range problems {
		causes[i] = p.Err
	}
	return nil, nil, syncproto.Fail(syncproto.CodeBackupUnusable, "find backup", errors.Join(causes...), "n", fmt.Sprint(len(all)))
}
