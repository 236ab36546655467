package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"

	"unionsync/server/ledger/entrypb"
	"unionsync/syncproto"
	"unionsync/syncproto/kind"
)

// Keys of what this file keeps; keys.go has the whole layout.
const (
	prefixOlderKind = 'i'
	keyFound        = 'o'
)

func keyOlderKind(name string, version uint32) []byte {
	return binary.BigEndian.AppendUint32(keyNamed(prefixOlderKind, []byte(name)), version)
}

// PublishResult says what became of the files of a Publish entry.
type PublishResult struct {
	Published []string // names of the kinds that have a new version in force
	Unchanged int      // files that were in force already
}

// publish brings new versions of kind files into force, all of them or none. Versions are
// compared here again: two publishers may have looked at the same moment. What is refused is
// a result that all replicas come to alike. Signatures were checked by whoever proposed. The
// entry after this one is merged by the new files.
func (a *applier) publish(p *entrypb.Publish) (any, error) {
	a.raiseTime(p.GetTime())
	files := make([]kind.File, 0, len(p.GetKinds()))
	for _, f := range p.GetKinds() {
		file, err := kind.ReadFile(f.GetName(), f.GetYaml())
		if err != nil {
			return refusedPublish(1, err), nil
		}
		files = append(files, file)
	}
	before := a.l.Versions()
	_, fresh, breaches := before.Publish(files)
	if len(breaches) > 0 {
		return refusedPublish(len(breaches), breaches[0].Err()), nil
	}
	for _, f := range fresh {
		if err := a.putKind(p, f); err != nil {
			return nil, err
		}
	}
	a.reload = len(fresh) > 0
	res := PublishResult{Unchanged: len(files) - len(fresh)}
	for _, f := range fresh {
		res.Published = append(res.Published, f.Kind)
	}
	return res, nil
}

func refusedPublish(n int, cause error) *syncproto.Error {
	return syncproto.Fail(syncproto.CodeKindsRefused, "publish kinds", cause, "n", fmt.Sprint(n))
}

// putKind keeps a file under its name when it is the newest, and what it replaces, or itself,
// among the older versions.
func (a *applier) putKind(p *entrypb.Publish, f kind.File) error {
	var file *entrypb.KindFile
	for _, x := range p.GetKinds() {
		if x.GetName() == f.Name && string(x.GetYaml()) == string(f.Data) {
			file = proto.CloneOf(x)
		}
	}
	file.Version = f.Version
	key := keyNamed(prefixKind, []byte(f.Name))
	was := new(entrypb.KindFile)
	ok, err := getMessage(a.txn, key, was)
	if err != nil {
		return err
	}
	if ok {
		version, err := versionOf(was)
		if err != nil {
			return err
		}
		if version > f.Version {
			return a.setMessage(keyOlderKind(f.Name, f.Version), file)
		}
		was.Version = version
		if err := a.setMessage(keyOlderKind(f.Name, version), was); err != nil {
			return err
		}
	}
	return a.setMessage(key, file)
}

// versionOf reads a file's version where the entry that brought it did not say it.
func versionOf(f *entrypb.KindFile) (uint32, error) {
	if f.GetVersion() != 0 {
		return f.GetVersion(), nil
	}
	file, err := kind.ReadFile(f.GetName(), f.GetYaml())
	return file.Version, err
}

// found notes up to where the rules of the kinds in force were worked out on what was merged.
func (a *applier) found(p uint64) error {
	if p == 0 {
		return nil
	}
	b, err := getBytes(a.txn, []byte{keyFound})
	if err != nil {
		return err
	}
	if was, err := decodePosition(b); b != nil && (err != nil || uint64(was) >= p) {
		return err
	}
	return a.set([]byte{keyFound}, encodePosition(syncproto.Position(p)))
}

// Found is the position up to which rules were worked out and what they found is in the
// state; 0 before any.
func (l *Ledger) Found() (syncproto.Position, error) {
	r := l.read()
	defer r.done()
	b, err := getBytes(r.txn, []byte{keyFound})
	if err != nil || b == nil {
		return 0, err
	}
	return decodePosition(b)
}

// Kinds gives the kind files in force, nil before genesis.
func (l *Ledger) Kinds() *kind.Set {
	v := l.Versions()
	if v == nil {
		return nil
	}
	return v.Newest()
}

// Versions gives the kind files in all versions, nil before genesis.
func (l *Ledger) Versions() *kind.Versions {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.kinds
}

// KindsAt gives one version of a kind.
func (l *Ledger) KindsAt(n syncproto.KindNumber, version uint32) (*kind.Kind, bool) {
	v := l.Versions()
	if v == nil {
		return nil, false
	}
	return v.At(n, version)
}

// KindFile gives the signed file of one version of a kind, nil if there is none.
func (l *Ledger) KindFile(name string, version uint32) (*entrypb.KindFile, error) {
	file := kind.FileName(name)
	for _, key := range [][]byte{keyNamed(prefixKind, []byte(file)), keyOlderKind(file, version)} {
		f, err := lookup(l, key, new(entrypb.KindFile))
		if err != nil || f == nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		if f.Version, err = versionOf(f); err != nil || f.GetVersion() == version {
			return f, err
		}
	}
	return nil, nil
}

// KindFiles gives the signed files in force, by the names of the files.
func (l *Ledger) KindFiles() ([]*entrypb.KindFile, error) {
	r := l.read()
	defer r.done()
	return kindFiles(r.txn, prefixKind)
}

func kindFiles(txn *badger.Txn, prefix byte) ([]*entrypb.KindFile, error) {
	var out []*entrypb.KindFile
	err := eachMessage(txn, []byte{prefix}, func(_, v []byte) error {
		f := new(entrypb.KindFile)
		if err := proto.Unmarshal(v, f); err != nil {
			return fmt.Errorf("read kind file: %w", err)
		}
		version, err := versionOf(f)
		f.Version = version
		out = append(out, f)
		return err
	})
	return out, err
}

// loadKinds reads the kind files that the state holds; nil before genesis. Where they are
// those of have, have is given back: reading them takes longer than a night's work.
func loadKinds(txn *badger.Txn, have *kind.Versions) (*kind.Versions, error) {
	if same, err := holdsKinds(txn, have); err != nil || same {
		return have, err
	}
	var files []kind.File
	for _, prefix := range []byte{prefixKind, prefixOlderKind} {
		all, err := kindFiles(txn, prefix)
		if err != nil {
			return nil, err
		}
		for _, f := range all {
			file, err := kind.ReadFile(f.GetName(), f.GetYaml())
			if err != nil {
				return nil, fmt.Errorf("load kinds of the ledger: %w", err)
			}
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	v, err := kind.LoadVersions(files)
	if err != nil {
		return nil, fmt.Errorf("load kinds of the ledger: %w", err)
	}
	return v, nil
}

// holdsKinds reports whether the state holds the very files of have.
func holdsKinds(txn *badger.Txn, have *kind.Versions) (bool, error) {
	if have == nil {
		return false, nil
	}
	files, stored := have.Files(), 0
	for _, prefix := range []byte{prefixKind, prefixOlderKind} {
		err := eachMessage(txn, []byte{prefix}, func(_, v []byte) error {
			f := new(entrypb.KindFile)
			if err := proto.Unmarshal(v, f); err != nil {
				return fmt.Errorf("read kind file: %w", err)
			}
			if slices.ContainsFunc(files, func(x kind.File) bool { return x.Name == f.GetName() && bytes.Equal(x.Data, f.GetYaml()) }) {
				stored++
			} else {
				stored = -1 << 30
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return stored == len(files), nil
}
